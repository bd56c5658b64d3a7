"""Requirements against clusters."""

from __future__ import annotations

from auditor.report.matrix import COLUMNS, matrix
from auditor.values import Outcome
from tests.report import factory
from tests.report.factory import cluster_id, finding


def test_the_worst_outcome_of_a_check_stands_for_a_cluster_of_any_casing() -> None:
    made = matrix(
        [
            finding("a", cluster_id("one")),
            finding("a", cluster_id("one").upper(), part="x", outcome=Outcome.UNKNOWN),
            finding("b", cluster_id("two"), outcome=Outcome.FAIL),
            finding("b"),  # a subnet of no cluster
        ]
    )
    assert made.clusters == (cluster_id("one"), cluster_id("two"))
    outcomes = {row.check: [cell and cell.outcome for cell in row.cells] for row in made.rows}
    assert outcomes == {"a": [Outcome.UNKNOWN, None], "b": [None, Outcome.FAIL]}


def test_of_too_many_clusters_the_worst_are_shown() -> None:
    passing = [finding("a", cluster_id(f"c{number:03}")) for number in range(COLUMNS)]
    made = matrix([*passing, finding("a", cluster_id("zz"), outcome=Outcome.FAIL)])
    assert made.left_out == 1
    assert made.clusters[-1] == cluster_id("zz")


def test_no_cluster_no_table() -> None:
    assert matrix(factory.CLEAN.findings).rows == ()
