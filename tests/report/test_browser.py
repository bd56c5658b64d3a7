"""`report.html` in a real Chromium, from a file: silent, inert, searchable, and usable by everybody."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from auditor.findings import Remediation, Report
from auditor.i18n import Language, translator
from auditor.report import render_html
from auditor.report.triage import reading_order
from auditor.values import Outcome
from tests.report import factory, sample
from tests.report.conftest import Reader

pytestmark = pytest.mark.browser

NIGHT = sample.night()
REPORTS = {
    "a night": NIGHT,
    "clean": factory.CLEAN,
    "without findings": factory.report(),
    "every state": factory.every_state(),
    "hostile": factory.hostile(),
}


def shown_ids(page: Page) -> list[str]:
    return [each.get_attribute("id") or "" for each in page.locator("#app article").all()]


def tick(page: Page, facet: str, value: str) -> None:
    page.locator(f"input[data-facet='{facet}'][value='{value}']").check()


def until(page: Page, condition: str) -> None:
    """Wait for a condition; Playwright's own wait would need `eval`, which the page's security policy refuses."""
    page.evaluate(
        f"() => new Promise(done => {{ const look = () => ({condition}) ? done() : setTimeout(look, 10); look(); }})"
    )


def opened(page: Page) -> Page:
    """With every group and every finding unfolded, and filled."""
    page.evaluate(
        "document.querySelectorAll('#app details, .static details, .picture, .picture details, .matrix')"
        ".forEach(each => each.open = true)"
    )
    until(page, "[...document.querySelectorAll('#app .f-body')].every(body => body.querySelector('.meta'))")
    page.evaluate("document.querySelectorAll('#app details').forEach(each => each.open = true)")
    return page


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_says_nothing_to_console_or_network(report: Report, reader: Reader) -> None:
    opened(reader.open(report)).mouse.wheel(0, 5000)
    assert reader.complaints == []
    assert reader.strangers() == []


def test_hostile_names_are_text(reader: Reader) -> None:
    page = opened(reader.open(factory.hostile()))
    assert "owned" not in page.title()
    assert page.locator("img, iframe, object, embed, #app script, .l10n script").count() == 0
    assert page.evaluate("[...document.querySelectorAll('a')].every(a => /^(#|https?:)/.test(a.getAttribute('href')))")
    text = page.locator("#app").inner_text()
    for name in ("markup", "end of script", "comment", "template", "shell", "formula"):
        assert factory.HOSTILE_NAMES[name] in text, name


def test_marks_that_deceive_the_eye_are_spelled_out(reader: Reader) -> None:
    page = opened(reader.open(factory.hostile()))
    text = page.evaluate("document.documentElement.textContent")
    assert "⟨U+202E⟩" in text
    assert not [character for character in "\u202e\u2066\u200f\u2028\x1b\x07\ud800\u200b" if character in text]


def test_hostile_names_are_text_without_javascript(reader: Reader) -> None:
    page = reader.open(factory.hostile(), scripts=False)
    assert page.locator("img, iframe, .static script").count() == 0
    assert page.locator(".static article").count() == len(factory.HOSTILE_NAMES)
    assert page.locator("footer").count() == 1


@pytest.mark.parametrize("name", ["a night", "hostile", "every state"])
def test_without_javascript_a_finding_says_the_same(name: str, reader: Reader) -> None:
    """finding.html.j2 and report.js draw from one record; only the copy buttons are JavaScript's own."""
    words = "node => [...node.querySelectorAll('article')].map(each => {" + (
        "each.querySelectorAll('button').forEach(button => button.remove());"
        "return [each.id, each.className, each.textContent.replace(/\\s+/g, '')]; })"
    )
    report = REPORTS[name]
    with_script = opened(reader.open(report)).locator("#app").evaluate(words)
    without = reader.open(report, scripts=False).locator(".static").evaluate(words)
    assert len(without) == len(report.findings)
    assert with_script == without


def test_the_head_says_verdict_drift_coverage_and_gaps(reader: Reader) -> None:
    page = reader.open(NIGHT)
    assert page.locator("h1:visible").inner_text() == "3 deviations are new or changed."
    assert page.locator(".incomplete:visible").count() == 1
    assert [tile.inner_text().split("\n") for tile in page.locator(".tile:visible").all()] == [
        ["2", "New"],
        ["1", "Changed"],
        ["1", "No longer verified"],
        ["1", "Resolved"],
    ]
    assert page.locator(".card-coverage .big:visible").inner_text() == "2 of 3 scopes read"
    [gap] = page.locator(".gaps li:visible").all()
    assert "grant Reader on the subscription" in gap.locator(".gap-hint").inner_text()
    page.locator(".gaps:visible summary").click()
    assert page.locator(".gaps li:visible .gap-hint").count() == 2


