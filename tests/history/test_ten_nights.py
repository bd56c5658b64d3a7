"""Ten nights of a changing estate, scanned one after the other, and the trend that `auditor history` shows of them."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.cli import main
from auditor.config import load_settings
from auditor.findings import Report
from auditor.scan import scan
from tests.estate import Thing, cluster, rows

CHECK = "aks-private-api-server"
BEGUN = datetime(2026, 11, 15, 2, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    """A cluster of an estate: whether its API server is private, and what tells it from others."""

    private: bool
    number: int
    group: str = "aks"

    def thing(self, name: str) -> Thing:
        principal = f"{self.number:08x}-0000-4000-8000-000000000000"
        domain = f"{name}-{self.number:08x}.hcp.eastus2.azmk8s.io"
        return cluster(name, private=self.private, nodes=None, group=self.group, principal=principal, fqdn=domain)


Estate = dict[str, Made]


def ten_nights(seed: int) -> Iterator[Estate]:
    """Estates in which clusters come, go and change by chance; one moves on night 6, one is made anew on night 8."""
    chance, made = random.Random(seed), iter(range(1, 1000))
    estate = {name: Made(chance.random() < 0.5, next(made)) for name in "abcdef"}
    for night in range(1, 11):
        if night == 6:
            estate["a"] = replace(estate["a"], group="elsewhere")
        elif night == 8:
            estate["a"] = replace(estate["a"], number=next(made))
        elif night > 1:
            for name in "bcdefghi":
                was, event = estate.get(name), chance.choice(("stays", "stays", "turns", "comes or goes"))
                if event == "turns" and was:
                    estate[name] = replace(was, private=not was.private)
                elif event == "comes or goes" and was:
                    del estate[name]
                elif event == "comes or goes":
                    estate[name] = Made(chance.random() < 0.5, next(made))
        yield dict(estate)


def fails(estate: Estate) -> set[tuple[str, str]]:
    return {(name, made.group) for name, made in estate.items() if not made.private}


def expected_outcomes(then: Estate | None, now: Estate) -> dict[str, int]:
    """Fails and passes; a failing cluster that went is told once more, as something that no longer applies."""
    here = {(name, made.group) for name, made in now.items()}
    gone = fails(then or {}) - here
    counts = {"fail": len(fails(now)), "pass": len(here - fails(now)), "not-applicable": len(gone)}
    return {outcome: count for outcome, count in counts.items() if count}


def expected_drift(then: Estate, now: Estate) -> dict[str, int]:
    counts = {"new": len(fails(now) - fails(then)), "resolved": len(fails(then) - fails(now))}
    return {state: count for state, count in counts.items() if count}


def scanned(url: str, folder: Path, night: int, estate: Estate) -> Report:
    path = folder / "estate.jsonl"
    things = [made.thing(name) for name, made in estate.items()]
    # The subscription is in it on every night, so that the scopes of all nights are the same.
    path.write_text("\n".join(json.dumps(row) for row in rows(*things)[0]))
    mine = load_settings({"snapshot": (str(path),), "history": url, "check": (CHECK,)}, {}, folder)
    return scan(mine, environment={}, clock=lambda: BEGUN + timedelta(days=night - 1)).report


def counted(cell: str) -> dict[str, int]:
    """`2 new, 1 resolved` as counts; of `none`, `nothing` and `-` none."""
    return {state: int(count) for count, state in re.findall(r"(\d+) ([a-z-]+)", cell)}


def table(shown: str, first: str) -> list[dict[str, str]]:
    """The rows under the heading that begins with `first`, by column; a table's columns stand under their heads."""
    lines = shown.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(first))
    heads = [(each.group(), each.start()) for each in re.finditer(r"\S+", lines[at])]
    ends = [start for _, start in heads[1:]] + [10_000]
    found = []
    for line in lines[at + 1 :]:
        if not line.strip():
            break
        found.append({head: line[start:end].strip() for (head, start), end in zip(heads, ends, strict=True)})
    return found


@pytest.mark.parametrize("seed", [3, 11])
def test_the_trend_of_ten_nights(url: str, tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    estates = list(ten_nights(seed))
    reports = [scanned(url, tmp_path, night, estate) for night, estate in enumerate(estates, start=1)]
    here: Mapping[str, str] = {"AUDITOR_HISTORY": url}

    assert main(("history", "show", reports[-1].run.id), environment=here, working_directory=tmp_path) == 0
    shown = table(capsys.readouterr().out, "NIGHT")
    assert [row["NIGHT"] for row in shown] == [report.run.started_at for report in reports]
    befores = [None, *estates]
    for row, then, now in zip(shown, befores, estates, strict=False):
        assert row["COMPLETE"] == "complete"
        assert counted(row["OUTCOMES"]) == expected_outcomes(then, now), row
        assert counted(row["DRIFT"]) == ({} if then is None else expected_drift(then, now)), row
    assert Counter(bool(counted(row["DRIFT"])) for row in shown)[True] >= 5  # there is a trend to be seen

    assert main(("history", "list"), environment=here, working_directory=tmp_path) == 0
    listed = table(capsys.readouterr().out, "RUN")
    assert [row["RUN"] for row in listed] == [report.run.id for report in reversed(reports)]
    assert [row["DRIFT"] for row in reversed(listed)] == [row["DRIFT"] for row in shown]

    kinds = {night: [note.kind for note in report.run.notes] for night, report in enumerate(reports, start=1)}
    assert kinds[6] == ["moved"]
    assert kinds[8] == ["recreated"]
    assert not [kind for night, of in kinds.items() for kind in of if night not in (6, 8)]
