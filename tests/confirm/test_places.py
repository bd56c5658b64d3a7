"""Property paths in all their spellings, and which of them say something of each other."""

import pytest

from auditor.confirm.places import ANY, Place, lists_of, place_of, steps_of

NET = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network"
VNET, GROUP = f"{NET}/virtualNetworks/v", f"{NET}/networkSecurityGroups/n"
CLUSTER = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c"

PATHS = {
    "plain": ("properties.networkProfile.serviceCidr", ("properties", "networkprofile", "servicecidr")),
    "a name in quotes": ('properties.subnets["Snet.A"].id', ("properties", "subnets", "snet.a", "id")),
    "single quotes": ("properties.subnets['snet-a'].id", ("properties", "subnets", "snet-a", "id")),
    "a bare name": ("properties.subnets[snet-a].id", ("properties", "subnets", "snet-a", "id")),
    "an escaped quote": (r'tags["a\"b"]', ("tags", 'a"b')),
    "a closing bracket inside": ('tags["a]b"].c', ("tags", "a]b", "c")),
    "any element": ("properties.delegations[].properties", ("properties", "delegations", ANY, "properties")),
    "a position, since elements move": ("properties.prefixes[2]", ("properties", "prefixes", ANY)),
    "an id as a key": ("identity.users['/subscriptions/S/x/'].id", ("identity", "users", "/subscriptions/s/x", "id")),
    "the whole": ("", ()),
}


@pytest.mark.parametrize(("path", "steps"), PATHS.values(), ids=PATHS)
def test_steps(path: str, steps: tuple[str | None, ...]) -> None:
    assert steps_of(path) == steps


PLACES = {
    "a subnet": (f"{VNET}/subnets/A", "properties.x", VNET, ("properties", "subnets", "a", "properties", "x")),
    "a rule": (f"{GROUP}/securityRules/R", "", GROUP, ("properties", "securityrules", "r")),
    "a pool is spelled otherwise in its cluster": (
        f"{CLUSTER}/agentPools/P", "", CLUSTER, ("properties", "agentpoolprofiles", "p"),
    ),
    "an extension stands by itself": (
        f"{CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/azureml", "properties.y",
        f"{CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/azureml", ("properties", "y"),
    ),
    "an endpoint of a workspace too": (
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/e",
        "", "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
        "/onlineEndpoints/e", (),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("resource", "path", "tracked", "steps"), PLACES.values(), ids=PLACES)
def test_place(resource: str, path: str, tracked: str, steps: tuple[str | None, ...]) -> None:
    assert place_of(resource, path) == Place(tracked.casefold(), steps)


def test_what_is_no_arm_id_has_no_place() -> None:
    assert place_of("not an id", "x") is None


def place(resource: str, path: str = "") -> Place:
    found = place_of(resource, path)
    assert found is not None
    return found


RULE = place(f"{GROUP}/securityRules/R", "properties.priority")
CONCERNED = {
    "itself": (place(GROUP, 'properties.securityRules["r"].properties.priority'), True),
    "its rule": (place(GROUP, 'properties.securityRules["R"]'), True),
    "all rules": (place(GROUP, "properties.securityRules"), True),
    "below it": (place(GROUP, 'properties.securityRules["R"].properties.priority[0]'), True),
    "any rule": (place(GROUP, "properties.securityRules[].properties.priority"), True),
    "the whole group": (place(GROUP), True),
    "another property of the rule": (place(GROUP, 'properties.securityRules["R"].properties.access'), False),
    "another rule": (place(GROUP, 'properties.securityRules["RR"].properties.priority'), False),
    "another group": (place(GROUP + "2", 'properties.securityRules["R"].properties.priority'), False),
}


@pytest.mark.parametrize(("other", "yes"), CONCERNED.values(), ids=CONCERNED)
def test_a_change_concerns_what_lies_at_above_or_below_it(other: Place, yes: bool) -> None:
    assert RULE.concerns(other) is yes
    assert other.concerns(RULE) is yes


def test_a_place_holds_itself_and_what_is_below_it() -> None:
    above = place(GROUP, "properties.securityRules")
    assert above.holds(RULE)
    assert RULE.holds(RULE)
    assert not RULE.holds(above)


def test_lists_that_a_permission_rests_on() -> None:
    assert list(lists_of([RULE, place(VNET, "properties.dhcpOptions")])) == [place(GROUP, "properties.securityRules")]
