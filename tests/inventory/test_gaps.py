"""What a gap hides: by its type, its place, and what hangs on what."""

import pytest

from auditor.inventory import Malformed
from auditor.inventory.coverage import Coverage
from auditor.inventory.records import PrivateEndpoint, Subnet
from auditor.inventory.shapes import PermissionBlock
from auditor.values import Gap, Unread
from tests.estate import SUB, arm, inventory, rg, vnet

NET = arm("net", "Microsoft.Network/virtualNetworks", "net")
GRANT = f"{rg('net')}/providers/Microsoft.Authorization/roleAssignments/one"
ASSIGNMENTS = "microsoft.authorization/roleassignments"
NETWORKS = "microsoft.network/virtualnetworks"
ENDPOINTS = "microsoft.network/privateendpoints"

CASES = {
    "a resource hides itself": (NET, "*", NETWORKS, NET, True),
    "and its children": (NET, "*", Subnet.TYPE, f"{NET}/subnets/a", True),
    "and a list that it belongs to": (NET, "*", NETWORKS, f"/subscriptions/{SUB}", True),
    "and what is attached to it": (NET, "*", ASSIGNMENTS, NET, True),
    "but not the resources around it": (NET, "*", ENDPOINTS, f"/subscriptions/{SUB}", False),
    "a group hides all of it": (rg("net"), "*", ENDPOINTS, f"/subscriptions/{SUB}", True),
    "another group does not": (rg("net2"), "*", ENDPOINTS, rg("net"), False),
    "a type hides its children": (f"/subscriptions/{SUB}", NETWORKS, Subnet.TYPE, f"{NET}/subnets/a", True),
    "children do not hide their parents": (f"/subscriptions/{SUB}", Subnet.TYPE, NETWORKS, NET, False),
    "an assignment acts at its scope": (GRANT, "*", ASSIGNMENTS, rg("net"), True),
    "and below it": (GRANT, "*", ASSIGNMENTS, NET, True),
    "and not elsewhere": (GRANT, "*", ASSIGNMENTS, rg("ml"), False),
}


@pytest.mark.parametrize(("scope", "what", "asked", "at", "hidden"), CASES.values(), ids=CASES)
def test_a_gap_hides(scope: str, what: str, asked: str, at: str, hidden: bool) -> None:
    coverage = Coverage(frozenset({SUB}), (Gap(scope, what, "403", "grant Reader"),))
    assert (coverage.unread(asked, at) is not None) is hidden


def test_children_of_what_could_not_be_decoded_are_unread_not_absent() -> None:
    broken = vnet("net")
    broken.rows[0]["properties"] = 7
    estate = inventory(broken)
    assert isinstance(estate.malformed[NET.casefold()], Malformed)
    found = estate.find(Subnet, f"{NET}/subnets/nodes")
    assert isinstance(found, Unread)
    assert found.reason == "malformed"


def test_what_no_gap_hides_is_absent() -> None:
    found = inventory(vnet("net")).find(PrivateEndpoint, arm("net", "Microsoft.Network/privateEndpoints", "pe"))
    assert isinstance(found, Unread)
    assert found.reason == "absent"


@pytest.mark.parametrize("told_at", [f"/subscriptions/{SUB}", f"/Subscriptions/{SUB.upper()}/"])
@pytest.mark.parametrize(
    ("actions", "without", "hidden"),
    {
        "everything may be read": (["*/read"], [], False),
        "this may not": (["Microsoft.Network/privateEndpoints/read"], [], True),
        "this is taken away again": (["*/read"], ["Microsoft.Network/virtualNetworks/read"], True),
    }.values(),
)
def test_what_we_may_not_read_is_not_absent(told_at: str, actions: list[str], without: list[str], hidden: bool) -> None:
    block = PermissionBlock(actions=actions, not_actions=without)
    coverage = Coverage(frozenset({SUB}), (), ((told_at, (block,)),))
    found = coverage.unread(NETWORKS, NET)
    assert (found is not None) is hidden
    assert found is None or found.reason == "forbidden"
