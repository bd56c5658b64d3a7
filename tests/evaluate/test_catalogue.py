"""Loading checks by path: a user's folder exactly as the built-in one, and every mistake in one clear line."""

from pathlib import Path

import pytest

from auditor.errors import UsageProblem
from auditor.evaluate import load_catalogue

PAGE = '"""A rule of ours.\n\n## What it checks\nIt.\n"""\n'
HEAD = (
    "from auditor.api import Cluster, Inventory, Mend, Severity, Source, check, passed\n\n"
    '@check(id="{id}", severity=Severity.LOW, source=Source("OURS", "1", "/x"), mend=Mend.by("m"))\n'
)
BODY = "def rule(cluster: Cluster, inventory: Inventory):\n    yield passed('fine', '{{c}} is', c=cluster.name)\n"
GOOD = PAGE + HEAD.format(id="our-rule") + BODY


def folder(tmp_path: Path, text: str, name: str = "our/rule.py") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return tmp_path


def test_a_users_check_stands_beside_the_built_in_ones(tmp_path: Path) -> None:
    catalogue = load_catalogue([folder(tmp_path, GOOD)])
    mine = catalogue.find("our-rule")
    assert (mine.title, mine.builtin, mine.version) == ("A rule of ours", False, 1)
    assert len(catalogue) == len(load_catalogue()) + 1
    assert catalogue.digest != load_catalogue().digest


BAD = {
    "syntax error": (GOOD.replace("yield passed", "yield = passed"), r"rule\.py, line 10: SyntaxError"),
    "raises at import": (GOOD + "1 / 0\n", r"rule\.py, line 11: ZeroDivisionError"),
    "no docstring": (GOOD.removeprefix(PAGE), "lacks a docstring"),
    "no check": (PAGE, "no function marked with @check"),
    "id of another path": (PAGE + HEAD.format(id="our-other") + BODY, "its id is `our-other`"),
    "no annotation": (GOOD.replace("cluster: Cluster", "cluster").replace(": Inventory", ""), "first parameter"),
    "no subject": (GOOD.replace("cluster: Cluster", "cluster: str"), "is no subject of a check"),
    "unimported annotation": (
        GOOD.replace("cluster: Cluster", "cluster: 'Klaster'"), "annotations name what is not imported"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "match"), BAD.values(), ids=BAD)
def test_a_mistake_is_one_line_that_names_the_file(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(UsageProblem, match=match):
        load_catalogue([folder(tmp_path, text)])


def test_all_mistakes_of_all_files_at_once(tmp_path: Path) -> None:
    folder(tmp_path, PAGE, "our/one.py")
    folder(tmp_path, PAGE, "our/two.py")
    with pytest.raises(UsageProblem) as caught:
        load_catalogue([tmp_path])
    assert "one.py" in caught.value.message
    assert "two.py" in caught.value.message


def test_an_id_is_taken_once(tmp_path: Path) -> None:
    text = PAGE + HEAD.format(id="scan-coverage") + BODY
    with pytest.raises(UsageProblem, match="`scan-coverage` is taken by"):
        load_catalogue([folder(tmp_path, text, "scan/coverage.py")])


def test_a_missing_folder_is_said() -> None:
    with pytest.raises(UsageProblem, match="no such folder"):
        load_catalogue([Path("/nowhere/at/all")])


def test_globs_choose_and_must_match() -> None:
    catalogue = load_catalogue()
    chosen = catalogue.select(["nsg-*", "scan-coverage"], ["nsg-acr-*"])
    assert "scan-coverage" in [check.id for check in chosen]
    assert "nsg-acr-outbound" not in [check.id for check in chosen]
    with pytest.raises(UsageProblem, match="did you mean `nsg-acr-outbound`"):
        catalogue.select(["nsg-acr-outbond"], [])
