"""A user's own template: the documented model in a sandbox, and errors that say file, line and cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.errors import UsageProblem
from auditor.report import prepare, write
from auditor.report.templating import render_template
from tests.report import factory, sample


def template(folder: Path, text: str, name: str = "weekly.md.j2") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_sees_report_findings_and_verdict(tmp_path: Path) -> None:
    path = template(
        tmp_path,
        "{{ verdict.headline }}|{{ report.run.cloud }}|{{ findings[0].title }}|{{ findings | length }}|{{ lang }}",
    )
    assert render_template(path, sample.night(), "en") == (
        "3 deviations are new or changed.|china|No inference frontend is public|36|en"
    )


def test_is_written_under_its_own_name_beside_the_others(tmp_path: Path) -> None:
    written = write(factory.CLEAN, ["json"], tmp_path / "out", template=template(tmp_path, "{{ report.tool.name }}\n"))
    assert [path.name for path in written] == ["report.json", "weekly.md"]
    assert written[1].read_text(encoding="utf-8") == "auditor\n"
    assert written[1].stat().st_mode & 0o777 == 0o600


def test_html_is_escaped(tmp_path: Path) -> None:
    path = template(tmp_path, "{{ findings[0].resource.name }}", "own.html.j2")
    assert "<img" not in render_template(path, factory.hostile(), "en")


def test_may_use_the_built_in_templates(tmp_path: Path) -> None:
    path = template(tmp_path, '{% from "auditor/finding.html.j2" import icon %}{{ icon("fail") }}', "own.html")
    assert "#i-fail" in render_template(path, factory.CLEAN, "en")


BAD = {
    "syntax": ("one\n{% if %}\n", "line 2"),
    "unknown name": ("one\n\n{{ reprot.run }}\n", "line 3: 'reprot' is undefined"),
    "unknown field": ("{{ report.runs }}", "line 1"),
    "private attribute": ("{{ report.__class__.__mro__ }}", "line 1"),
    "through a format string": ("{{ '{0.__class__.__init__.__globals__}'.format(report) }}", "line 1"),
    "changing the model": ("{% set x = report.summary.outcomes.update({'pass': 9}) %}", "line 1"),
    "division by zero": ("{{ 1 // 0 }}", "line 1"),
    "endless range": ("{% for x in range(10 ** 9) %}{% endfor %}", "line 1"),
    "another folder": ("{% include '../secret' %}", "secret"),
    "filter": ("{{ report | nothing }}", "line 1: No filter named 'nothing'"),
}


@pytest.mark.parametrize(("text", "complaint"), BAD.values(), ids=BAD)
def test_refuses(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    (tmp_path / "templates").mkdir()
    path = template(tmp_path / "templates", text)
    with pytest.raises(UsageProblem) as caught:
        render_template(path, factory.CLEAN, "en")
    assert complaint in caught.value.message
    assert "weekly.md.j2" in caught.value.message


def test_a_failing_template_spoils_no_other_format(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem):
        write(factory.CLEAN, ["html", "json"], tmp_path / "out", template=template(tmp_path, "{{ nothing }}"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "report.json"]


def test_a_template_may_not_take_a_report_s_place(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match=r"would be written over report\.html"):
        prepare(["html"], tmp_path / "out", template=template(tmp_path, "", "report.html.j2"))


def test_not_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "binary.md"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageProblem, match=r"binary\.md"):
        render_template(path, factory.CLEAN, "en")


def test_a_missing_file_is_said_before_the_scan(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="there is no template file"):
        prepare(["json"], tmp_path / "out", template=tmp_path / "nothing.md")