def test_the_matrix_says_of_each_cluster_what_it_meets(reader: Reader) -> None:
    page = reader.open(NIGHT)
    table = page.locator(".matrix:visible").first
    table.locator("> summary").click()
    cells = table.locator("tr", has_text="The API server of the cluster is private").locator("td").all()
    clusters = [each.inner_text() for each in table.locator("thead th span").all()]
    said = dict(zip(clusters, [cell.text_content() for cell in cells], strict=True))
    assert said["aks-dev"] == "Fail"
    assert said["aks-vision"] == "Pass"
    assert said["aks-edge-01"] == "·"
    table.locator("td a", has_text="Fail").first.click()
    page.locator("article.aim .meta").wait_for()


def test_the_picture_of_a_network_leads_to_what_was_found_on_each_line(reader: Reader) -> None:
    page = reader.open(NIGHT)
    page.locator(".picture > summary").click()
    assert page.locator(".net path.v-fail").count() == 2
    page.locator(".net .badge.v-fail").first.focus()  # from the keyboard
    page.keyboard.press("Enter")
    page.locator("article.aim .meta").wait_for()
    assert "40.73.11.20" in page.locator("article.aim .f-msg").inner_text()


def test_the_picture_says_in_words_what_it_shows_in_colours(reader: Reader) -> None:
    page = reader.open(NIGHT)
    page.locator(".picture > summary").click()
    said = [each.inner_text().replace("\n", " ") for each in page.locator(".net-words").first.locator("li").all()]
    assert [each.split(" ")[0] for each in said] == ["Fail"] * 2 + ["Unknown"] * 2 + ["Warning"] * 2
    assert "snet-nodes reaches the registry by pe-acr" in said[1]
    for badge in page.locator(".net .badge").all():
        words = page.locator(f"[id='{badge.get_attribute('aria-labelledby')}']")
        assert (words.get_attribute("class") or "") in (badge.get_attribute("class") or "").split()


def test_the_picture_speaks_the_pages_language(reader: Reader) -> None:
    page = reader.open(NIGHT)
    page.locator(".picture > summary").click()
    page.get_by_label("Language").select_option("zh-CN")
    assert page.locator(".net .k-private-endpoint .k").text_content() == "专用终结点"


@pytest.mark.parametrize("width", [320, 1280])
def test_a_wide_picture_scrolls_inside_its_own_box(width: int, reader: Reader) -> None:
    page = reader.open(NIGHT, viewport={"width": width, "height": 800})
    page.locator(".picture > summary").click()
    box = page.locator(".net-in")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert box.evaluate("node => node.scrollWidth > node.clientWidth") is (width < 1000)
    box.focus()
    assert box.evaluate("node => document.activeElement === node")


def test_no_text_of_a_picture_leaves_its_box(reader: Reader) -> None:
    page = reader.open(NIGHT)
    page.locator(".picture > summary").click()
    outside = page.evaluate(
        """[...document.querySelectorAll('.net .box')].flatMap(box => {
            const rect = box.querySelector('rect');
            if (!rect) return [];
            const [left, right] = [rect.getBBox().x, rect.getBBox().x + rect.getBBox().width];
            return [...box.querySelectorAll('text')].filter(text => {
                const around = text.getBBox();
                return around.x < left || around.x + around.width > right;
            }).map(text => text.textContent);
        })"""
    )
    assert outside == []


def test_a_picture_that_says_something_wrong_is_printed_and_folded_again(reader: Reader) -> None:
    page = reader.open(NIGHT)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".net").is_visible()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert not page.locator(".net").is_visible()


def test_drift_stands_before_what_was_wrong_already(reader: Reader) -> None:
    headings = [each.inner_text() for each in reader.open(NIGHT).locator(".group h3").all()]
    assert headings == [
        "New since the last run 2",
        "Changed since the last run 1",
        "No longer verified 1",
        "Resolved since the last run 1",
        "High violations 2",
        "Medium violations 1",
        "Warnings 1",
        "Unknown: what decides could not be read 1",
        "Accepted by a waiver 1",
        "As documented 24",
        "Not applicable 1",
    ]


