"""`docs/sample-estate.md` lists what `expected` holds, names what exists, and forgets no cluster."""

import re
from pathlib import Path

import pytest

from auditor.replica.estate import load
from tests.demo import expected

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "sample-estate.md"
OUTCOMES = ("pass", "warn", "fail", "unknown", "not-applicable")


def table() -> str:
    """The expectations of the first night as a Markdown table, a row a check."""
    rows: dict[str, dict[str, list[str]]] = {}
    for verdicts, only in (
        (expected.FIRST_NIGHT, ""),
        (expected.ONLY_IN_PUBLIC, " (public)"),
        (expected.ONLY_IN_CHINA, " (China)"),
    ):
        for (check, name), outcome in verdicts.items():
            rows.setdefault(check, {}).setdefault(outcome, []).append(f"`{name}`{only}")
    lines = ["| check | " + " | ".join(OUTCOMES) + " |", "| --- " * (len(OUTCOMES) + 1) + "|"]
    for check, cells in sorted(rows.items()):
        shown = (", ".join(cells.get(outcome, ())) for outcome in OUTCOMES)
        lines.append(f"| `{check}` | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def test_the_table_of_verdicts_is_the_expectations_own(update_golden: bool) -> None:
    """`pytest tests/demo --update-golden` writes it anew."""
    page = PAGE.read_text(encoding="utf-8")
    marked = re.compile(r"(<!-- expected verdicts -->\n).*?(<!-- /expected verdicts -->)", re.DOTALL)
    written = marked.sub(lambda found: f"{found[1]}{table()}\n{found[2]}", page)
    if update_golden:
        PAGE.write_text(written, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == written


@pytest.mark.parametrize("kind", ["managedClusters", "virtualNetworks", "workspaces", "registries", "containerGroups"])
def test_the_page_names_what_the_estate_holds(kind: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for body in load(ROOT / "auditor" / "demo" / "estates" / "night-1.json", "public").resources:
        if body["type"].lower().endswith("/" + kind.lower()) and "/MC_" not in body["id"]:
            missing_on_purpose = body["name"] == "vnet-aci-dev"  # an auxiliary network of two container groups
            assert missing_on_purpose or f"`{body['name']}`" in page, body["name"]


def test_expectations_name_resources_of_the_estate() -> None:
    estate = load(ROOT / "auditor" / "demo" / "estates" / "night-1.json", "public")
    names = {one.name.lower() for one in estate.subscriptions}
    for body in estate.resources:
        names.add(body["name"].lower())
        names.add(str(body.get("properties", {}).get("roleName", "")).lower())
        names.update(one["name"].lower() for one in body.get("properties", {}).get("subnets", ()) if "name" in one)
        parts = body["id"].lower().split("/")
        if parts[-2] == "extensions":
            names.add(f"{parts[parts.index('managedclusters') + 1]}/{parts[-1]}")
    for verdicts in (expected.FIRST_NIGHT, expected.ONLY_IN_PUBLIC, expected.ONLY_IN_CHINA):
        for _, name in verdicts:
            assert set(name.split("#")) <= names, name
