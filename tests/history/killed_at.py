"""Run as a program: saves a run, once for each statement of the write, and is killed just before that statement.

Arguments: a template history, and a folder. For the n-th statement the template is copied to `n.sqlite` there, and a
child that saves night 2 into it kills itself with SIGKILL. Prints the number of statements. The last copy is the one
whose child lived.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import sqlalchemy as sa

from auditor.drift import compare
from auditor.findings import Report
from auditor.history import open_history
from tests.nights import ONE, TWO, finding, gap, listed, night, resource

FIRST = night(
    1,
    *(finding("c", resource(f"aks{number}"), "pass", effect=["a"]) for number in range(20)),
    finding("c", resource("gone"), "fail"),
    finding("c", resource("unseen", TWO), "fail"),
)
SECOND = night(
    2,
    *(finding("c", resource(f"aks{number}"), "fail", effect=["b"]) for number in range(20)),
    finding("c", resource("new"), "warn"),
    gaps=[gap(TWO)],
)


def save(url: str, report: Report, die_at: int | None = None) -> int:
    """Save a night as a scan does; before the given statement, die. Gives the number of statements."""
    count = 0
    with open_history(url) as history:

        def before(*_: object) -> None:
            nonlocal count
            if count == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

        resources = listed(*(each.resource.id for each in report.findings))
        compared = compare(report, history.baseline_for([ONE, TWO]), resources=resources)
        # Every statement passes here, BEGIN too; COMMIT passes as an event of its own.
        sa.event.listen(history._engine, "before_cursor_execute", before)
        sa.event.listen(history._engine, "commit", before)
        history.save(compared, resources)
    return count


def main(template: Path, folder: Path) -> int:
    """The enumeration. Gives the number of statements."""
    for die_at in range(1000):
        copy = folder / f"{die_at}.sqlite"
        shutil.copy(template, copy)
        child = os.fork()
        if child == 0:
            save(f"sqlite:///{copy}", SECOND, die_at)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            return die_at
        assert os.WTERMSIG(status) == signal.SIGKILL
    raise AssertionError("a save does not have a thousand statements")


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), Path(sys.argv[2])))
