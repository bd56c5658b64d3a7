"""aks-apiserver-subnet: delegation, size and guests of the subnet that an API server lies in."""

from typing import Any

import pytest

from tests.estate import (
    SUB,
    SubnetThing,
    Thing,
    arm,
    audit,
    balancer,
    cluster,
    frontend,
    outcomes,
    pool,
    private_endpoint,
    storage,
    subnet,
)

CHECK = "aks-apiserver-subnet"
AKS = "Microsoft.ContainerService/managedClusters"


def api(prefix: Any = "10.0.16.0/28", **more: Any) -> SubnetThing:
    return subnet("api", prefix, **{"delegated_to": AKS, **more})


def ml(into: SubnetThing, name: str = "ml", **more: Any) -> Thing:
    return cluster(
        name, nodes=subnet(), api_server={"enableVnetIntegration": True, "subnetId": into.id}, parts=[into], **more
    )


def configurations(*ids: str) -> dict[str, Any]:
    return {"ipConfigurations": [{"id": one} for one in ids]}


KUBE = f"{arm('MC', 'Microsoft.Network/loadBalancers', 'kube-apiserver')}/frontendIPConfigurations/f"
NODE = f"{arm('mc', 'Microsoft.Compute/virtualMachineScaleSets', 'aks')}/virtualMachines/0/networkInterfaces/n"
MACHINE = f"{arm('apps', 'Microsoft.Network/networkInterfaces', 'vm')}/ipConfigurations/c"
INJECTED = MACHINE.replace(SUB, "99999999-9999-9999-9999-999999999999")
ENDPOINT = arm("apps", "Microsoft.Network/privateEndpoints", "pe")
LINKED = {"serviceAssociationLinks": [{"properties": {"linkedResourceType": AKS}}]}
FOREIGN = {"serviceAssociationLinks": [{"properties": {"linkedResourceType": "Microsoft.Web/serverFarms"}}]}

ON_SUBNET: dict[str, tuple[list[Thing], str, str]] = {
    "as documented": ([ml(api())], "pass", "api-server-subnet"),
    "delegation in odd casing": ([ml(api(delegated_to=AKS.upper()))], "pass", "api-server-subnet"),
    "larger": ([ml(api("10.0.16.0/24"))], "pass", "api-server-subnet"),
    "plural prefixes": ([ml(api(["10.0.16.0/28"]))], "pass", "api-server-subnet"),
    "shared by two clusters": ([ml(api()), ml(api(), "two", node_group="mc2")], "pass", "api-server-subnet"),
    "AKS's load balancer, group in other casing": ([ml(api(**configurations(KUBE)))], "pass", "api-server-subnet"),
    "AKS's load balancer by its frontends": (
        [ml(api()), balancer("kube-apiserver", frontend(inside=api(), address="10.0.16.4"))],
        "pass", "api-server-subnet"),
    "AKS's own, injected from its subscription": (
        [ml(api(**configurations(INJECTED), **LINKED))], "pass", "api-server-subnet"),
    "bare": ([ml(api(delegated_to=None))], "fail", "not-delegated"),
    "delegated to another service": ([ml(api(delegated_to="Microsoft.Web/serverFarms"))], "fail", "not-delegated"),
    "look-alike": ([ml(api(delegated_to=AKS + "X"))], "fail", "not-delegated"),
    "a /29": ([ml(api("10.0.16.0/29"))], "fail", "too-small"),
    "two /29 are no /28": ([ml(api(["10.0.16.0/29", "10.0.16.8/29"]))], "fail", "too-small"),
    "no prefix": ([ml(api(None))], "unknown", "prefix-unread"),
    "prefix that is none": ([ml(api("10.0.16.0/99"))], "unknown", "prefix-unparsable"),
    "private endpoint": ([ml(api(privateEndpoints=[{"id": ENDPOINT}]))], "fail", "private-endpoints-in-it"),
    "private endpoint that the network's row does not show yet": (
        [ml(api()), private_endpoint("pe", to=storage(), into=api(), group_id="blob")],
        "fail", "private-endpoints-in-it"),
    "a machine": ([ml(api(**configurations(MACHINE)))], "fail", "guests-in-it"),
    "nodes by their interfaces": ([ml(api(**configurations(NODE)))], "fail", "guests-in-it"),
    "something that is no id": ([ml(api(**configurations("x")))], "fail", "guests-in-it"),
    "another service's link": ([ml(api(**FOREIGN))], "fail", "guests-in-it"),
    "nodes by an agent pool": ([ml(api(), pools=[pool(api())])], "fail", "nodes-in-it"),
    "unreadable": ([ml(api(readable=False, vnet="far"))], "unknown", "subnet-unread"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), ON_SUBNET.values(), ids=ON_SUBNET)
def test_of_a_subnet(things: list[Thing], outcome: str, reason: str) -> None:
    [finding] = audit(CHECK, things)
    assert (str(finding.outcome), finding.reason) == (outcome, reason)
    assert finding.resource.name == "api"


INTEGRATED = {"enableVnetIntegration": True}
ON_CLUSTER: dict[str, tuple[Thing, str, str]] = {
    "private link": (cluster(nodes=subnet()), "not-applicable", "no-vnet-integration"),
    "subnet without integration": (
        cluster(nodes=subnet(), api_server={"subnetId": api().id}), "not-applicable", "no-vnet-integration"),
    "AKS's own subnet": (cluster(api_server=INTEGRATED), "not-applicable", "managed-subnet"),
    "cut short": (
        cluster(networkProfile=None, agentPoolProfiles=None, private=None), "unknown", "cluster-unreadable"),
    "pools cut off": (
        cluster(agentPoolProfiles=None, api_server={**INTEGRATED, "subnetId": api().id}),
        "unknown", "cluster-unreadable"),
}  # fmt: skip


@pytest.mark.parametrize(("thing", "outcome", "reason"), ON_CLUSTER.values(), ids=ON_CLUSTER)
def test_of_a_cluster(thing: Thing, outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, thing)) == [(outcome, reason)]


def test_all_that_is_wrong_is_said() -> None:
    [finding] = audit(CHECK, ml(api("10.0.16.0/29", delegated_to=None, **configurations(MACHINE))))
    assert set(finding.reasons) == {"not-delegated", "too-small", "guests-in-it"}


def test_the_command_delegates_this_subnet() -> None:
    [finding] = audit(CHECK, ml(api(delegated_to=None)))
    assert finding.remediation.commands[0].text == (
        f"az network vnet subnet update --ids {api().id} --delegations {AKS}"
    )
