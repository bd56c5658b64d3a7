"""Whether a run would have seen a resource: told from its scopes and gaps."""

import pytest

from auditor.drift import was_read
from auditor.findings import GapRecord
from tests.nights import ONE, TWO, gap, night, resource

GROUP = "/providers/Microsoft.Management/managementGroups/contoso"
ELSE = "/subscriptions/else"

CASES: dict[str, tuple[list[str], list[str], list[GapRecord], str, bool]] = {
    "in a read subscription": ([ONE, TWO], [], [], resource("a"), True),
    "other casing": ([ONE], [], [], resource("a").upper(), True),
    "in an unread subscription": ([ONE, TWO], [TWO], [], resource("a", TWO), False),
    "beside an unread subscription": ([ONE, TWO], [TWO], [], resource("a"), True),
    "in a subscription nobody asked for": ([ONE], [], [], resource("a", ELSE), False),
    "a subscription whose name begins alike": ([ONE], [], [], resource("a", ONE + "2"), False),
    "below a required gap": ([ONE], [], [gap(ONE)], resource("a"), False),
    "below an optional gap": ([ONE], [], [gap(ONE, required=False)], resource("a"), True),
    "beside a required gap": ([ONE, TWO], [], [gap(TWO)], resource("a"), True),
    "a gap that has no place": ([ONE], [], [gap("somewhere")], resource("a"), False),
    "a gap of the tenant": ([ONE], [], [gap("/")], resource("a"), False),
    "a gap of a management group may lie anywhere": ([ONE], [], [gap(GROUP)], resource("a"), False),
    "a management group, whole": ([GROUP], [], [], resource("a", ELSE), True),
    "a management group with something missing": ([GROUP, TWO], [TWO], [], resource("a", ELSE), False),
    "a management group that was not read": ([GROUP, ONE], [GROUP], [], resource("a", ELSE), False),
    "a subscription beside such a group": ([GROUP, ONE], [GROUP], [], resource("a"), True),
    "the tenant": (["/"], [], [], resource("a", ELSE), True),
    "not an id": ([ONE], [], [], "aks", False),
}


@pytest.mark.parametrize(("scopes", "unread", "gaps", "resource_id", "read"), CASES.values(), ids=CASES)
def test_was_read(scopes: list[str], unread: list[str], gaps: list[GapRecord], resource_id: str, read: bool) -> None:
    assert was_read(night(1, scopes=scopes, unread=unread, gaps=gaps).run)(resource_id) is read
