"""A run and what is to be told of it are kept together: whatever dies in between, neither stands without the other."""

from __future__ import annotations

import pytest
from sqlalchemy.engine import Connection

from auditor.findings import Report
from auditor.history import open_history
from auditor.notify import Courier, standings, undelivered
from auditor.service.store import open_store
from tests.history.conftest import cluster, url
from tests.notify.receiving import DEAD, NOW
from tests.report.sample import night

__all__ = ["cluster", "url"]


class Killed(Exception):
    """What ends a program here."""


def courier(url: str, heard: list[str]) -> Courier:
    return Courier(open_store(url, {}), [DEAD], lambda: NOW, heard.append)


def test_a_program_that_dies_after_the_run_was_kept_has_left_word_of_it(url: str) -> None:
    told = courier(url, [])
    with open_history(url) as history:
        history.save(night(), beside=told.beside())
    engine = open_store(url, {})  # the next start, which is told of nothing
    assert [each.parcel_id for each in undelivered(engine)] == [f"auditor-{night().run.id}"]
    engine.dispose()
    told.tell(night())  # and had it lived on, it would have said the same once more
    assert [each.queued for each in standings(told._engine)] == [1]
    told.close()


def test_a_run_that_is_not_kept_is_not_told_of(url: str) -> None:
    told = courier(url, [])
    keep = told.beside()

    def dies(connection: Connection, report: Report) -> None:
        keep(connection, report)
        raise Killed

    with open_history(url) as history:
        with pytest.raises(Killed):
            history.save(night(), beside=dies)
        assert history.runs() == ()
        assert undelivered(told._engine) == ()
    told.close()


def test_what_stands_with_the_run_is_written_first(url: str) -> None:
    order: list[str] = []
    told = courier(url, [])
    with open_history(url) as history:
        history.save(night(), beside=told.beside(lambda connection, report: order.append(report.run.id)))
    assert order == [night().run.id]
    told.close()
