"""Mistakes, told in one line each: what is wrong, where, the nearest valid value, and how to mend it."""

from __future__ import annotations

import difflib
import re
import sys
from typing import TYPE_CHECKING

import click

from auditor.errors import AuditorError, ManyProblems, UsageProblem

if TYPE_CHECKING:
    from auditor.cli.call import Call


def tell(problem: AuditorError, call: Call) -> None:
    """Write a problem, or each of several, to standard error."""
    from auditor.report.legible import legible

    for each in problem.problems if isinstance(problem, ManyProblems) else (problem,):
        word = "\x1b[31merror:\x1b[0m" if call.colour else "error:"
        for line in each.message.splitlines() or [""]:
            print(f"{word} {legible(line)}", file=sys.stderr)
        if each.hint:
            print(f"  hint: {legible(each.hint)}", file=sys.stderr)


def from_click(problem: click.ClickException) -> UsageProblem:
    """click's complaint in the words of this program."""
    return UsageProblem(_wrong(problem), hint=_hint(problem))


def _wrong(problem: click.ClickException) -> str:
    match problem:
        case click.NoSuchOption(option_name=name, possibilities=near):
            return f"unknown flag `{name}`" + _meant(near)
        case click.exceptions.NoSuchCommand(command_name=name):
            return f"unknown command `{name}`" + _meant(_near_commands(problem))
        case click.MissingParameter(param=click.Parameter() as parameter):
            return f"missing {_parameter(parameter)}"
        case click.BadParameter(param=click.Parameter() as parameter):
            return f"{_parameter(parameter)}: {_sentence(problem.message)}"
        case _:
            return _sentence(problem.format_message())


def _near_commands(problem: click.exceptions.NoSuchCommand) -> list[str]:
    # click looks among commands that it has seen; ours are not imported before they are called.
    context = problem.ctx
    known = context.command.list_commands(context) if context and isinstance(context.command, click.Group) else []
    return difflib.get_close_matches(problem.command_name, known, n=1, cutoff=0.5)


def _meant(near: list[str] | None) -> str:
    return f"; did you mean `{near[0]}`?" if near else ""


def _parameter(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return f"`{max(parameter.opts, key=len)}`"
    return parameter.make_metavar(click.get_current_context(silent=True) or click.Context(click.Command("auditor")))


def _sentence(text: str) -> str:
    """In lower case, without a full stop, with backticks for quotes."""
    text = re.sub(r"'([^']*)'", r"`\1`", text.strip().rstrip("."))
    return text[:1].lower() + text[1:]


def _hint(problem: click.ClickException) -> str | None:
    context = problem.ctx if isinstance(problem, click.UsageError) else None
    return f"`{context.command_path} --help` shows what there is" if context else None
