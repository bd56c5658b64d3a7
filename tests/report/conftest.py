"""A reader of reports in a real Chromium, for the tests marked `browser`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from auditor.findings import Report
from auditor.report import render_html

VIEWPORT = {"width": 1280, "height": 900}


class Reader:
    """Opens reports from files, and notes all that the page says to the console or asks the network for."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser = browser
        self.folder = folder
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.file: Path | None = None

    def open(self, report: Report | str, *, fragment: str = "", scripts: bool = True, **options: Any) -> Page:
        """The page of a report (or of a whole HTML text), once its list is drawn."""
        text = report if isinstance(report, str) else render_html(report)
        self.file = self.folder / "report.html"
        self.file.write_text(text, encoding="utf-8")
        context = self.browser.new_context(
            **{"viewport": VIEWPORT, "java_script_enabled": scripts, "accept_downloads": True, **options}
        )
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(self.file.as_uri() + fragment)
        if scripts:
            page.wait_for_selector("html[data-ready]")
        return page

    def strangers(self) -> list[str]:
        """Requests for anything but the file itself."""
        assert self.file is not None
        return [url for url in self.requests if url.partition("#")[0] != self.file.as_uri()]


@pytest.fixture
def reader(chromium: Browser, tmp_path: Path) -> Iterator[Reader]:
    made = Reader(chromium, tmp_path)
    yield made
    for context in list(chromium.contexts):
        context.close()
