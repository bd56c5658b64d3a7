"""`auditor explain`: how a verdict was reached, or what would become of a packet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.app import command as _command
from auditor.cli.call import Call
from auditor.cli.options import settings_flags
from auditor.errors import UsageProblem

if TYPE_CHECKING:
    from auditor.config import Settings
    from auditor.explain import Explained, Section, Stage
    from auditor.findings import Finding
    from auditor.i18n import Translator


@_command("explain")
@click.argument("finding_id", metavar="[FINDING-ID]", required=False)
@click.option("--report", "report", metavar="FILE", help="Take it from this report.json instead of the history.")
@click.option("--run", "run_id", metavar="RUN-ID", help="As this run of the history saw it, instead of the newest.")
@click.option(
    "--packet", nargs=3, metavar="SRC DST PORT/PROTO", help="Ask of a packet instead: 10.0.0.4 20.1.2.3 443/tcp."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON: the finding and its steps, or the packet's way.")
@settings_flags("snapshot", "skip_broken_lines", "service_tags", "cloud", "lang")
@click.pass_obj
def command(
    call: Call,
    /,
    finding_id: str | None,
    report: str | None,
    run_id: str | None,
    packet: tuple[str, str, str] | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Show how a verdict was reached, step by step, with its evidence, its source and how to mend it.

    FINDING-ID, or the beginning of one, is in every report, and behind `#` in a link into report.html. With
    --packet and --snapshot: what would become of that packet in the estate, at each group and route it meets.
    """
    from auditor.i18n import choose, translator

    settings = call.settings(flags)
    speaker = translator(choose(settings.lang, call.environment, machine_format=as_json))
    if packet is not None:
        if finding_id is not None or report is not None or run_id is not None:
            raise UsageProblem("`auditor explain` explains a finding or a --packet, not both")
        if not settings.snapshot:
            raise UsageProblem(
                "--packet needs an estate to ask in: --snapshot FILE",
                hint="`auditor collect -o FILE` writes a snapshot",
            )
        _of_packet(call, settings, packet, speaker, as_json=as_json)
        return
    if finding_id is None:
        raise UsageProblem("`auditor explain` needs a FINDING-ID or --packet", hint="ids are in every report")
    wanted = finding_id.lstrip("#").casefold()
    finding = (
        _in_report(Path(report), wanted) if report is not None else _in_history(call, settings.history, wanted, run_id)
    )
    if as_json:
        _print_json(_finding_as_json(finding, speaker))
        return
    click.echo("\n".join(explained(finding, speaker)))


def _print_json(value: Any) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2))


# ---------------------------------------------------------------- a finding


def _in_report(path: Path, wanted: str) -> Finding:
    from auditor.report import read_report

    findings = read_report(path).findings
    found = [each for each in findings if each.id.startswith(wanted)]
    if len(found) == 1 and wanted:
        return found[0]
    if len(found) > 1:
        raise UsageProblem(f"`{wanted}` begins {len(found)} findings of {path}", hint="give more of its id")
    raise UsageProblem(f"{path} has no finding `{wanted}`", hint="ids are the 20 hex digits in the report")


def _in_history(call: Call, url: str | None, wanted: str, run_id: str | None) -> Finding:
    from auditor.history import open_history

    with open_history(url, call.environment, create=False) as history:
        found = history.finding(wanted, run_id)
    if found is None:
        raise UsageProblem(f"no run of the history has a finding `{wanted}`", hint="or name a file: --report FILE")
    return found[1]


def explained(finding: Finding, speaker: Translator) -> list[str]:
    """The finding as lines of text."""
    from auditor.explain import sections
    from auditor.report.legible import one_line, shown
    from auditor.report.wording import drift_words, outcome_words, sayings, severity_words

    _, says = speaker.gettext, sayings(finding)
    english = speaker.language == "en"  # told by the words that other formats use
    names = {} if english else {**severity_words(speaker.catalogue), **outcome_words(speaker.catalogue)}
    states = {} if english else drift_words(speaker.catalogue)
    graded = " ".join(names.get(each, each) for each in (finding.severity, finding.outcome))
    part = _("part: {part}")
    named = _("check {check}, reason {reason}, finding {id}")
    lines = [
        f"{graded}: {one_line(says.title.told(speaker))}",
        f"  {one_line(says.message.told(speaker))}",
        f"  {one_line(finding.resource.id)}",
        *(["  " + part.format(part=one_line(finding.part))] if finding.part else []),
        f"  {named.format(check=finding.check, reason=finding.reason, id=finding.id)}",
    ]
    if finding.drift is not None:
        state = _("drift: {state} since {since}") if finding.drift.since else _("drift: {state}")
        known = states.get(finding.drift.state, finding.drift.state)
        lines.append(f"  {state.format(state=known, since=finding.drift.since)}")
    if finding.waiver is not None:
        waiver = finding.waiver
        waived = _("waived by {owner} until {expires}: {reason}")
        owner, reason = one_line(waiver.owner), one_line(waiver.reason)
        lines.append(f"  {waived.format(owner=owner, expires=waiver.expires, reason=reason)}")
    if finding.trace:
        lines += ["", speaker.gettext("How it was decided")]
        lines += _told(sections(finding.trace, speaker), indent="  ")
    elif finding.evidence:
        lines += ["", speaker.gettext("How it was decided")]
        lines.append("  " + speaker.gettext("by the properties below; no rules or assignments had to be tried"))
    if finding.evidence:
        lines += ["", speaker.gettext("Evidence")]
        for each in finding.evidence:
            note = f"  ({one_line(speaker.phrase(each.note))})" if each.note else ""
            lines.append(f"  {one_line(each.resource)}")
            lines.append(f"    {one_line(each.path)} = {one_line(shown(each.value))}{note}")
    if finding.effect is not None and (finding.effect.added or finding.effect.removed):
        lines += ["", speaker.gettext("What it permits has moved")]
        lines += [f"  + {one_line(item)}" for item in finding.effect.added]
        lines += [f"  - {one_line(item)}" for item in finding.effect.removed]
    source = finding.source
    lines += ["", speaker.gettext("Source"), f"  {source.document}, {speaker.phrase(source.section)}: {source.url}"]
    if finding.remediation.summary:
        lines += ["", speaker.gettext("How to mend it"), f"  {one_line(says.mend.told(speaker))}"]
        lines += [f"  $ {one_line(each.text)}" for each in finding.remediation.commands]
    return lines


