"""aci-subnet-usable: what shares the subnet, where it lies, and how many addresses are left."""

from typing import Any

import pytest

from auditor.inventory import Configured
from tests.estate import (
    OTHER_SUB,
    SUB,
    Thing,
    arm,
    audit,
    cluster,
    container_group,
    gap,
    outcomes,
    peering,
    private_endpoint,
    registry,
    rg,
    subnet,
    vnet,
    workspace,
)

CHECK = "aci-subnet-usable"
NICS = "Microsoft.Network/networkInterfaces"
HUB = arm("hub", "Microsoft.Network/virtualNetworks", "hub")
PROFILE = arm("ml", "Microsoft.Network/networkProfiles", "old")
WORKSPACES = gap(rg("ml"), "microsoft.machinelearningservices/workspaces")


def here(prefix: str = "10.0.0.0/24", **more: Any) -> Any:
    return subnet("aci", prefix, **more)


def groups(number: int, into: Any) -> list[Thing]:
    return [container_group(f"g{n}", into=into) for n in range(number)]


def used_by(*configurations: str) -> Thing:
    return container_group(into=here(ipConfigurations=[{"id": one} for one in configurations]))


def linked(kind: str) -> Thing:
    links = [{"name": "link", "properties": {"linkedResourceType": kind}}]
    return container_group(into=here(serviceAssociationLinks=links))


def with_nic() -> list[Thing]:
    into = here()
    properties = {"ipConfigurations": [{"properties": {"subnet": {"id": into.id.upper()}}}]}
    nic = Thing(
        "", [{"id": arm("vm", NICS, "vm-nic"), "type": NICS.lower(), "name": "vm-nic", "properties": properties}]
    )
    return [container_group(into=into), nic]


def peered(region: str | None, *, endpoint: bool = True) -> list[Thing]:
    into = here()
    images = registry()
    estate = [container_group(into=into), workspace(registry=images), vnet(peerings=[peering(HUB)])]
    far = subnet("pe", "10.9.0.0/24", vnet="hub", group="hub")
    if region is not None:
        estate.append(vnet("hub", far, group="hub", region=region, prefixes=["10.9.0.0/16"]))
    else:
        estate.append(gap(HUB))
    if endpoint:
        estate.append(private_endpoint("pe", to=images, into=far, group_id="registry"))
    return estate


def malformed() -> Thing:
    made = here()
    made.body["delegations"] = "no list"
    return container_group(into=made)


CASES: dict[str, tuple[Any, str, str]] = {
    "a subnet of its own": (container_group(into=here()), "pass", "usable"),
    "its own profile": (used_by(f"{PROFILE}/containerNetworkInterfaceConfigurations/eth0/ipConfigurations/ip"),
                        "pass", "usable"),
    "its own link": (linked("Microsoft.ContainerInstance/containerGroups"), "pass", "usable"),
    "its own link in other casing": (linked("microsoft.containerinstance/CONTAINERGROUPS"), "pass", "usable"),
    "a virtual machine's interface": (used_by(f"{arm('vm', NICS, 'vm')}/ipConfigurations/ip"), "fail", "shared"),
    "an interface that names the subnet": (with_nic(), "fail", "shared"),
    "a private endpoint": (
        container_group(into=here(privateEndpoints=[{"id": arm("net", "Microsoft.Network/privateEndpoints", "pe")}])),
        "fail", "shared"),
    "a private endpoint that the network's row does not show yet": (
        [container_group(into=here()),
         private_endpoint("pe", to=registry("other"), into=here(), group_id="registry")], "fail", "shared"),
    "AKS nodes": ([container_group(into=here()), cluster(nodes=here())], "fail", "shared"),
    "another service's link": (linked("Microsoft.Web/serverFarms"), "fail", "other-service"),
    "other subscription": (
        [container_group(into=here(sub=OTHER_SUB))], "fail", "other-subscription"),
    "other region": (container_group(into=here(), region="westeurope"), "fail", "other-region"),
    "region spelled for people": (container_group(into=here(), region="East US 2"), "pass", "usable"),
    "full": (groups(3, here("10.0.0.0/29")), "fail", "full"),
    "one address left of three": (groups(2, here("10.0.0.0/29")), "pass", "usable"),
    "fewer than a fifth left": (groups(9, here("10.0.0.0/28")), "warn", "nearly-full"),
    "more than a fifth left": (groups(8, here("10.0.0.0/28")), "pass", "usable"),
    "windows": (container_group(into=here(), osType="Windows"), "warn", "windows"),
    "public address": (
        container_group(into=here(), ipAddress={"type": "Public", "ip": "20.1.1.1"}), "warn", "public-address"),
    "DNS label": (
        container_group(into=here(), ipAddress={"type": "Private", "dnsNameLabel": "x"}), "warn", "public-address"),
    "private address": (container_group(into=here(), ipAddress={"type": "Private"}), "pass", "usable"),
    "dependency over a global peering": (peered("westeurope"), "warn", "global-peering"),
    "dependency over a peering at home": (peered("East US 2"), "pass", "usable"),
    "a global peering that carries nothing": (peered("westeurope", endpoint=False), "pass", "usable"),
    "a global peering, workspaces unread": (
        [*peered("westeurope", endpoint=False), WORKSPACES], "unknown", "peer-unread"),
    "the peer unread": (peered(None), "unknown", "peer-unread"),
    "no prefix": (container_group(into=subnet("aci", None)), "unknown", "prefix-unread"),
    "group without a location": (container_group(into=here(), region=""), "unknown", "region-unread"),
    "unreadable": (container_group(into=here(readable=False)), "unknown", "subnet-unread"),
    "malformed": (malformed(), "unknown", "subnet-unread"),
    "profile unreadable": (
        container_group(networkProfile={"id": PROFILE}), "unknown", "network-profile-unread"),
    "public": (container_group(), "not-applicable", "no-vnet"),
}  # fmt: skip
MORE = {"other subscription": {"scopes": [f"/subscriptions/{SUB}", f"/subscriptions/{OTHER_SUB}"]}}


@pytest.mark.parametrize("name", CASES)
def test_outcome(name: str) -> None:
    estate, outcome, reason = CASES[name]
    assert outcomes(audit(CHECK, estate, **MORE.get(name, {}))) == [(outcome, reason)]


def test_everything_that_is_wrong_is_said() -> None:
    estate = [container_group(into=here(), region="westeurope", osType="Windows"), cluster(nodes=here())]
    [finding] = audit(CHECK, estate)
    assert finding.outcome == "fail"
    assert set(finding.reasons) == {"shared", "other-region", "windows"}


def test_another_subnet_without_a_deployment_is_no_cure() -> None:
    [finding] = audit(CHECK, [container_group(into=here()), cluster(nodes=here())], vnet(prefixes=["10.0.0.0/16"]))
    assert (finding.reason, finding.remediation.commands) == ("shared", ())


def test_configured_subnets_are_judged_without_a_group() -> None:
    into = here()
    assert outcomes(audit(CHECK, into, configured=Configured(aci_subnets=(into.id,)))) == [("pass", "usable")]