def test_what_passes_is_folded_away_until_asked_for(reader: Reader) -> None:
    page = reader.open(NIGHT)
    assert not page.locator("article", has_text="aks-vision: as documented").first.is_visible()
    tick(page, "outcome", "pass")
    assert page.locator("article", has_text="aks-vision: as documented").first.is_visible()


def test_searches_every_word_anywhere(reader: Reader) -> None:
    page = reader.open(NIGHT)
    page.get_by_role("searchbox").fill("LI.WEI snet-nodes")
    until(page, "document.querySelectorAll('#app article').length === 1")
    assert page.locator("#app [role=status]").inner_text() == "1 of 36 findings"
    page.get_by_role("searchbox").fill("no such thing")
    page.wait_for_selector(".empty")
    page.get_by_role("button", name="Clear filters").click()
    assert page.locator("#app article").count() == 36


def test_a_facet_narrows_and_counts_what_the_others_leave(reader: Reader) -> None:
    page = reader.open(NIGHT)
    tick(page, "drift", "new")
    assert len(shown_ids(page)) == 2

    def count_of(value: str) -> str:
        return page.locator("label", has=page.locator(f"input[value='{value}']")).locator(".n").inner_text()

    assert count_of("changed") == "1"  # its own facet: what ticking it would add
    assert count_of("pass") == "0"
    tick(page, "drift", "changed")
    assert len(shown_ids(page)) == 3
    tick(page, "severity", "critical")
    assert len(shown_ids(page)) == 1


def test_a_tile_in_the_head_filters_the_list(reader: Reader) -> None:
    page = reader.open(NIGHT)
    page.locator(".tile a:visible", has_text="Resolved").click()
    assert page.locator("#app article").count() == 1


@pytest.mark.parametrize(
    ("grouping", "first"),
    [
        ("severity", "Critical 1"),
        ("outcome", "Fail 6"),
        ("drift", "New 2"),
        ("check", "aci-subnet-delegated 1"),
        ("cluster", "aks-batch-prod 2"),
        ("subscription", f"{factory.PROD} 33"),
    ],
)
def test_groups_by(grouping: str, first: str, reader: Reader) -> None:
    page = reader.open(NIGHT)
    page.get_by_label("Group by").select_option(grouping)
    assert page.locator(".group h3").first.inner_text() == first
    assert page.locator("#app article").count() == 36


def test_groups_by_a_framework_and_a_finding_stands_under_each_of_its_controls(reader: Reader) -> None:
    page = reader.open(NIGHT)
    page.get_by_label("Group by").select_option("cis-aks")
    headings = [each.inner_text() for each in page.locator(".group h3").all()]
    assert headings[0].startswith("5.4.1 · Access to the control plane is restricted")
    assert headings[-1].startswith("No control of this framework")
    private = page.locator("article", has_text="the API server of aks-dev answers on a public address")
    assert private.count() == 2  # under 5.4.1 and 5.4.2
    ids = [each.get_attribute("id") for each in page.locator("#app article[id]").all()]
    assert len(ids) == len(set(ids)) == len(NIGHT.findings)
    private.last.locator("summary").click()
    private.last.locator(".meta").wait_for()
    assert "CIS AKS 5.4.2" in private.last.locator(".meta").inner_text()


def test_the_evidence_of_a_framework_is_a_table(reader: Reader) -> None:
    page = reader.open(NIGHT)
    table = page.locator(".matrix:visible", has_text="CIS Azure Kubernetes Service")
    table.locator("summary").click()
    row = table.locator("tbody tr", has_text="5.4.2")
    assert "aks-private-api-server" in row.locator("th").inner_text()
    row.locator("td a", has_text="Fail").first.click()
    page.locator("article.aim .meta").wait_for()


def test_group_by_can_be_chosen_beforehand(reader: Reader) -> None:
    page = reader.open(render_html(NIGHT, group_by="check"))
    assert page.locator(".group h3").first.inner_text() == "aci-subnet-delegated 1"


def test_a_deep_link_opens_its_finding_even_in_a_folded_group(reader: Reader) -> None:
    passing = next(each for each in NIGHT.findings if each.outcome is Outcome.PASS and each.drift.state == "unchanged")  # type: ignore[union-attr]
    page = reader.open(NIGHT, fragment=f"#{passing.id}")
    article = page.locator(f"article[id='{passing.id}']")
    article.locator(".meta").wait_for()
    assert article.locator(".meta").is_visible()
    assert page.evaluate("document.activeElement.closest('article').id") == passing.id


