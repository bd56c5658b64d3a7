"""Take the pictures of report and dashboard that the documentation shows: `python scripts/screenshots.py [FOLDER]`.

Needs Chromium on the PATH and the development requirements. The estate is the tests' believable night, so that a
picture changes only when the report's look does; those in Chinese show the sample estate in Azure China, scanned for
them. The dashboard's are of a running service over eight nights of that estate. With names after the folder only these
are taken: `python scripts/screenshots.py docs/images report-zh-CN`.
"""

from __future__ import annotations

import functools
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import msgspec  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from auditor.demo import run  # noqa: E402
from auditor.drift import compare  # noqa: E402
from auditor.findings import Report, summarize  # noqa: E402
from auditor.history import open_history  # noqa: E402
from auditor.i18n import Language, translator  # noqa: E402
from auditor.report import TrendPoint, render_html  # noqa: E402
from auditor.service import Plan, parse_schedule  # noqa: E402
from auditor.service.firings import Claim, StoredFirings  # noqa: E402
from auditor.service.store import open_store  # noqa: E402
from auditor.values import Outcome  # noqa: E402
from tests.report import sample  # noqa: E402
from tests.service.world import World, serving  # noqa: E402


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


NIGHTS = 8
"""Nights that the dashboard looks back on."""


def _nights(last: Report) -> Iterator[Report]:
    """Nights up to this one: the estate gets worse, and something is mended on the way."""
    ids = [each.id for each in last.findings if each.outcome is Outcome.FAIL and each.waiver is None]
    first = datetime.fromisoformat(last.run.started_at) - timedelta(days=NIGHTS - 1)
    for number in range(NIGHTS):
        began = first + timedelta(days=number)
        later = set(ids[2 + number * (len(ids) - 2) // NIGHTS :]) if number < NIGHTS - 1 else set()
        findings = tuple(
            msgspec.structs.replace(each, outcome=Outcome.PASS if each.id in later else each.outcome, drift=None)
            for each in last.findings
        )
        run = msgspec.structs.replace(
            last.run,
            id=f"{began:%Y%m%dT%H%M%SZ}-{number + 0xA11CE:06x}",
            started_at=f"{began:%Y-%m-%dT%H:%M:%SZ}",
            finished_at=f"{began + timedelta(minutes=4):%Y-%m-%dT%H:%M:%SZ}",
        )
        if number < NIGHTS - 1:  # what cannot be read now could be then
            scopes = tuple(msgspec.structs.replace(each, read=True) for each in run.scopes)
            run = msgspec.structs.replace(run, complete=True, gaps=(), scopes=scopes)
        summary = summarize(findings, last.summary.resources)
        yield msgspec.structs.replace(last, run=run, baseline=None, summary=summary, findings=findings)


def _remember(world: World, last: Report, lang: str) -> None:
    speaker = translator(Language(lang))
    with open_history(world.history) as history:
        for night in _nights(last):
            scopes = [scope.id for scope in night.run.scopes]
            against = history.baseline_for(scopes)
            told = compare(night, against, resources=(), scope_read=lambda _: True, render=speaker.format)
            history.save(told, scope_read=lambda _: True)
    world.now = datetime.fromisoformat(last.run.started_at) + timedelta(hours=7, minutes=12)
    engine = open_store(world.history, {})
    firings = StoredFirings(engine, 1, lambda: world.now, lambda other: False)
    firing = _plan(world, lang).schedule.last(world.now)
    assert firing is not None
    claim = firings.claim("nightly", firing)
    assert isinstance(claim, Claim)
    firings.end(claim, "done")
    engine.dispose()


def _plan(world: World, lang: str) -> Plan:
    zone = "Asia/Shanghai" if lang == "zh-CN" else "Europe/Berlin"
    return Plan("nightly", parse_schedule("0 3 * * *", zone), world.settings)


def _scan_now(page: Page) -> None:
    page.locator("#scan-now").click()
    page.locator("#scan-stage", has_text="3").wait_for()
    page.mouse.move(0, 0)


def _feed(page: Page) -> None:
    page.locator("#feed").evaluate("node => node.scrollIntoView({ block: 'start' })")


_SCREEN = {"viewport": {"width": 1280, "height": 900}}
DASHBOARDS: dict[str, tuple[str, dict[str, Any], Callable[[Page], None]]] = {
    "dashboard": ("en", _SCREEN, _as_opened),
    "dashboard-drift": ("en", _SCREEN, _feed),
    "dashboard-scan": ("en", {**_SCREEN, "color_scheme": "dark"}, _scan_now),
    "dashboard-zh-CN": ("zh-CN", {"viewport": {"width": 1280, "height": 680}}, _as_opened),
}


def _take_dashboards(browser: Browser, folder: Path, only: tuple[str, ...]) -> None:
    for lang in ("en", "zh-CN"):
        wanted = [name for name, shot in DASHBOARDS.items() if shot[0] == lang and (not only or name in only)]
        if not wanted:
            continue
        with tempfile.TemporaryDirectory() as kept:
            world = World(Path(kept))
            _remember(world, _report(lang)[0], lang)
            world.free.clear()
            with serving(world, plans=(_plan(world, lang),)) as running:
                for name in wanted:
                    _, options, prepare = DASHBOARDS[name]
                    page = browser.new_context(**options).new_page()
                    page.goto(f"{running.base}/login?lang={lang}")
                    page.locator("input[name=token]").fill(running.running_token)
                    page.locator("main form button").click()
                    page.wait_for_url(f"{running.base}/")
                    prepare(page)
                    page.screenshot(path=folder / f"{name}.png")
                    print(folder / f"{name}.png")
                    page.context.close()


def main(folder: Path, only: tuple[str, ...] = ()) -> None:
    """Write one PNG a shot, and the report as paper."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("error: no chromium on the PATH")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        _take_dashboards(browser, folder, only)
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
