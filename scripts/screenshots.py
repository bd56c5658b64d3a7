"""Take the pictures of the report that the documentation shows: `python scripts/screenshots.py [FOLDER]`.

Needs Chromium on the PATH and the development requirements. The estate is the tests' believable night, so that a
picture changes only when the report's look does; those in Chinese show the sample estate in Azure China, scanned for
them. With names after the folder only these are taken: `python scripts/screenshots.py docs/images report-zh-CN`.
"""

from __future__ import annotations

import functools
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, sync_playwright  # noqa: E402

from auditor.demo import run  # noqa: E402
from auditor.findings import Report  # noqa: E402
from auditor.report import TrendPoint, render_html  # noqa: E402
from tests.report import sample  # noqa: E402


def _as_opened(page: Page) -> None:
    pass


def _first_finding(page: Page) -> None:
    article = page.locator("article", has_text="TCP 443 from snet-nodes")
    article.locator("summary").first.click()
    article.locator(".meta").wait_for()
    article.locator(".trace summary").first.click()
    article.evaluate("node => node.scrollIntoView({ block: 'start' })")
    page.mouse.move(0, 0)


def _network(page: Page) -> None:
    page.locator(".picture > summary").first.click()
    page.locator(".networks").evaluate("node => node.scrollIntoView({ block: 'start' })")
    page.mouse.move(0, 0)


def _first_chinese_finding(page: Page) -> None:
    article = page.locator("#app article", has_text="可通过出站规则访问注册表").first
    article.locator("summary").first.click()
    article.locator(".meta").wait_for()
    article.locator(".trace summary").first.click()
    article.evaluate("node => node.scrollIntoView({ block: 'start' })")
    page.mouse.move(0, 0)


@functools.cache
def _china() -> Report:
    """The second night of the sample estate in Azure China."""
    with tempfile.TemporaryDirectory() as folder:
        return run(cloud="china", output=Path(folder) / "out").nights[1]


def _report(lang: str) -> tuple[Report, tuple[TrendPoint, ...]]:
    return (_china(), ()) if lang == "zh-CN" else (sample.night(), sample.history())


DESKTOP = {"viewport": {"width": 1280, "height": 960}, "device_scale_factor": 1.5}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
SHOTS: dict[str, tuple[str, dict[str, Any], Callable[[Page], None]]] = {
    "report": ("en", DESKTOP, _as_opened),
    "report-finding": ("en", DESKTOP, _first_finding),
    "report-network": ("en", DESKTOP, _network),
    "report-dark": ("en", {**DESKTOP, "color_scheme": "dark"}, _as_opened),
    "report-phone": ("en", PHONE, _as_opened),
    "report-zh-CN": ("zh-CN", DESKTOP, _as_opened),
    "report-zh-CN-finding": ("zh-CN", DESKTOP, _first_chinese_finding),
}


def main(folder: Path, only: tuple[str, ...] = ()) -> None:
    """Write one PNG a shot, and the report as paper."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("error: no chromium on the PATH")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, (lang, options, prepare) in SHOTS.items():
            if only and name not in only:
                continue
            file = Path(made) / f"{name}.html"
            report, history = _report(lang)
            file.write_text(render_html(report, lang=lang, history_trend=history), encoding="utf-8")
            page = browser.new_page(**options)
            page.goto(file.as_uri())
            page.wait_for_selector("html[data-ready]")
            prepare(page)
            page.screenshot(path=folder / f"{name}.png")
            print(folder / f"{name}.png")
            page.close()
        if only:
            return
        page = browser.new_page(viewport={"width": 794, "height": 1123}, device_scale_factor=1.5)
        page.goto((Path(made) / "report.html").as_uri())
        page.wait_for_selector("html[data-ready]")
        page.emulate_media(media="print")
        page.evaluate("document.body.style.padding = '14mm'")  # what @page gives on paper
        page.screenshot(path=folder / "report-print.png")
        print(folder / "report-print.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images", tuple(sys.argv[2:]))
