"""`docs/replica.md` tells the truth: its examples load, and it names every key and every fault."""

import json
import re
from pathlib import Path

from auditor.replica import load
from auditor.replica.estate import KEYS
from auditor.replica.faults import FAULTS, read
from auditor.replica.server import RequestRecord

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "replica.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_estate_loads_and_so_does_its_next_night(tmp_path: Path) -> None:
    (tmp_path / "night-1.json").write_text(EXAMPLES[0], encoding="utf-8")
    (tmp_path / "night-2.json").write_text(EXAMPLES[1], encoding="utf-8")
    assert load(tmp_path / "night-1.json").resources[0]["location"] == "eastus2"
    assert load(tmp_path / "night-2.json", "china").resources[0]["location"] == "chinaeast2"


def test_the_example_plan_can_be_meant() -> None:
    assert len(read(json.loads(EXAMPLES[2])).faults) == 4


def test_every_key_fault_and_operation_is_named() -> None:
    missing = {name for name in KEYS | FAULTS if f"`{name}`" not in PAGE and f'"{name}"' not in PAGE}
    assert not missing
    operations = re.findall(r"`([a-z-]+)`", (RequestRecord.__doc__ or "").split("`table`")[0])[1:]
    assert [name for name in operations if f"`{name}`" not in PAGE] == []
