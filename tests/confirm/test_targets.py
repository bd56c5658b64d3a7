"""What is read again for a finding: at most two resources, those that its evidence shows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from auditor.confirm import targets_of
from auditor.confirm.reading import operation_of
from auditor.confirm.targets import API_VERSIONS, BY_SDK, AssignmentsOf, One, Target, readable
from auditor.findings import EvidenceRecord, Finding
from auditor.inventory.shapes import BODIES
from tests.estate import CONTROL, SUB, cluster, grant, inventory
from tests.nights import finding

RG = f"/subscriptions/{SUB}/resourceGroups/rg/providers"
GROUP, VNET = f"{RG}/Microsoft.Network/networkSecurityGroups/n", f"{RG}/Microsoft.Network/virtualNetworks/v"
NODES = f"{VNET}/subnets/nodes"
CLUSTER = f"{RG}/Microsoft.ContainerService/managedClusters/c"
EXTENSION = f"{CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/azureml"
BALANCER = f"{RG}/Microsoft.Network/loadBalancers/kubernetes"
GRANT = f"/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Authorization/roleAssignments/a"
ROLE = "/providers/Microsoft.Authorization/roleDefinitions/r"


def rests_on(*resources: str, **more: Any) -> Finding:
    """A finding about the nodes' subnet with this evidence, in this order."""
    records = tuple(EvidenceRecord(resource=each, path="properties", value="x") for each in resources)
    return msgspec.structs.replace(finding("c", NODES, "fail"), evidence=records, **more)


def one(resource: str) -> Target:
    return One.of(resource)


CASES: dict[str, tuple[Finding, list[Target]]] = {
    "a rule's group": (rests_on(f"{GROUP}/securityRules/r"), [one(GROUP)]),
    "a default rule's group": (rests_on(f"{GROUP}/defaultSecurityRules/r"), [one(GROUP)]),
    "a subnet's network": (rests_on(NODES), [one(VNET)]),
    "a pool's cluster": (rests_on(f"{CLUSTER}/agentPools/p"), [one(CLUSTER)]),
    "a frontend's balancer": (rests_on(f"{BALANCER}/frontendIPConfigurations/f"), [one(BALANCER)]),
    "an extension by itself": (rests_on(EXTENSION), [one(EXTENSION)]),
    "two rules of a group are one read": (rests_on(f"{GROUP}/securityRules/a", f"{GROUP}/securityRules/b"),
                                          [one(GROUP)]),
    "the first two of three": (rests_on(GROUP, VNET, CLUSTER), [one(GROUP), one(VNET)]),
    "service tags are in no ARM resource": (rests_on("/servicetags/public", GROUP), [one(GROUP)]),
    "without evidence the resource itself": (rests_on(), [one(VNET)]),
    "without evidence the resource and its part": (rests_on(part=CLUSTER.casefold()), [one(VNET), one(CLUSTER)]),
    "evidence outside ARM only": (rests_on("configuration", resource=finding("c", "/subscriptions/x").resource), []),
    "a role's definition": (rests_on(ROLE), [one(ROLE)]),
    "an assignment of nobody known": (rests_on(GRANT), [one(GRANT)]),
    "a missing right: the principal at the scope, and the cluster that names it": (
        rests_on(CLUSTER, GRANT, part=NODES.casefold(), facts={"object_id": CONTROL}),
        [AssignmentsOf.at(NODES, CONTROL), one(CLUSTER)],
    ),
    "the lower of two scopes, since it tells the upper one's too": (
        rests_on(CLUSTER, facts={"object_id": CONTROL, "subnet_id": NODES, "group_id": NODES.split("/providers")[0]}),
        [AssignmentsOf.at(NODES, CONTROL), one(CLUSTER)],
    ),
    "two scopes beside each other": (
        rests_on(CLUSTER, facts={"object_id": CONTROL, "zone_id": GROUP, "network_id": VNET}),
        [AssignmentsOf.at(GROUP, CONTROL), AssignmentsOf.at(VNET, CONTROL)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("about", "targets"), CASES.values(), ids=CASES)
def test_targets(about: Finding, targets: list[Target]) -> None:
    assert list(targets_of(about, inventory(cluster()))) == targets


def test_an_assignment_of_a_principal_is_read_with_its_others() -> None:
    held = grant(CONTROL, on=f"/subscriptions/{SUB}")
    [target] = targets_of(rests_on(held.id), inventory(held))
    assert target == AssignmentsOf.at(f"/subscriptions/{SUB}", CONTROL)


def test_an_assignment_of_a_group_is_read_by_itself() -> None:
    """`assignedTo` takes no group."""
    held = grant("g", on=f"/subscriptions/{SUB}", kind="Group")
    [target] = targets_of(rests_on(held.id), inventory(held))
    assert target == One.of(held.id)


def test_casing_makes_no_second_read() -> None:
    assert targets_of(rests_on(GROUP, GROUP.upper()), inventory()) == (One.of(GROUP),)


@pytest.mark.parametrize("kind", sorted(set(API_VERSIONS) | BY_SDK))
def test_each_type_that_is_read_again_is_one_that_the_inventory_takes(kind: str) -> None:
    assert kind in BODIES
    assert operation_of(kind).startswith("Confirm/")
    namespace, *types = kind.split("/")
    identity = f"/subscriptions/s/resourceGroups/g/providers/{namespace}" + "".join(f"/{each}/x" for each in types)
    assert readable(identity) == One.of(identity)
