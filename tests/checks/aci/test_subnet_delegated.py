"""aci-subnet-delegated: the subnet's delegation, by service name and nothing else."""

import pytest

from auditor.inventory import Configured
from tests.estate import ACI, Thing, arm, audit, container_group, outcomes, subnet

CHECK = "aci-subnet-delegated"
WEB = "Microsoft.Web/serverFarms"


def named_only() -> Thing:
    made = subnet("aci")
    made.body["delegations"] = [{"name": ACI, "properties": {"serviceName": WEB}}]
    return container_group(into=made)


def pending() -> Thing:
    made = subnet("aci", delegated_to=ACI)
    made.body["delegations"][0]["properties"]["provisioningState"] = "Updating"
    return container_group(into=made)


def malformed() -> Thing:
    made = subnet("aci")
    made.body["delegations"] = "Microsoft.ContainerInstance/containerGroups"
    return container_group(into=made)


PROFILE = arm("ml", "Microsoft.Network/networkProfiles", "old")


def by_empty_profile() -> Thing:
    made = container_group(networkProfile={"id": PROFILE})
    body = {"id": PROFILE, "type": "microsoft.network/networkprofiles", "name": "old", "properties": {}}
    made.parts.append(Thing(PROFILE, [body]))
    return made


CASES = {
    "delegated": (container_group(into=subnet("aci", delegated_to=ACI)), "pass", "delegated"),
    "odd casing": (container_group(into=subnet("aci", delegated_to=ACI.upper())), "pass", "delegated"),
    "bare": (container_group(into=subnet("aci")), "fail", "not-delegated"),
    "other service": (container_group(into=subnet("aci", delegated_to=WEB)), "fail", "not-delegated"),
    "look-alike": (container_group(into=subnet("aci", delegated_to=ACI + "X")), "fail", "not-delegated"),
    "singular look-alike": (container_group(into=subnet("aci", delegated_to=ACI[:-1])), "fail", "not-delegated"),
    "right name, wrong service": (named_only(), "fail", "not-delegated"),
    "two services": (container_group(into=subnet("aci", delegated_to=[ACI, WEB])), "fail", "several-delegations"),
    "not yet provisioned": (pending(), "warn", "delegation-pending"),
    "unreadable": (container_group(into=subnet("aci", readable=False)), "unknown", "subnet-unread"),
    "malformed": (malformed(), "unknown", "subnet-unread"),
    "profile unreadable": (
        container_group(networkProfile={"id": PROFILE}), "unknown", "network-profile-unread"
    ),
    "profile that names no subnet": (by_empty_profile(), "unknown", "network-profile-unread"),
    "public": (container_group(), "not-applicable", "no-vnet"),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(estate: Thing, outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, estate)) == [(outcome, reason)]


def test_the_finding_is_about_the_subnet_and_names_the_group() -> None:
    group = container_group(into=subnet("aci"))
    [finding] = audit(CHECK, group)
    assert finding.resource.name == "aci"
    assert finding.resource.type == "microsoft.network/virtualnetworks/subnets"
    assert finding.related == (group.id,)
    assert finding.remediation.commands[0].text.startswith("az network vnet subnet update --ids /subscriptions/")


def test_two_groups_in_one_subnet_are_one_finding() -> None:
    into = subnet("aci")
    [finding] = audit(CHECK, container_group("a", into=into), container_group("b", into=into))
    assert len(finding.related) == 2


def test_a_subnet_with_a_private_endpoint_needs_another_subnet() -> None:
    into = subnet("aci", privateEndpoints=[{"id": arm("net", "Microsoft.Network/privateEndpoints", "pe")}])
    [finding] = audit(CHECK, container_group(into=into))
    assert finding.remediation.commands == ()
    assert "subnet of its own" in finding.remediation.summary


def test_configured_subnets_are_judged_without_a_group() -> None:
    into = subnet("aci")
    assert outcomes(audit(CHECK, into, configured=Configured(aci_subnets=(into.id,)))) == [("fail", "not-delegated")]
