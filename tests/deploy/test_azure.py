"""The Bicep files. Nothing here compiles them; what they say is held against what the program says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from auditor.cli import main
from auditor.cli.app import COMMANDS
from auditor.config import keys
from auditor.notify.rows import COLUMNS
from auditor.notify.targets import KEYS

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "azure"


def text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def listed(name: str, key: str) -> list[str]:
    """The texts of the first array of that name."""
    found = re.search(rf"\b{key}: \[\n(.*?)\n\s*\]", text(name), re.DOTALL)
    assert found, f"no {key} in {name}"
    return re.findall(r"'([^']*)'", found[1])


def test_the_role_is_the_one_that_the_program_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("permissions", "--management-group", "contoso"), environment={}, working_directory=FOLDER) == 0
    printed = json.loads(capsys.readouterr().out)
    assert listed("role.bicep", "actions") == printed["Actions"]
    assert f"roleName string = '{printed['Name']}'" in text("role.bicep")
    assert f"description: '{printed['Description']}'" in text("role.bicep")
    for key in ("notActions", "dataActions", "notDataActions"):
        assert f"{key}: []" in text("role.bicep")
        assert printed[key[0].upper() + key[1:]] == []


def test_the_job_is_told_what_the_program_understands() -> None:
    arguments = listed("job.bicep", "args")
    flags = {f"--{name.replace('_', '-')}" for name, key in keys().items() if key.flag}
    assert arguments[0] in COMMANDS
    assert {each for each in arguments if each.startswith("--")} <= flags
    variables = set(re.findall(r"name: '(AUDITOR_\w+)'", text("job.bicep")))
    assert {each.removeprefix("AUDITOR_").casefold() for each in variables} <= set(keys())


def test_a_module_is_given_parameters_that_it_has() -> None:
    for module in ("job", "role"):
        wanted = set(re.findall(r"^param (\w+)", text(f"{module}.bicep"), re.MULTILINE))
        required = set(re.findall(r"^param (\w+) \w+$", text(f"{module}.bicep"), re.MULTILINE))
        call = text("main.bicep").partition(f"module {module} ")[2].partition("\n}\n")[0]
        given = set(re.findall(r"^    (\w+):", call, re.MULTILINE))
        assert required <= given <= wanted


def test_the_table_for_sentinel_has_the_columns_that_are_sent_and_its_sender_the_right_role() -> None:
    columns = dict(re.findall(r"\{ name: '(\w+)', type: '(\w+)' \}", text("sentinel.bicep")))
    assert columns == COLUMNS
    assert "outputStream: streamName" in text("sentinel.bicep")
    (role,) = re.findall(r"var publisher = '([0-9a-f-]{36})'", text("sentinel.bicep"))
    roles = json.loads((FOLDER.parents[1] / "auditor" / "data" / "roles.json").read_text(encoding="utf-8"))
    (name,) = [each["name"] for each in roles["roles"] if each["guid"] == role]
    assert name == "Monitoring Metrics Publisher"
    assert set(re.findall(r"^output (\w+) ", text("sentinel.bicep"), re.MULTILINE)) <= set(KEYS["azure-monitor"])


def test_brackets_close_and_each_file_says_that_it_is_not_compiled() -> None:
    for path in FOLDER.glob("*.bicep"):
        code = re.sub(r"//.*|'(?:[^'\\]|\\.)*'", "", path.read_text(encoding="utf-8"))
        for opening, closing in ("{}", "[]", "()"):
            assert code.count(opening) == code.count(closing), path.name
        assert "Not compiled here" in path.read_text(encoding="utf-8")
