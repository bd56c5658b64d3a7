"""The sample estate in Azure China, told in Chinese: no English sentence, no other cloud, links to docs.azure.cn."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from auditor.collect import Clock
from auditor.config import Settings
from auditor.demo.nights import SCOPE, estate_path
from auditor.findings import Finding, Report
from auditor.replica import Replica, load
from auditor.report import render_html, render_markdown
from auditor.report.wording import Saying, original, sayings, speaker
from auditor.scan import scan

CHINESE = speaker("zh-CN")

NAMES = (
    "Contoso AKS subnet join",  # what people called a role
    "Deny assignment created by deployment stack 'eu-network'",  # and Azure a deny assignment
    "CLI v1",
    "az role assignment delete --ids",  # a command within prose
)
"""What stays as it is written, wherever it stands."""

SENTENCE = re.compile(r"(?<![\w/.`'-])[A-Za-z][a-z']+(?:,? [a-z']{2,})+")
"""Two English words after another."""

FOREIGN = re.compile(
    r"azurecr\.io|azmk8s\.io|windows\.net|azureml\.ms|azure\.com|vault\.azure\.net|microsoftonline\.com"
    r"|learn\.microsoft\.com|usgov|AzureFrontDoor\.FirstParty",
    re.IGNORECASE,
)


@pytest.fixture(scope="module", params=["en", "zh-CN"])
def report(request: pytest.FixtureRequest) -> Report:
    """The second night, scanned over the wire by a run that speaks this language."""
    estate = load(estate_path("night-2"), "china")
    settings = Settings(cloud="china", management_group=(SCOPE,), no_history=True, lang=request.param)

    with Replica(estate) as replica:
        clock = Clock(now=lambda: estate.clock)
        return scan(settings, environment=replica.environment(), clock=clock.now, waiting=clock).report


def told(finding: Finding) -> Iterator[tuple[str, str]]:
    """(where, text) of all that a finding says in Chinese."""
    says = sayings(finding)
    yield "title", says.title.told(CHINESE)
    yield "message", says.message.told(CHINESE)
    yield "remediation", says.mend.told(CHINESE)
    yield "source", Saying(finding.source.section).told(CHINESE)
    for step in finding.trace:
        yield "trace", Saying(step.text, step.facts).told(CHINESE)
    for evidence in finding.evidence:
        yield "note", Saying(evidence.note).told(CHINESE)


def english_in(text: str) -> list[str]:
    for name in NAMES:
        text = text.replace(name, "")
    return SENTENCE.findall(re.sub(r"`[^`]*`", "", text))


def test_no_finding_says_an_english_sentence(report: Report) -> None:
    left = {
        (finding.check, where, text) for finding in report.findings for where, text in told(finding) if english_in(text)
    }
    assert left == set()


def test_an_english_sentence_would_be_seen() -> None:
    assert english_in("无法读取：its region is not in its data") == ["its region is not in its data"]
    assert english_in("`az aks update` 在 snet-aks 上授予 Network Contributor") == []


def test_every_title_and_message_is_chinese(report: Report) -> None:
    han = re.compile(r"[\u4e00-\u9fff]")
    for finding in report.findings:
        says = sayings(finding)
        for saying in (says.title, says.message):
            assert han.search(saying.told(CHINESE)), (finding.check, saying)


def test_gaps_and_notes_are_chinese(report: Report) -> None:
    texts = [text for gap in report.run.gaps for text in (gap.reason, gap.hint)]
    texts += [note.text for note in report.run.notes]
    assert texts
    assert [text for text in texts if english_in(Saying(original(text)).told(CHINESE))] == []


def test_no_name_of_another_cloud_is_told_or_typed(report: Report) -> None:
    for finding in report.findings:
        commands = [argument for command in finding.remediation.commands for argument in command.argv]
        for text in (finding.title, finding.message, finding.remediation.summary, *commands):
            assert not FOREIGN.search(text), (finding.check, text)


def test_links_lead_to_the_documentation_of_azure_china(report: Report) -> None:
    assert {finding.source.url.split("/")[2] for finding in report.findings} == {"docs.azure.cn"}


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_the_command_line_is_told_its_cloud_once_a_report(report: Report, lang: str) -> None:
    said = "az cloud set --name AzureChinaCloud"
    assert render_html(report, lang=lang).count(said) == 1
    assert render_markdown(report, lang=lang).decode().count(said) == 1
