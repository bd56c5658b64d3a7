"""What the terminal says to those who read Chinese."""

from __future__ import annotations

import re

from msgspec import structs

from auditor.cli.audit import summary
from auditor.cli.commands.explain import explained
from auditor.findings import EvidenceRecord, Remediation, Waiver
from auditor.i18n import Language, translator
from auditor.values import Outcome
from tests.report import factory, sample

ENGLISH = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")


def test_a_scan_is_summed_up_in_chinese() -> None:
    night = sample.night()
    kinds = {"clusters": 9, "networkSecurityGroups": 8}
    report = structs.replace(night, summary=structs.replace(night.summary, resources=kinds))
    lines = [line for line in summary(report, "zh-CN") if not line.startswith("  ")]  # gaps are the sample's own words
    assert lines[1] == "检查结果：6 不合规、2 未知、2 警告、25 合规、1 不适用（已豁免 1 项）"
    assert not [line for line in lines if ENGLISH.search(line)]


def test_an_english_summary_uses_the_words_of_the_other_formats() -> None:
    assert summary(sample.night())[1] == "findings: 6 fail, 2 unknown, 2 warn, 25 pass, 1 not-applicable (1 waived)"


def test_a_verdict_is_explained_in_chinese() -> None:
    cluster = factory.cluster_id("aks-ml")
    finding = structs.replace(
        factory.finding(
            "aks-private-api-server",
            cluster,
            outcome=Outcome.FAIL,
            title="The API server is private",
            message="the API server of aks-ml admits every address",
            drift="new",
            part="api",
        ),
        template="the API server of {cluster} admits every address",
        facts={"cluster": "aks-ml"},
        evidence=(EvidenceRecord(resource=cluster, path="properties.x", value=None, note="unset means none"),),
        remediation=Remediation(summary="switch public access off", template="switch public access off"),
        waiver=Waiver(owner="ops", reason="planned", expires="2027-01-01"),
    )
    lines = explained(finding, translator(Language.CHINESE))
    assert lines[0] == "高 不合规: API 服务器是专用的"
    assert "  aks-ml 的 API 服务器允许所有地址" in lines
    assert "  关闭公共访问" in lines
    assert [line for line in lines if ENGLISH.search(line) and "https:" not in line] == []