def _told(parts: Iterable[Section], indent: str) -> list[str]:
    """Sections as lines: headings, and the steps numbered through."""
    from auditor.report.legible import one_line

    lines: list[str] = []
    number = 0
    for section in parts:
        if section.heading:
            lines.append(f"{indent}{one_line(section.heading)}")
        for step in section.steps:
            number += 1
            lines.append(f"{indent}{number:4}. {one_line(step.text)}")
    return lines


def _finding_as_json(finding: Finding, speaker: Translator) -> dict[str, Any]:
    """The finding as in report.json, and in `steps` its trace in words."""
    import msgspec

    from auditor.explain import sections

    fields: dict[str, Any] = msgspec.to_builtins(finding)
    return {**fields, "steps": _sections_as_json(sections(finding.trace, speaker))}


def _sections_as_json(parts: Iterable[Section]) -> list[dict[str, Any]]:
    from auditor.evaluate.run import plain

    return [
        {
            "heading": part.heading,
            "steps": [{"kind": step.kind, "text": step.text, "facts": plain(step.facts)} for step in part.steps],
        }
        for part in parts
    ]


# ---------------------------------------------------------------- a packet


def _of_packet(
    call: Call, settings: Settings, packet: tuple[str, str, str], speaker: Translator, *, as_json: bool
) -> None:
    from auditor.derive.tags import tag_data
    from auditor.explain import parse_packet, what_if
    from auditor.scan import snapshot_inventory

    inventory = snapshot_inventory(settings, environment=call.environment, clock=call.clock)
    asked = parse_packet(*packet, tag_data(inventory))
    answers = what_if(inventory, asked)
    if as_json:
        port = {"port": asked.port, "protocol": str(asked.protocol)}
        what = {"source": asked.source, "destination": asked.destination, **port}
        _print_json({"packet": what, "answers": [_answer_as_json(answer, speaker) for answer in answers]})
        return
    click.echo("\n\n".join("\n".join(_answer(answer, speaker)) for answer in answers))


def _answer(answer: Explained, speaker: Translator) -> list[str]:
    from auditor.report.legible import one_line

    lines = [
        f"{one_line(str(answer.packet))}: {answer.access}",
        f"  {one_line(speaker.format(answer.why.text, answer.why.facts))}",
        f"  {one_line(speaker.format(answer.place.text, answer.place.facts))}",
    ]
    for stage in answer.stages:
        lines += ["", *_stage(stage, speaker)]
    return lines


def _stage(stage: Stage, speaker: Translator) -> list[str]:
    from auditor.explain import sections
    from auditor.report.legible import one_line

    title = speaker.format(stage.title.text, stage.title.facts)
    why = speaker.format(stage.why.text, stage.why.facts)
    told = sections(stage.steps, speaker)
    if len(told) == 1:
        told = (replace(told[0], heading=""),)  # the title has said where
    return [one_line(title), *_told(told, indent="  "), f"  => {one_line(why)}"]


def _answer_as_json(answer: Explained, speaker: Translator) -> dict[str, Any]:
    from auditor.explain import sections

    return {
        "access": str(answer.access),
        "why": speaker.format(answer.why.text, answer.why.facts),
        "place": speaker.format(answer.place.text, answer.place.facts),
        "stages": [
            {
                "title": speaker.format(stage.title.text, stage.title.facts),
                "access": str(stage.access),
                "reason": stage.why.kind,
                "why": speaker.format(stage.why.text, stage.why.facts),
                "sections": _sections_as_json(sections(stage.steps, speaker)),
            }
            for stage in answer.stages
        ],
    }
