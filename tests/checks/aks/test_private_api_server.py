"""aks-private-api-server: private mode, whatever the names look like."""

import pytest

from tests.estate import SUB, Thing, audit, cluster, outcomes, subnet

CHECK = "aks-private-api-server"

CASES = {
    "private link": (cluster(), "pass", "private"),
    "VNet integration, private": (cluster(api_server={"enableVnetIntegration": True}), "pass", "private"),
    "private with a public name": (cluster(fqdn="ml.hcp.eastus2.azmk8s.io"), "pass", "private"),
    "property in odd casing": (
        cluster(private=None, api_server={"ENABLEPRIVATECLUSTER": True}), "pass", "private"),
    "false": (cluster(private=False), "fail", "public"),
    "unset": (cluster(private=None), "fail", "public"),
    "profile missing, private FQDN alone": (
        cluster(private=None, privateFQDN="ml.privatelink.eastus2.azmk8s.io"), "fail", "public"),
    "narrowed": (
        cluster(private=False, api_server={"authorizedIPRanges": ["203.0.113.0/24"]}), "fail", "public-narrowed"),
    "VNet integration without private mode": (
        cluster(private=False, api_server={"enableVnetIntegration": True}), "fail", "public-with-vnet-integration"),
    "cut short": (
        cluster(private=None, networkProfile=None, agentPoolProfiles=None), "unknown", "cluster-unreadable"),
    "wrong type": (
        cluster(private=None, api_server={"enablePrivateCluster": "true"}), "unknown", "cluster-unreadable"),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(estate: Thing, outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, estate)) == [(outcome, reason)]


def test_the_switch_in_place_is_offered_only_with_integration() -> None:
    [public] = audit(CHECK, cluster(private=False, nodes=subnet()))
    [integrated] = audit(CHECK, cluster(private=False, api_server={"enableVnetIntegration": True}))
    assert public.remediation.commands == ()
    assert (
        integrated.remediation.commands[0].text
        == f"az aks update -g aks -n ml --enable-private-cluster --subscription {SUB}"
    )
