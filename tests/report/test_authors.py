"""Who changed what, and where nobody knows: as the page shows it."""

from __future__ import annotations

import msgspec

from auditor.findings import Between, Change, Drift, Report
from auditor.report import render_html
from tests.report import sample

MADE = Change(at="2026-11-24T15:00:00Z", by="wei@contoso.example", client="Azure Portal", operation="subnets/write",
              property="properties.delegations", before="x", after=None)  # fmt: skip


def drifting(report: Report, drift: Drift) -> Report:
    """The report with this as the drift of all that is new or changed."""
    findings = tuple(
        msgspec.structs.replace(each, drift=msgspec.structs.replace(drift, state=each.drift.state))
        if each.drift is not None and each.drift.state in ("new", "changed")
        else each
        for each in report.findings
    )
    return msgspec.structs.replace(report, findings=findings)


def test_a_change_tells_its_client_beside_its_operation() -> None:
    page = render_html(drifting(sample.night(), Drift(state="new", changes=(MADE,))))
    assert "subnets/write (Azure Portal)" in page
    unnamed = msgspec.structs.replace(MADE, client="")
    page = render_html(drifting(sample.night(), Drift(state="new", changes=(unnamed,))))
    assert "subnets/write" in page
    assert "subnets/write (" not in page


def test_without_a_record_the_page_names_the_two_runs() -> None:
    between = Between(after="2026-11-23T02:00:00Z", until="2026-11-24T02:00:00Z")
    drifted = drifting(sample.night(), Drift(state="new", unrecorded=between))
    assert "between 2026-11-23 02:00:00Z and 2026-11-24 02:00:00Z, no change record" in render_html(drifted)
    assert "no change record</p>" not in render_html(sample.night())
    chinese = render_html(drifted, lang="zh-CN")
    assert "2026-11-23 02:00:00Z 与 2026-11-24 02:00:00Z 之间，没有变更记录" in chinese
