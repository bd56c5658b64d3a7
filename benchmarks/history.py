"""What a history costs: bytes a night, and the time of a write, as ratios that hold on any machine.

    python -m benchmarks.history [--findings 100000] [--nights 30] [--url URL]

On SQLite unless a URL of an empty PostgreSQL database is given (bytes are then not measured).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from auditor.drift import compare
from auditor.findings import Catalogue, Finding, Report, ResourceChange, Run, Scope, Tool, sort_key, summarize
from auditor.history import open_history
from auditor.history.store import History
from auditor.values import Outcome
from tests.nights import finding, resource

T = TypeVar("T")

SCOPE = "/subscriptions/one"
CHECKS = {f"area-check-{number:02}": 1 for number in range(50)}


def estate(count: int) -> tuple[Finding, ...]:
    """Findings of 50 checks, each with evidence and an effect; one in ten fails."""
    return tuple(
        sorted(
            (
                finding(
                    f"area-check-{number % 50:02}",
                    resource(f"cluster-{number // 50:05}"),
                    "fail" if number % 10 == 0 else "pass",
                    effect=[f"Tcp 10.{number % 250}.0.0/16 -> 20.0.0.0/8:443"],
                )
                for number in range(count)
            ),
            key=sort_key,
        )
    )


def drifted(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The same with one finding in a hundred another way round."""
    return tuple(
        msgspec.structs.replace(each, outcome=Outcome.WARN, reason="is-warn") if at % 100 == 0 else each
        for at, each in enumerate(findings)
    )


def report(number: int, findings: tuple[Finding, ...]) -> Report:
    """A complete run."""
    return Report(
        tool=Tool(name="auditor", version="0"),
        run=Run(
            id=f"run-{number:04}",
            started_at=f"2026-01-01T02:{number // 60:02}:{number % 60:02}Z",
            finished_at=f"2026-01-01T03:{number // 60:02}:{number % 60:02}Z",
            cloud="public",
            source="live",
            lang="en",
            catalogue=Catalogue(version="0", digest="0", checks=CHECKS),
            scopes=(Scope(id=SCOPE, read=True),),
            complete=True,
        ),
        baseline=None,
        summary=summarize(findings, {"clusters": len(findings) // 50}),
        findings=findings,
    )


def resources(findings: tuple[Finding, ...]) -> tuple[ResourceChange, ...]:
    """The resources that these findings are about."""
    found = {each.resource.id: each.resource for each in findings}
    return tuple(ResourceChange(id=each.id, type=each.type, name=each.name) for each in found.values())


class Measured:
    """One history under measurement."""

    def __init__(self, history: History, file: Path | None) -> None:
        self.history = history
        self.file = file
        self.number = 0

    def night(self, findings: tuple[Finding, ...]) -> tuple[float, float, int]:
        """Scan and keep one night: seconds to compare (with reading the baseline), seconds to write, bytes added."""
        self.number += 1
        before = self.size()
        present = resources(findings)
        compared, compare_s = timed(
            lambda: compare(report(self.number, findings), self.history.baseline_for([SCOPE]), resources=present)
        )
        _, write_s = timed(lambda: self.history.save(compared, present))
        return compare_s, write_s, self.size() - before

    def size(self) -> int:
        """Bytes of the file, once everything is in it."""
        if self.file is None:
            return 0
        with self.history._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return self.file.stat().st_size


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """What a call gives, and the seconds it took."""
    begin = time.perf_counter()
    return call(), time.perf_counter() - begin


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--findings", type=int, default=100_000)
    parser.add_argument("--nights", type=int, default=30, help="unchanged nights to average over")
    parser.add_argument("--url", help="an empty PostgreSQL database")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for count in (asked.findings // 2, asked.findings):
            file = None if asked.url else Path(folder) / f"{count}.sqlite"
            with open_history(asked.url or f"sqlite:///{file}") as history:
                measured = Measured(history, file)
                findings = estate(count)
                _, first_s, first_bytes = measured.night(findings)
                encoded = len(msgspec.json.encode(findings))
                unchanged = [measured.night(findings) for _ in range(asked.nights)]
                _, changed_s, changed_bytes = measured.night(drifted(findings))
                night_s = sum(write_s for _, write_s, _ in unchanged) / asked.nights
                night_bytes = sum(added for _, _, added in unchanged) / asked.nights
                compare_s = sum(each for each, _, _ in unchanged) / asked.nights
                print(f"{count:,} findings ({encoded / 1e6:.1f} MB as JSON)")
                print(f"  first night        {first_bytes / 1e6:8.2f} MB, write {first_s:6.2f} s")
                print(
                    f"  unchanged night    {night_bytes / 1e3:8.2f} kB, write {night_s:6.2f} s = "
                    f"{night_s / first_s:.2f} of the first, {night_bytes / max(first_bytes, 1):.5f} of its bytes"
                )
                print(
                    f"  1 % changed        {changed_bytes / 1e3:8.2f} kB, write {changed_s:6.2f} s = "
                    f"{changed_s / first_s:.2f} of the first"
                )
                share = compare_s / first_s
                print(f"  reading the baseline and comparing: {compare_s:6.2f} s = {share:.2f} of the first write")
                if asked.url:
                    break


if __name__ == "__main__":
    main()
