"""The sandbox that every template renders in, the built-in ones too: they have no privilege."""

from __future__ import annotations

from gettext import NullTranslations
from pathlib import Path
from typing import Any

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
    select_autoescape,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from auditor import resources
from auditor.errors import UsageProblem
from auditor.findings import Report
from auditor.report.legible import filled, legible, one_line, shown
from auditor.report.triage import reading_order, verdict
from auditor.report.wording import wording


def environment(words: NullTranslations, own: Path | None = None) -> Environment:
    """Built-in templates by name; with `own`, that folder's first and the built-in ones as `auditor/NAME`.

    Undefined names are errors. HTML and XML are escaped by the file's name; other formats quote by their filters.
    """
    built_in = FileSystemLoader(resources.root("reports") / "templates")
    prefixed = PrefixLoader({"auditor": built_in})
    loader = built_in if own is None else ChoiceLoader([FileSystemLoader(own), prefixed])
    made = ImmutableSandboxedEnvironment(
        loader=loader,
        autoescape=select_autoescape(
            ("html", "htm", "xml", "svg", "html.j2", "htm.j2", "xml.j2", "svg.j2"), default=False
        ),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]
    made.filters.update(legible=legible, one_line=one_line, shown=shown)
    made.globals.update(filled=filled)
    return made


def render_template(template: Path, report: Report, lang: str) -> str:
    """A user's own template over the documented model: `report`, `findings` (in reading order), `verdict`.

    Raises UsageProblem that names file, line and cause.
    """
    if not template.is_file():
        raise UsageProblem(f"there is no template file {template}")
    words = wording(lang)
    model: dict[str, Any] = {
        "report": report,
        "findings": reading_order(report.findings),
        "verdict": verdict(report, words),
        "lang": lang,
    }
    try:
        return environment(words, template.parent).get_template(template.name).render(model)
    except TemplateSyntaxError as problem:
        raise UsageProblem(
            f"template {problem.filename or template}, line {problem.lineno}: {problem.message}"
        ) from None
    except (
        TemplateError,
        ArithmeticError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
    ) as problem:
        raise UsageProblem(f"template {template}{_line_in(problem, template)}: {problem}") from None


def _line_in(problem: BaseException, template: Path) -> str:
    """The template's line in the traceback; Jinja rewrites tracebacks to point into templates."""
    line, step = 0, problem.__traceback__
    while step is not None:
        if Path(step.tb_frame.f_code.co_filename).name == template.name:
            line = step.tb_lineno
        step = step.tb_next
    return f", line {line}" if line else ""