def test_an_opened_finding_shows_how_who_why_and_what_to_type(reader: Reader) -> None:
    page = reader.open(NIGHT)
    article = page.locator("article", has_text="TCP 443 from snet-nodes")
    article.locator("summary").first.click()
    article.locator(".meta").wait_for()
    headings = [each.inner_text() for each in article.locator("h4, .trace > summary").all()]
    assert headings == [
        "What the change does",
        "Who changed what",
        "What to do",
        "Evidence",
        "How it was decided",
        "What it permits in all 2",
    ]
    article.locator(".trace summary", has_text="How it was decided").click()
    assert article.locator(".trace ol li").nth(2).inner_text() == "rule deny-internet-out (200) matches and says Deny"
    link = article.locator(".meta a[target=_blank]")
    assert link.get_attribute("href") == factory.SOURCE.url
    assert link.get_attribute("rel") == "noopener noreferrer"


def test_copies_a_command(reader: Reader) -> None:
    page = reader.open(NIGHT, permissions=["clipboard-read", "clipboard-write"])
    article = page.locator("article", has_text="TCP 443 from snet-nodes")
    article.locator("summary").first.click()
    article.get_by_role("button", name="Copy").click()
    article.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("az network nsg rule update --resource-group rg-ml-net ")


def test_a_finding_is_opened_from_the_keyboard(reader: Reader) -> None:
    page = reader.open(NIGHT)
    page.locator("article summary").first.focus()
    page.keyboard.press("Enter")
    page.locator("article .meta").first.wait_for()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"


def download_script(page: Page, folder: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name="Remediation script").click()
    assert download.value.suggested_filename == "auditor-remediation.sh"
    path = folder / "remediation.sh"
    download.value.save_as(path)
    return path


def run_script(script: Path, *arguments: str, typed: str = "") -> tuple[str, list[str]]:
    """What the script printed, and the calls that reached `az` and `kubectl`."""
    tools = script.parent / "bin"
    tools.mkdir(exist_ok=True)
    log = script.parent / "calls"
    log.write_text("", encoding="utf-8")
    for name in ("az", "kubectl"):
        tool = tools / name
        tool.write_text(f'#!/bin/sh\nprintf "%s\\n" "{name} $*" >> "$CALLS"\n', encoding="utf-8")
        tool.chmod(stat.S_IRWXU)
    done = subprocess.run(
        ["sh", str(script), *arguments],
        input=typed,
        text=True,
        capture_output=True,
        check=True,
        cwd=script.parent,
        env={"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "CALLS": str(log)},
    )
    return done.stdout, log.read_text(encoding="utf-8").splitlines()


def test_the_remediation_script_is_dry_by_default(reader: Reader, tmp_path: Path) -> None:
    script = download_script(reader.open(NIGHT), tmp_path)
    text = script.read_text(encoding="utf-8")
    assert "az cloud set --name AzureChinaCloud" in text
    printed, calls = run_script(script)
    assert len([line for line in printed.splitlines() if line.startswith("+ ")]) == 4
    assert calls == []


def test_the_remediation_script_asks_before_each_command(reader: Reader, tmp_path: Path) -> None:
    script = download_script(reader.open(NIGHT), tmp_path)
    _, calls = run_script(script, "--apply", typed="y\nn\n")  # and nobody answers the rest
    assert len(calls) == 1
    assert calls[0].startswith("kubectl annotate service azureml-fe")


def test_the_remediation_script_holds_what_is_shown(reader: Reader, tmp_path: Path) -> None:
    page = reader.open(NIGHT)
    tick(page, "drift", "changed")
    printed, _ = run_script(download_script(page, tmp_path))
    assert [line[:26] for line in printed.splitlines()] == ["+ az role assignment create"[:26]]


def test_no_hostile_name_leaves_its_comment_or_its_quotes(reader: Reader, tmp_path: Path) -> None:
    made = []
    for number, name in enumerate(factory.HOSTILE_NAMES.values()):
        commands = (
            factory.command("az", "network", "nsg", "show", "--name", name),
            factory.command(f"touch owned{number}", name),
            factory.command("touch", "owned"),
        )
        made.append(
            factory.finding(
                "nsg-acr-outbound",
                f"/subscriptions/s/{number}",
                title=name,
                outcome=Outcome.FAIL,
                message=f"{name}\ntouch owned",
                remediation=Remediation(summary=name, commands=commands),
            )
        )
    script = download_script(reader.open(factory.report(*made)), tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    printed, calls = run_script(script, "--apply", typed="y\n" * 100)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name not in ("bin", "calls")) == before
    assert len(calls) >= 9
    assert f"az network nsg show --name {factory.HOSTILE_NAMES['shell']}" in calls
    assert all(line.startswith("az network nsg show --name ") for line in calls)
    assert "+ touch" not in printed


def test_the_language_is_switched_in_the_page(reader: Reader) -> None:
    page = reader.open(NIGHT)
    page.get_by_label("Language").select_option("zh-CN")
    assert page.locator("h1:visible").inner_text() == "3 项新增或变化的偏差。"
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert page.locator(".group h3").first.inner_text() == "自上次运行以来新增 2"
    assert page.get_by_role("button", name="修复脚本").count() == 1
    page.get_by_label("语言").select_option("en")
    assert page.locator("h1:visible").inner_text() == "3 deviations are new or changed."
    assert reader.complaints == []


@pytest.mark.parametrize("run", [Language.ENGLISH, Language.CHINESE])
def test_the_switch_changes_what_findings_say(run: Language, reader: Reader) -> None:
    page = reader.open(factory.unread(translator(run)))
    english = "could not be read: its region is not in its data", "no rule, rule-b", "grant Reader on the cluster"
    chinese = "无法读取 snet-nodes：其数据中没有区域", "由 无规则、rule-b 允许", "授予群集的读取者角色"
    for lang, said, other in (("zh-CN", chinese, english), ("en", english, chinese)):
        page.locator("#lang").select_option(lang)
        text = opened(page).locator("#app").evaluate("node => node.textContent")
        assert [each for each in said if each not in text] == []
        assert [each for each in other if each in text] == []
    page.locator("#lang").select_option("zh-CN")
    page.get_by_role("searchbox").fill("没有区域")  # what is searched is what is shown
    until(page, "document.querySelectorAll('#app article').length === 1")
    assert reader.complaints == []


def test_without_javascript_a_finding_says_the_same_in_chinese(reader: Reader) -> None:
    page = render_html(factory.unread(translator(Language.ENGLISH)), lang="zh-CN")
    words = "node => [...node.querySelectorAll('.f-title, .f-msg, .mend p, .trace li')].map(each => each.textContent)"
    with_script = opened(reader.open(page)).locator("#app").evaluate(words)
    assert with_script == reader.open(page, scripts=False).locator(".static").evaluate(words)
    assert with_script[0] == "API 服务器是专用的"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["a night", "every state", "clean"])
