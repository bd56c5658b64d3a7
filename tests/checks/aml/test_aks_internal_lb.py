"""aml-aks-internal-lb: what was asked for, by v1 computes and by the extension."""

from typing import Any

import pytest

from tests.estate import Thing, audit, cluster, compute, extension, outcomes, subnet, workspace

CHECK = "aml-aks-internal-lb"
NODES = subnet()
ML = cluster(nodes=NODES)


def v1(settings: dict[str, Any] | None, to: Thing = ML) -> list[Thing]:
    return [compute(to, of=workspace(), kind="AKS", settings=settings)]


def v2(**settings: Any) -> list[Thing]:
    return [extension(ML, settings=settings)]


INTERNAL = {"loadBalancerType": "InternalLoadBalancer", "loadBalancerSubnet": "nodes"}

CASES = {
    "v1 internal": (v1(INTERNAL), "pass", "internal"),
    "v1 internal, odd casing": (v1({**INTERNAL, "loadBalancerType": "internalloadbalancer"}), "pass", "internal"),
    "v1 internal, property in odd casing": (
        v1({"LoadBalancerType": "InternalLoadBalancer", "loadbalancersubnet": "NODES"}), "pass", "internal"),
    "v1 without a subnet": (v1({"loadBalancerType": "InternalLoadBalancer"}), "warn", "no-subnet"),
    "v1 public": (v1({"loadBalancerType": "PublicIp"}), "fail", "public-ip"),
    "v1 unset among others": (v1({"clusterPurpose": "FastProd"}), "fail", "public-ip"),
    "v1 subnet of another network": (
        v1({**INTERNAL, "loadBalancerSubnet": "elsewhere"}), "fail", "subnet-not-in-network"),
    "v1 nulls": (v1(None), "unknown", "compute-properties-null"),
    "v1 all members null": (v1({"loadBalancerType": None}), "unknown", "compute-properties-null"),
    "v1 cluster unread": (v1(INTERNAL, cluster(nodes=NODES).unread()), "unknown", "cluster-unreadable"),
    "v1 network unread": (
        v1(INTERNAL, cluster(nodes=subnet(readable=False))), "unknown", "subnet-unread"),
    "v2 internal": (v2(), "pass", "internal"),
    "v2 internal, odd casing": (
        v2(inferenceRouterServiceType="loadBalancer", internalLoadBalancerProvider="Azure"), "pass", "internal"),
    "v2 cluster IP": (v2(inferenceRouterServiceType="clusterIP"), "pass", "cluster-ip"),
    "v2 node port": (v2(inferenceRouterServiceType="nodePort"), "warn", "node-port"),
    "v2 public": (v2(internalLoadBalancerProvider=None), "fail", "public-ip"),
    "v2 type unset": (v2(inferenceRouterServiceType=None), "unknown", "service-type-unset"),
    "v2 settings unread": (
        [extension(ML, configurationSettings=None)], "unknown", "settings-unread"),
    "v2 malformed": ([extension(ML, configurationSettings="x")], "unknown", "resource-unreadable"),
    "v2 training only": (v2(enableInference="False"), "not-applicable", "no-inference"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def test_a_v2_compute_is_its_extensions_matter() -> None:
    assert audit(CHECK, compute(ML, of=workspace())) == []


def test_the_commands_are_those_of_the_generation() -> None:
    [old] = audit(CHECK, v1({"loadBalancerType": "PublicIp"}))
    [new] = audit(CHECK, v2(internalLoadBalancerProvider=None))
    assert "--load-balancer-subnet nodes" in old.remediation.commands[0].text
    assert "az k8s-extension update -g aks -c ml" in new.remediation.commands[0].text
