"""The program as a person or a script calls it: statuses, messages, streams."""

import subprocess
import sys
from pathlib import Path

import pytest

from auditor.cli import BROKEN_PIPE, DEFECT, main
from auditor.cli.app import COMMANDS

HEAVY = ("azure", "sqlalchemy", "alembic", "jinja2", "rich", "apscheduler", "duckdb", "requests", "cryptography")


def run(*arguments: str, **environment: str) -> int:
    return main(arguments, environment=environment, working_directory=Path("/"))


def errors(capsys: pytest.CaptureFixture[str]) -> list[str]:
    seen = capsys.readouterr()
    assert seen.out == ""
    return seen.err.splitlines()


MISTAKES = {
    "unknown command": (("scna",), "error: unknown command `scna`; did you mean `scan`?"),
    "far command": (("zzzzzz",), "error: unknown command `zzzzzz`"),
    "unknown flag": (("--verison",), "error: unknown flag `--verison`; did you mean `--version`?"),
    "stray argument": (("version", "x"), "error: got unexpected extra argument (x)"),
}


@pytest.mark.parametrize(("arguments", "line"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_a_line_and_status_2(
    arguments: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    told = errors(capsys)
    assert told[0] == line
    assert told[1].startswith("  hint: `auditor")


def test_no_arguments_show_the_help_as_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert any("Usage: auditor" in line for line in errors(capsys))


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from auditor import __version__

    assert run("--version") == 0
    assert capsys.readouterr().out == f"auditor {__version__}\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in shown] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_page_of_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name, "--help") == 0
    assert f"Usage: auditor {name}" in capsys.readouterr().out


def test_naming_the_version_imports_nothing_heavy() -> None:
    code = (
        "import sys; from auditor.cli import main; main(['--version']); main(['--help']);"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    # `head` closes the pipe after its first line: no word about it, and no status that tells of findings.
    call = (
        "import sys; from auditor.cli import main; from auditor.cli.commands import version; "
        "version.SHOWN = ('msgspec',) * 20000; sys.exit(main(['version']))"
    )
    writing = subprocess.Popen([sys.executable, "-c", call], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert writing.stdout is not None
    assert writing.stdout.readline().startswith("auditor ")
    writing.stdout.close()
    assert writing.stderr is not None
    assert writing.stderr.read() == ""
    writing.stderr.close()
    assert writing.wait() == BROKEN_PIPE


def test_a_defect_is_told_in_a_line_unless_asked_for_more(capsys: pytest.CaptureFixture[str]) -> None:
    # a name in the table without a module: what a broken installation would be
    COMMANDS["broken"] = "Not there."
    try:
        assert run("broken") == DEFECT
        assert errors(capsys)[0].startswith("error: defect in auditor: ModuleNotFoundError: ")
        with pytest.raises(ModuleNotFoundError):
            run("broken", AUDITOR_TRACEBACK="1")
    finally:
        del COMMANDS["broken"]