def test_axe_finds_no_violation(name: str, scheme: str, reader: Reader) -> None:
    page = opened(reader.open(REPORTS[name], color_scheme=scheme))
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def test_axe_finds_no_violation_on_a_phone(reader: Reader) -> None:
    page = opened(reader.open(NIGHT, viewport={"width": 390, "height": 844}))
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("width", [320, 390, 768])
@pytest.mark.parametrize("name", ["a night", "hostile"])
def test_never_scrolls_sideways(name: str, width: int, reader: Reader) -> None:
    page = opened(reader.open(REPORTS[name], viewport={"width": width, "height": 800}))
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_theme_is_chosen_by_system_and_button(reader: Reader) -> None:
    def paper() -> Any:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    page = reader.open(factory.CLEAN, color_scheme="dark")
    dark = paper()
    page.get_by_role("button", name="Colours").click()
    assert paper() != dark
    page.get_by_role("button", name="Colours").click()
    assert paper() == dark


def test_prints_rows_without_tools(reader: Reader) -> None:
    page = reader.open(NIGHT)
    page.emulate_media(media="print")
    assert not page.locator(".tools").is_visible()
    assert page.locator("article").first.is_visible()
    assert page.pdf()[:5] == b"%PDF-"


def test_a_long_list_is_drawn_where_it_is_looked_at(reader: Reader) -> None:
    report = factory.many(3000)
    page = reader.open(report)
    assert 0 < page.locator("#app article").count() < 500
    last = reading_order(report.findings)[-1]
    page.get_by_role("searchbox").fill(last.id)
    until(page, "document.querySelectorAll('#app article').length === 1")
    page.get_by_role("searchbox").fill("")
    page.evaluate("id => { location.hash = id; }", last.id)
    page.locator(f"article[id='{last.id}'] .meta").wait_for()
    assert page.locator("#app article").count() < 1000
    assert reader.complaints == []


def test_without_javascript_the_first_five_hundred_are_readable(reader: Reader) -> None:
    page = reader.open(factory.many(620), scripts=False)
    assert page.locator(".static article").count() == 500
    assert "first 500 of 620" in page.locator(".static .hint").inner_text()
