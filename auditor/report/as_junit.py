"""`report.junit.xml`: a suite a check, a case a resource, for pipelines that show test results.

A fail is a failure, an unknown an error (the test could not be made), what does not apply and what is waived is
skipped, a warning passes with a remark. What had to be read and was not is an error of the suite `coverage`.
"""

from __future__ import annotations

import itertools
from xml.etree import ElementTree as Xml

from auditor.findings import Finding, Report, sort_key
from auditor.report.legible import command_line, legible, one_line
from auditor.values import Outcome


def render_junit(report: Report) -> bytes:
    """In the form that Jenkins, Azure Pipelines and GitLab read."""
    root = Xml.Element("testsuites", name=one_line(report.tool.name))
    ordered = sorted(report.findings, key=lambda finding: (finding.check, sort_key(finding)))
    for check, findings in itertools.groupby(ordered, key=lambda finding: finding.check):
        suite = Xml.SubElement(root, "testsuite", name=one_line(check), timestamp=one_line(report.run.started_at[:19]))
        for finding in findings:
            suite.append(_case(finding))
    required = [gap for gap in report.run.gaps if gap.required]
    if required:
        suite = Xml.SubElement(root, "testsuite", name="coverage", timestamp=one_line(report.run.started_at[:19]))
        for gap in required:
            case = Xml.SubElement(suite, "testcase", classname="coverage", name=one_line(f"{gap.what} {gap.scope}"))
            _say(case, "error", gap.reason, f"{gap.reason}\n{gap.hint}", "unread")
    for suite in root:
        _count(suite)
    _count(root)
    Xml.indent(root)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode").encode() + b"\n"


def _case(finding: Finding) -> Xml.Element:
    name = finding.resource.name + (f" ({finding.part})" if finding.part else "")
    case = Xml.Element("testcase", classname=one_line(finding.check), name=one_line(f"{name} [{finding.id}]"))
    text = _text(finding)
    if finding.waiver and finding.outcome.deviating:
        Xml.SubElement(case, "skipped", message=one_line(f"waived: {finding.waiver.reason}"))
    elif finding.outcome is Outcome.FAIL:
        _say(case, "failure", finding.message, text, finding.severity.value)
    elif finding.outcome is Outcome.UNKNOWN:
        _say(case, "error", finding.message, text, finding.reason)
    elif finding.outcome is Outcome.NOT_APPLICABLE:
        Xml.SubElement(case, "skipped", message=one_line(finding.message))
    elif finding.outcome is Outcome.WARN:
        Xml.SubElement(case, "system-out").text = legible(f"warning: {text}")
    return case


def _say(case: Xml.Element, kind: str, message: str, text: str, label: str) -> None:
    Xml.SubElement(case, kind, message=one_line(message), type=one_line(label)).text = legible(text)


def _text(finding: Finding) -> str:
    lines = [
        f"{finding.severity.value}: {finding.title}",
        finding.message,
        finding.resource.id,
        finding.remediation.summary,
        *(command_line(command.argv) for command in finding.remediation.commands),
    ]
    return "\n".join(line for line in lines if line)


def _count(element: Xml.Element) -> None:
    cases = list(element.iter("testcase"))
    element.set("tests", str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
