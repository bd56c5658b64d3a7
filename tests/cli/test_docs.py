"""Generated pages, and the table of commands itself: everything that can be typed says what it does."""

import re
import tomllib
from pathlib import Path

import click
import pytest

from auditor.cli.docs import EXAMPLE, command_line_page, configuration_page, every_command, with_parts
from auditor.cli.pages import catalogue_table, check_pages
from auditor.config import keys, load_settings, variable
from auditor.evaluate import load_catalogue

COMMANDS = {context.command_path: context for context in every_command()}


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_says_what_it_does(path: str) -> None:
    command = COMMANDS[path].command
    assert command.help, "a command without a page of help"
    assert path == "auditor" or command.get_short_help_str(limit=200)
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [each.opts for each in options if not each.help] == []
    assert [each.opts for each in options if each.help and not each.help.endswith((".", "."))] == []


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_is_in_the_reference(path: str) -> None:
    assert re.search(rf"^##? {path}$", command_line_page(), re.MULTILINE)


def test_scan_has_a_flag_for_each_setting_that_is_said_to_have_one() -> None:
    flags = {flag for each in COMMANDS["auditor scan"].command.params for flag in each.opts}
    assert {f"--{name.replace('_', '-')}" for name, key in keys().items() if key.flag} <= flags


def test_every_key_is_in_the_configuration_page() -> None:
    page = configuration_page()
    assert [name for name in keys() if f"| `{name}` | `{variable(name)}` |" not in page] == []


def test_the_example_of_the_page_is_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "auditor.toml").write_text(EXAMPLE, encoding="utf-8")
    found = load_settings({}, {}, tmp_path)
    assert set(tomllib.loads(EXAMPLE)) == {"cloud", "management_group", "fail_on", "lang", "scoring_clients"} | {
        "severity",
        "principals",
    }
    assert found.cloud == "china"


def test_every_check_has_a_page_and_a_row() -> None:
    pages, table = check_pages(), catalogue_table("docs/checks/")
    for check in load_catalogue():
        assert pages[f"{check.id}.md"].startswith(f"# {check.id}\n\n{check.title}")
        assert f"[`{check.id}`](docs/checks/{check.id}.md) | {check.title} |" in table
    assert len(pages) == len(load_catalogue()) + 1


def test_parts_of_a_page_are_replaced_between_their_markers() -> None:
    page = "a\n<!-- t: by x -->\nold\n<!-- /t -->\nb\n"
    once = with_parts(page, {"t": "new \\1\n"})
    assert once == "a\n<!-- t: by x -->\n\nnew \\1\n\n<!-- /t -->\nb\n"
    assert with_parts(once, {"t": "new \\1\n"}) == once


def test_a_page_without_its_markers_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="markers for `t`"):
        with_parts("nothing here", {"t": "x"})
