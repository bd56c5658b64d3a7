"""The dashboard in a real Chromium, from signing in to the report of a scan that was asked for there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from auditor.errors import NothingRead
from auditor.i18n import Language, translator
from auditor.service import Plan, parse_schedule
from auditor.service.desk import Order
from auditor.service.firings import StoredFirings
from auditor.service.store import open_store
from tests.nights import gap
from tests.report import sample
from tests.service.world import FIRST, HOSTILE, SCOPE, SECOND, Serving, World, finding, night, serving

pytestmark = pytest.mark.browser


class Visitor:
    """A person with a browser; notes what the pages say to the console, and what they ask for elsewhere."""

    def __init__(self, browser: Browser, service: Serving) -> None:
        self.service = service
        self.browser = browser
        self.complaints: list[str] = []
        self.strangers: list[str] = []

    def page(self, **options: Any) -> Page:
        made = self.browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}).new_page()
        made.set_default_timeout(20_000)
        made.on("console", self._said)
        made.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        made.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        made.on("request", self._asked)
        return made

    def _said(self, message: Any) -> None:
        if not message.text.startswith("[DOM] Password forms should have"):  # a token has no user name
            self.complaints.append(f"{message.type}: {message.text}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(self.service.base + "/"):
            self.strangers.append(request.url)

    def signed_in(self, role: str = "run", **options: Any) -> Page:
        """The first page, after signing in with a new token."""
        page = self.page(**options)
        page.goto(self.service.base)
        page.get_by_label("API token").fill(self.service.world.token(f"person-{role}", role))
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(self.service.base + "/")
        return page


@pytest.fixture
def visitor(chromium: Browser, service: Serving) -> Iterator[Visitor]:
    made = Visitor(chromium, service)
    yield made
    for context in list(chromium.contexts):
        context.close()


def problems(page: Page) -> list[str]:
    """What axe finds wrong, each with where."""
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]


def test_from_signing_in_to_the_report_of_a_scan(visitor: Visitor) -> None:
    world = visitor.service.world
    page = visitor.signed_in()
    expect(page.get_by_role("heading", level=1)).to_have_text("No run yet")
    world.free.clear()
    page.get_by_label("Checks").fill("nsg-*, rbac-acr-pull")
    page.get_by_role("button", name="Scan now").click()
    assert world.begun.acquire(timeout=60)
    expect(page.locator("#scan-stage")).to_have_text("estate: 1 / 3")
    world.free.set()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 violation stands.")
    assert world.scanned[0].check == ("nsg-*", "rbac-acr-pull")
    page.get_by_role("link", name="The whole report of this run").click()
    expect(page.locator("#app article").first).to_be_visible()
    assert visitor.complaints == []
    assert visitor.strangers == []


def test_a_scan_is_cancelled_from_the_page(visitor: Visitor) -> None:
    visitor.service.world.free.clear()
    page = visitor.signed_in()
    page.get_by_role("button", name="Scan now").click()
    page.get_by_role("button", name="Cancel the scan").click()
    expect(page.get_by_role("cell", name="Cancelled", exact=True)).to_be_visible()
    assert visitor.complaints == []


def test_a_run_is_pinned_and_unpinned(visitor: Visitor) -> None:
    visitor.service.world.remember(night(1, *FIRST))
    page = visitor.signed_in()
    page.get_by_role("button", name="Pin").click()
    expect(page.locator(".rows .tag")).to_have_text("pinned")
    page.get_by_role("button", name="Unpin").click()
    expect(page.locator(".rows .tag")).to_have_count(0)


def test_who_may_only_read_is_shown_nothing_to_press(visitor: Visitor) -> None:
    visitor.service.world.remember(night(1, *FIRST))
    page = visitor.signed_in("read")
    assert page.get_by_role("button", name="Scan now").count() == 0
    assert page.get_by_role("button", name="Pin").count() == 0
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def remember_nights(visitor: Visitor) -> None:
    """Three nights, the last with what Azure may be called and with gaps."""
    world = visitor.service.world
    world.remember(night(1, *FIRST))
    world.remember(night(2, *SECOND))
    world.remember(
        night(3, *FIRST, finding("aks-subnet-size", "aks-2", "warn", name=HOSTILE), gaps=(gap(SCOPE, required=False),))
    )


def test_drift_trend_and_gaps_are_shown_and_hostile_names_are_text(visitor: Visitor) -> None:
    remember_nights(visitor)
    page = visitor.signed_in()
    feed = page.locator("#feed").inner_text()
    assert HOSTILE in feed
    assert "Resolved" in feed
    assert page.locator("#gaps").inner_text().count("grant Reader") == 1
    assert page.locator(".spark").get_attribute("aria-label") == ("Failures in the last 3 runs: from 1 to 1, at most 2")
    assert page.locator("main img, main script").count() == 0
    assert visitor.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_axe_finds_nothing(visitor: Visitor, lang: str, scheme: str) -> None:
    remember_nights(visitor)
    visitor.service.world.free.clear()
    page = visitor.signed_in(color_scheme=scheme)
    page.get_by_role("button", name="Scan now").click()
    page.goto(f"{visitor.service.base}/?lang={lang}")
    expect(page.locator("html")).to_have_attribute("lang", lang)
    # axe is a script of its own, which the page's policy would not let in: it looks at a copy without one.
    copy = visitor.page(color_scheme=scheme, bypass_csp=True)
    copy.context.add_cookies(page.context.cookies())  # type: ignore[arg-type]  # playwright's own two types
    copy.goto(f"{visitor.service.base}/?lang={lang}")
    assert problems(copy) == []
    copy.goto(f"{visitor.service.base}/login?lang={lang}")
    assert problems(copy) == []


def test_it_speaks_chinese_and_remembers(visitor: Visitor) -> None:
    remember_nights(visitor)
    page = visitor.signed_in()
    page.get_by_role("link", name="简体中文").click()
    expect(page.get_by_role("heading", name="运行记录")).to_be_visible()
    page.goto(visitor.service.base)
    expect(page.get_by_role("button", name="立即扫描")).to_be_visible()


def test_drift_and_gaps_are_told_in_the_readers_language(visitor: Visitor) -> None:
    world = visitor.service.world
    said = "{subnet} is delegated to {found}, not to Container Instances"
    facts = {"subnet": "snet-aci", "found": "nothing"}
    world.remember(night(1, finding("nsg-acr-outbound", "aks-1", "pass")))
    failed = finding("nsg-acr-outbound", "aks-1", "fail")
    told = msgspec.structs.replace(failed, message=said.format(**facts), template=said, facts=facts)
    gaps = (msgspec.structs.replace(gap(SCOPE, required=False), hint="grant Reader on the subscription"),)
    world.remember(night(2, told, gaps=gaps))
    page = visitor.signed_in()
    assert "snet-aci is delegated to nothing" in page.locator("#feed").inner_text()
    page.goto(f"{visitor.service.base}/?lang=zh-CN")
    feed = page.locator("#feed").inner_text()
    assert translator(Language.CHINESE).format(said, facts) in feed
    assert "delegated" not in feed
    assert "grant Reader" not in page.locator("#gaps").inner_text()


def test_what_became_of_each_schedules_newest_night_is_shown(world: World, chromium: Browser) -> None:
    def fail(order: Order) -> None:
        raise NothingRead(f"the authority says {HOSTILE}")

    world.before_end = fail
    plan = Plan("nightly", parse_schedule("0 2 * * *", "UTC"), world.settings)
    engine = open_store(world.history, {})
    day_before = plan.schedule.last(world.now - timedelta(days=1))
    assert day_before is not None
    StoredFirings(engine, 1, lambda: world.now, lambda other: False).tell("nightly", day_before, "missed")
    engine.dispose()
    with serving(world, plans=(plan,)) as running:
        world.wait_for("is tried again in 5 minutes")
        visitor = Visitor(chromium, running)
        shown = visitor.signed_in().locator(".nights")
        expect(shown).to_contain_text("last: 2026-11-24 02:00 Failed")
        expect(shown).to_contain_text(HOSTILE)
        assert visitor.complaints == []
        for context in list(chromium.contexts):
            context.close()


def test_it_works_without_scripts(visitor: Visitor) -> None:
    page = visitor.signed_in(java_script_enabled=False)
    page.get_by_role("button", name="Scan now").click()
    assert visitor.service.world.begun.acquire(timeout=60)
    job = visitor.service.reader.get("/api/v1/scans").json()["items"][0]["id"]
    visitor.service.runner.finished(job)
    page.goto(visitor.service.base)
    expect(page.get_by_role("heading", level=1)).to_have_text("1 violation stands.")


def test_it_fits_a_telephone(visitor: Visitor) -> None:
    remember_nights(visitor)
    page = visitor.signed_in(viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_believable_night_for_the_eye(visitor: Visitor, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Not judged by the test but drawn by it: `--basetemp` keeps the picture."""
    from auditor.history import open_history

    report = sample.night()
    run = msgspec.structs.replace(report.run, id="20261124T020000Z-abcdef")
    with open_history(visitor.service.world.history) as history:
        history.save(msgspec.structs.replace(report, run=run))
    page = visitor.signed_in()
    picture = tmp_path_factory.mktemp("pictures") / "dashboard.png"
    page.screenshot(path=str(picture), full_page=True)
    assert picture.stat().st_size > 10_000
    assert visitor.complaints == []
