"""The schema: each earlier one is brought up to date with what it held, and the newest is what the code speaks to."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import auditor.history
from auditor.history import open_history
from auditor.history.engine import connect
from auditor.history.tables import metadata
from auditor.history.upgrade import REVISIONS, bring_up_to_date
from tests.nights import finding, night, resource

SCRIPTS = Path(auditor.history.__file__).parent / "migrations"
# What a history of each schema holds: statements as its own time wrote them.
OLD: dict[str, tuple[str, ...]] = {"0001": (), "0002": (), "0003": (), "0004": (), "0005": ()}


def test_the_revisions_are_those_of_the_scripts() -> None:
    walked = ScriptDirectory(str(SCRIPTS)).walk_revisions()
    assert tuple(reversed([each.revision for each in walked])) == REVISIONS


def test_the_newest_schema_is_that_of_the_tables(url: str) -> None:
    with open_history(url) as history, history._engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_earlier_schema_is_brought_up_to_date(url: str, revision: str) -> None:
    engine = connect(url, create=True, patience_s=30)
    bring_up_to_date(engine, to=revision)
    with engine.begin() as connection:
        for statement in OLD[revision]:
            connection.execute(sa.text(statement))
    engine.dispose()
    with open_history(url) as history:
        history.save(night(1, finding("c", resource("aks"), "fail")))
        assert len(history.runs()) == 1
