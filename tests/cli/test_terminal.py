"""What a person sees while and after something happens: progress, log lines, tables, problems."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.cli import text
from auditor.cli.call import Call
from auditor.cli.logs import set_up
from auditor.cli.problems import tell
from auditor.cli.progress import display
from auditor.errors import ManyProblems, UsageProblem

CALL = Call(environment={}, working_directory=Path("/"))


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level


def test_without_a_terminal_a_stage_is_a_line_when_it_begins_and_one_when_it_is_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with display(quiet=False, bars=False) as progress:
        for done in range(4):
            progress("clusters", done, 3)
        progress("rights", 1, None)
        progress("rights", 2, None)
    seen = capsys.readouterr()
    assert seen.err.splitlines() == ["clusters …", "clusters: done (3)", "rights …"]
    assert seen.out == ""


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with display(quiet=True, bars=True) as progress:
        progress("clusters", 1, 3)
    assert capsys.readouterr() == ("", "")


def test_bars_are_drawn_on_standard_error_only(capsys: pytest.CaptureFixture[str]) -> None:
    with display(quiet=False, bars=True) as progress:
        progress("[bold]clusters", 1, 3)
        progress("[bold]clusters", 3, 3)
        progress("rights", 5, None)
    assert capsys.readouterr().out == ""


def test_json_log_lines_are_objects(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("json")
    logging.getLogger("auditor.x").info("two\nlines %s", "é")
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("auditor.x").exception("broke")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("info", "auditor.x", "two\nlines é")
    assert second["error"] == "ValueError: why"


def test_a_text_log_line_cannot_forge_another(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("text")
    logging.getLogger("auditor.x").warning("a\r\nERROR auditor: forged")
    assert capsys.readouterr().err == "WARNING auditor.x: a\\r\\nERROR auditor: forged\n"


def test_the_sdks_are_kept_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("text")
    logging.getLogger("azure.core.pipeline.policies.http_logging_policy").info("17 lines a request")
    logging.getLogger("azure.identity").warning("13 lines of a failed chain")
    logging.getLogger("azure.core").warning("this one counts")
    assert capsys.readouterr().err == "WARNING azure.core: this one counts\n"


def test_quiet_keeps_errors(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("text", quiet=True)
    logging.getLogger("auditor").warning("no")
    logging.getLogger("auditor").error("yes")
    assert capsys.readouterr().err == "ERROR auditor: yes\n"


def test_several_problems_are_several_lines_each_with_its_hint(capsys: pytest.CaptureFixture[str]) -> None:
    tell(ManyProblems([UsageProblem("one", hint="do this"), UsageProblem("two")]), CALL)
    assert capsys.readouterr().err.splitlines() == ["error: one", "  hint: do this", "error: two"]


def test_a_problem_of_several_lines_is_so_many_errors(capsys: pytest.CaptureFixture[str]) -> None:
    tell(UsageProblem("line 1: cut off\nline 7: no object", hint="collect again"), CALL)
    shown = capsys.readouterr().err.splitlines()
    assert shown == ["error: line 1: cut off", "error: line 7: no object", "  hint: collect again"]


def test_a_problem_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tell(UsageProblem("no file `\x1b[2Jx\u202e`"), CALL)
    assert capsys.readouterr().err == "error: no file `⟨U+001B⟩[2Jx⟨U+202E⟩`\n"


def test_columns_line_up_and_hostile_cells_stay_in_their_row() -> None:
    shown = text.table(("A", "LONGER"), [("one", "x"), ("a\nb\x1b", "")])
    assert shown == "A            LONGER\none          x\na b⟨U+001B⟩"
    assert text.table(("A", "B"), [("子网", "x"), ("abcd", "y")]) == "A     B\n子网  x\nabcd  y"


def test_counts_read_as_sentences() -> None:
    assert text.outcomes({"pass": 2, "fail": 1, "warn": 0, "unknown": 3, "not-applicable": 4}) == (
        "1 fail, 3 unknown, 2 pass, 4 not-applicable"
    )
    assert text.outcomes({}) == "nothing"
    assert text.drift(None) == "-"
    assert text.drift({"new": 0, "unchanged": 9}) == "none"
    assert text.drift({"new": 2, "resolved": 1, "unchanged": 9}) == "2 new, 1 resolved"
    assert (text.count(1, "run"), text.count(2000, "run")) == ("1 run", "2,000 runs")


def test_colour_is_for_terminals_that_did_not_decline_it() -> None:
    # standard error is captured here, so it is no terminal
    assert not CALL.colour
