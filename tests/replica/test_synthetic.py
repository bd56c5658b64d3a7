"""Made-up tenants: repeatable, and a scan's cost follows the inference in them, not their size."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import pytest

from auditor.clouds import resolve_cloud
from auditor.collect import Collected, CollectRequest, collect
from auditor.errors import UsageProblem
from auditor.replica import Replica
from auditor.replica.synthetic import CLUSTERS_A_SUBSCRIPTION, ROOT, Shape, bodies, document, made


def scanned(shape: Shape) -> Collected:
    with Replica(made(shape, 7), quota=False) as replica:
        environment = replica.environment()
        request = CollectRequest(
            cloud=resolve_cloud("public", environment), environment=environment, management_groups=(ROOT,)
        )
        return collect(request)


def types(shape: Shape) -> Counter[str]:
    return Counter(body["type"] for body in bodies(shape, 7))


def test_the_same_seed_gives_the_same_estate_and_another_seed_another() -> None:
    def text(seed: int) -> str:
        return json.dumps(document(Shape(30, 9), seed))

    assert text(3) == text(3)
    assert text(3) != text(4)


def test_an_estate_is_what_an_estate_file_may_hold() -> None:
    estate = made(Shape(30, 9), 3)
    assert len(estate.subscriptions) == 30
    assert list(estate.resources) == list(bodies(Shape(30, 9), 3))


@pytest.mark.parametrize("subscriptions", [20, 200])
def test_inference_lies_in_few_subscriptions_whatever_the_tenants_size(subscriptions: int) -> None:
    found = types(Shape(subscriptions, 9))
    assert found["Microsoft.ContainerService/managedClusters"] == 9
    assert found["Microsoft.MachineLearningServices/workspaces"] == math.ceil(9 / CLUSTERS_A_SUBSCRIPTION)


@pytest.mark.parametrize("text", ["", "5", "5:", ":5", "a:b", "-1:3", "1:1", "99999:1", "2:3:4"])
def test_a_size_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(UsageProblem):
        Shape.parse(text)


def graph_requests(found: Collected) -> int:
    return sum(n for name, n in found.requests.by_operation.items() if name.startswith("ResourceGraph/"))


def within(found: Collected) -> float:
    """The bound on requests: 1.2 for each full page of the rows that each kind of query returned, and fifteen."""
    rows: Counter[str] = Counter()
    for each in found.log:
        rows[each.operation] += each.rows or 0
    return 1.2 * sum(math.ceil(count / 1000) for count in rows.values()) + 15


def kinds(found: Collected) -> Counter[str]:
    return Counter(str(row.get("type", "")).lower() for row in found.rows)


def test_subscriptions_without_inference_cost_nothing() -> None:
    small, large = scanned(Shape(20, 5)), scanned(Shape(200, 5))
    assert not small.gaps
    assert not large.gaps
    assert graph_requests(small) == graph_requests(large) <= within(small)
    own: dict[str, Any] = {}
    for name, found in (("small", small), ("large", large)):
        own[name] = {
            kind: n for kind, n in kinds(found).items() if kind.startswith(("microsoft.network", "microsoft.c"))
        }
    assert own["small"] == own["large"]


def test_nothing_is_read_that_no_inference_refers_to() -> None:
    found = scanned(Shape(20, 5))
    strangers = [row["id"] for row in found.rows if "/resourcegroups/web/" in str(row.get("id")).lower()]
    assert strangers == []
    assert kinds(found)["microsoft.containerservice/managedclusters"] == 5


def test_the_bound_holds_where_rows_fill_several_pages() -> None:
    found = scanned(Shape(1500, 8))
    assert not found.gaps
    assert graph_requests(found) <= within(found)
