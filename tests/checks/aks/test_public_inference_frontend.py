"""aks-public-inference-frontend: frontends by what they do."""

from typing import Any

import pytest

from tests.estate import (
    Thing,
    attached,
    audit,
    balancer,
    cluster,
    compute,
    endpoint,
    extension,
    frontend,
    gap,
    outcomes,
    public_ip,
    rg,
    subnet,
    workspace,
)

CHECK = "aks-public-inference-frontend"
NODES = subnet()
ML = cluster(nodes=NODES)
EGRESS = frontend("egress", public=public_ip("out", "20.60.0.9"), ports=(), outbound=True)
INSIDE = frontend("inside", inside=NODES, address="10.0.0.200")
OUTSIDE = frontend("outside", public=public_ip("in", "20.60.0.1"))
SSH = frontend("ssh", public=public_ip("ssh", "20.60.0.2"), ports=(22,))


def ml(*balancers: Thing, **settings: Any) -> list[Thing]:
    ws = workspace()
    return [ws, compute(ML, of=ws), extension(ML, settings=settings), *balancers]


def public_router(*balancers: Thing) -> list[Thing]:
    return ml(*balancers, internalLoadBalancerProvider=None)


def scored(uri: str) -> list[Thing]:
    ws = workspace()
    aks = compute(ML, of=ws)
    return [extension(ML), endpoint(ws, compute=aks, uri=uri), balancer("kubernetes", OUTSIDE)]


def v1(*balancers: Thing, **settings: Any) -> list[Thing]:
    return [compute(ML, of=workspace(), kind="AKS", settings=settings), *balancers]


def portless(made: Thing) -> Thing:
    """A load balancer whose rules do not say for which port they are."""
    for each in made.rows[0]["properties"]["loadBalancingRules"]:
        del each["properties"]["frontendPort"]
    return made


CASES = {
    "internal": (ml(balancer("kubernetes-internal", INSIDE)), [("pass", "internal")]),
    "internal and egress": (
        ml(balancer("kubernetes", EGRESS), balancer("kubernetes-internal", INSIDE)),
        [("not-applicable", "outbound-only"), ("pass", "internal")]),
    "public router": (public_router(balancer("kubernetes", OUTSIDE)), [("fail", "public-candidate")]),
    "public on a balancer called internal": (
        public_router(balancer("kubernetes-internal", OUTSIDE)), [("fail", "public-candidate")]),
    "public serves egress too": (
        public_router(balancer("kubernetes", frontend("both", public=public_ip("in"), outbound=True))),
        [("fail", "public-candidate")]),
    "public beside an internal one": (
        public_router(balancer("kubernetes", OUTSIDE, INSIDE)),
        [("pass", "internal"), ("warn", "public-frontend-of-unknown-service")]),
    "public while internal was asked for": (
        ml(balancer("kubernetes", OUTSIDE)), [("warn", "public-frontend-of-unknown-service")]),
    "public, and the endpoint's address": (
        scored("https://20.60.0.1/api/v1/score"), [("fail", "public-scoring-address")]),
    "public, the endpoint elsewhere": (
        scored("https://10.0.0.200/score"), [("warn", "public-frontend-of-unknown-service")]),
    "v1 system service": (
        v1(balancer("kubernetes", OUTSIDE), systemServices=[
            {"systemServiceType": "ScoringFrontEnd", "publicIpAddress": "20.60.0.1"}]),
        [("fail", "public-scoring-address")]),
    "other port": (
        ml(balancer("kubernetes", SSH, INSIDE)), [("pass", "internal"), ("warn", "public-other-port")]),
    "a port that is not in the data": (
        ml(portless(balancer("kubernetes", SSH)), internalLoadBalancerProvider=None), [("unknown", "ports-unread")]),
    "cluster IP": (ml(inferenceRouterServiceType="clusterIP"), [("pass", "cluster-ip")]),
    "nothing yet": (ml(balancer("kubernetes", EGRESS)),
                    [("not-applicable", "outbound-only"), ("unknown", "no-frontend-yet")]),
    "a frontend without rules": (
        ml(balancer("kubernetes", frontend("spare", public=public_ip("in"), ports=())),
           balancer("kubernetes-internal", INSIDE)),
        [("not-applicable", "idle"), ("pass", "internal")]),
    "node group unread": (
        ml(gap(rg("mc"), "microsoft.network/loadbalancers")), [("unknown", "frontends-unread")]),
    "attachment unread": (
        [ML, balancer("kubernetes", OUTSIDE), gap("/", "kubernetesconfigurationresources")],
        [("unknown", "inference-unread")]),
    "not attached": ([ML, balancer("kubernetes", OUTSIDE)], [("not-applicable", "no-inference")]),
}  # fmt: skip


@pytest.mark.parametrize(("things", "expected"), CASES.values(), ids=CASES)
def test_outcomes(things: list[Thing], expected: list[tuple[str, str]]) -> None:
    assert outcomes(audit(CHECK, things)) == expected


def test_user_defined_routing_has_no_frontend_for_egress() -> None:
    forced = cluster(nodes=NODES, network={"outboundType": "userDefinedRouting"})
    assert outcomes(audit(CHECK, attached(forced))) == [("pass", "no-frontend")]


def test_nodes_with_addresses_of_their_own() -> None:
    body = {"name": "gpu", "count": 1, "vnetSubnetID": NODES.id, "enableNodePublicIP": True}
    made = cluster(nodes=NODES, pools=[body])
    found = audit(CHECK, attached(made), balancer("kubernetes-internal", INSIDE))
    assert outcomes(found) == [("pass", "internal"), ("warn", "node-public-ip")]


def test_an_application_gateway_is_named_since_it_may_publish_what_is_internal() -> None:
    addon = {"ingressApplicationGateway": {"enabled": True}}
    made = cluster(nodes=subnet(), addonProfiles=addon)
    found = audit(CHECK, attached(made), balancer("kubernetes-internal", frontend(inside=subnet(), address="10.0.0.9")))
    [notes] = [[e.note for e in finding.evidence if "addonProfiles" in e.path] for finding in found]
    assert notes == ["its gateway may publish internal services too"]
