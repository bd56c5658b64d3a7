"""The program as a person or a script calls it: statuses, messages, streams."""

import subprocess
import sys
from pathlib import Path

import pytest

from auditor.cli import main
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
    # `head` closes the pipe after its first line; the program must end without a word about it.
    shown = subprocess.run(
        f'"{sys.executable}" -c "import sys; from auditor.cli import main; '
        "from auditor.cli.commands import version; version.SHOWN = ('msgspec',) * 20000; "
        "sys.exit(main(['version']))\" | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stderr == ""
    assert shown.stdout.startswith("auditor ")
