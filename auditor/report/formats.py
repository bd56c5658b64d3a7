"""The formats by name, and writing several of them at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from auditor.errors import UsageProblem
from auditor.findings import Report
from auditor.report.as_csv import render_csv
from auditor.report.as_json import render_json
from auditor.report.as_junit import render_junit
from auditor.report.as_markdown import render_markdown
from auditor.report.as_ocsf import render_ocsf
from auditor.report.as_prometheus import render_prometheus
from auditor.report.as_sarif import render_sarif
from auditor.report.files import make_writable, to_stdout, write_whole
from auditor.report.trend import TrendPoint
from auditor.report.triage import GroupBy

STDOUT: Literal["-"] = "-"
DEFAULT_FORMATS = ("html", "json")


@dataclass(frozen=True, slots=True)
class View:
    """How a report is to be shown, for the formats that leave a choice."""

    group_by: GroupBy = "triage"
    lang: str = "en"
    history_trend: Sequence[TrendPoint] = ()


@dataclass(frozen=True, slots=True)
class Format:
    """An output format: its file's name, and how it is made."""

    name: str
    file: str
    render: Callable[[Report, View], bytes]


def render_html(
    report: Report, *, group_by: GroupBy = "triage", lang: str = "en", history_trend: Sequence[TrendPoint] = ()
) -> str:
    """`report.html`: one file that asks no network for anything."""
    from auditor.report.as_html import html_page  # Jinja2 is not needed to know the formats

    return html_page(report, group_by=group_by, lang=lang, history_trend=history_trend)


def _html(report: Report, view: View) -> bytes:
    return render_html(report, group_by=view.group_by, lang=view.lang, history_trend=view.history_trend).encode()


def _csv(report: Report, view: View) -> bytes:
    # Excel takes UTF-8 without a mark for the system's code page, which spoils all Chinese.
    return render_csv(report, bom=view.lang != "en")


def _markdown(report: Report, view: View) -> bytes:
    return render_markdown(report, lang=view.lang)


def _always(render: Callable[[Report], bytes]) -> Callable[[Report, View], bytes]:
    """For a format that leaves no choice."""
    return lambda report, view: render(report)


FORMATS: dict[str, Format] = {
    made.name: made
    for made in (
        Format("html", "report.html", _html),
        Format("json", "report.json", _always(render_json)),
        Format("csv", "report.csv", _csv),
        Format("sarif", "report.sarif", _always(render_sarif)),
        Format("ocsf", "report.ocsf.json", _always(render_ocsf)),
        Format("markdown", "report.md", _markdown),
        Format("junit", "report.junit.xml", _always(render_junit)),
        Format("prometheus", "auditor.prom", _always(render_prometheus)),
    )
}


def chosen(formats: Iterable[str]) -> tuple[Format, ...]:
    """The formats of these names, each once. Raises UsageProblem that names the nearest known one."""
    found = {}
    for name in formats:
        if name not in FORMATS:
            near = difflib.get_close_matches(name, FORMATS, n=1)
            meant = f"; did you mean `{near[0]}`?" if near else ""
            raise UsageProblem(f"unknown format `{name}`{meant}", hint=f"known: {', '.join(FORMATS)}")
        found[name] = FORMATS[name]
    if not found:
        raise UsageProblem("no format was asked for", hint=f"known: {', '.join(FORMATS)}")
    return tuple(found.values())


def prepare(formats: Iterable[str], output: Path | Literal["-"], *, template: Path | None = None) -> None:
    """Raise UsageProblem now, before a scan, for what `write` could not do after it. Makes the folder."""
    wanted = chosen(formats)
    if output == STDOUT:
        if len(wanted) != 1 or template is not None:
            raise UsageProblem(
                "standard output takes one report", hint="name one --format and no --template, or a folder with -o"
            )
        return
    names = [each.file for each in wanted]
    if template is not None:
        names.append(_template_output(template, names))
        if not template.is_file():
            raise UsageProblem(f"there is no template file {template}")
    make_writable(Path(output), tuple(names))


def write(
    report: Report,
    formats: Iterable[str],
    output: Path | Literal["-"],
    *,
    template: Path | None = None,
    group_by: GroupBy = "triage",
    lang: str = "en",
    history_trend: Sequence[TrendPoint] | None = None,
) -> list[Path]:
    """Write the report in each format into the folder `output` (or the one format to stdout, for `-`).

    Answers the files in the order of `formats`, a user template's last: it is called as the template is, without
    `.j2`. A template that fails raises UsageProblem when everything else has been written.
    """
    prepare(formats := tuple(formats), output, template=template)
    view = View(group_by, lang, tuple(history_trend or ()))
    wanted = chosen(formats)
    if output == STDOUT:
        to_stdout(wanted[0].render(report, view))
        return []
    folder = Path(output)
    written = []
    for each in wanted:
        write_whole(folder / each.file, each.render(report, view))
        written.append(folder / each.file)
    if template is not None:
        from auditor.report.templating import render_template

        target = folder / _template_output(template, [each.file for each in wanted])
        write_whole(target, render_template(template, report, lang).encode(errors="replace"))
        written.append(target)
    return written


def _template_output(template: Path, taken: Sequence[str]) -> str:
    name = template.name.removesuffix(".j2").removesuffix(".jinja")
    if name in taken:
        raise UsageProblem(
            f"the template {template} would be written over {name}", hint="give the template another file name"
        )
    return name
