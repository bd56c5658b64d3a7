"""Quotas, driven by a clock of the test's own."""

from collections.abc import Callable, Iterator

import pytest

from auditor.replica import Quota, Replica, serve
from auditor.replica.estate import from_document
from auditor.replica.throttling import Throttle
from tests.replica.client import Client
from tests.replica.contoso import NSG, PROD, document


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limited(clock: Clock) -> Iterator[Replica]:
    with serve(from_document(document()), quota=Quota(queries=3, reads=2, reads_per_s=0.5), clock=clock) as replica:
        yield replica


def test_the_user_quota_counts_down_refuses_and_comes_back(
    limited: Replica, clock: Clock, client_of: Callable[[Replica, int], Client]
) -> None:
    client = client_of(limited, 0)
    left = [client.query("resources | count").headers["x-ms-user-quota-remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    clock.now += 1.5
    refused = client.query("resources | count")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "4"
    assert refused.headers["x-ms-user-quota-resets-after"] == "00:00:04"
    assert refused.json()["error"]["details"][0]["code"] == "RateLimiting"
    clock.now += 3.5
    again = client.query("resources | count")
    assert (again.status_code, again.headers["x-ms-user-quota-remaining"]) == (200, "2")


def test_each_application_has_its_own_quota(limited: Replica, client_of: Callable[[Replica, int], Client]) -> None:
    first, second = client_of(limited, 0), client_of(limited, 1)
    for _ in range(3):
        first.query("resources | count")
    assert first.query("resources | count").status_code == 429
    assert second.query("resources | count").status_code == 200


def test_refused_queries_and_pages_cost_like_any_other(
    limited: Replica, client_of: Callable[[Replica, int], Client]
) -> None:
    client = client_of(limited, 0)
    answers = [client.query("nonsense").status_code for _ in range(4)]
    assert answers == [400, 400, 400, 429]


def test_arms_bucket_refills(limited: Replica, clock: Clock, client_of: Callable[[Replica, int], Client]) -> None:
    client = client_of(limited, 0)
    left = [client.get(NSG).headers["x-ms-ratelimit-remaining-subscription-reads"] for _ in range(2)]
    assert left == ["1", "0"]
    refused = client.get(NSG)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
    assert refused.json()["error"]["code"] == "SubscriptionRequestsThrottled"
    # The tenant's bucket is another one.
    assert client.get("/subscriptions").headers["x-ms-ratelimit-remaining-tenant-reads"] == "1"
    clock.now += 2
    assert client.get(f"/subscriptions/{PROD}").status_code == 200


def test_without_quota_there_are_no_headers(client: Client) -> None:
    for answer in (client.query("resources | count"), client.get(NSG)):
        assert not [name for name in answer.headers if "quota" in name or "ratelimit" in name]


def test_the_default_quota_is_the_documented_one() -> None:
    throttle = Throttle(Quota(), lambda: 0.0)
    refusals = [throttle.query("me", "now")[1] for _ in range(16)]
    assert [refusal is None for refusal in refusals] == [True] * 15 + [False]


def test_long_waits_are_told_as_hours_minutes_seconds() -> None:
    headers, _ = Throttle(Quota(window_s=3725), lambda: 0.0).query("me", "now")
    assert headers["x-ms-user-quota-resets-after"] == "01:02:05"
