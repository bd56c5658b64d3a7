"""aml-inference-tls: plain HTTP, and whether a public frontend serves it."""

from typing import Any

import pytest

from tests.estate import (
    SUB,
    Thing,
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
    subnet,
    workspace,
)

CHECK = "aml-inference-tls"
NODES = subnet()
ML = cluster(nodes=NODES)
PUBLIC = balancer("kubernetes", frontend(public=public_ip("ip"), ports=(80,)))
OTHER = balancer("kubernetes", frontend(public=public_ip("ip"), ports=(8080,)))
INTERNAL = balancer("kubernetes-internal", frontend(inside=NODES, address="10.0.0.9", ports=(80,)))
EGRESS = balancer("kubernetes", frontend(public=public_ip("ip"), ports=(), outbound=True))
UNASKED: dict[str, Any] = {"internalLoadBalancerProvider": None}


def v2(*things: Thing, insecure: Any = "True", **settings: Any) -> list[Thing]:
    return [extension(ML, settings={"allowInsecureConnections": insecure, **settings}), *things]


def v1(status: str | None, *things: Thing, **settings: Any) -> list[Thing]:
    chosen = {"sslConfiguration": {"status": status}, **settings}
    return [compute(ML, of=workspace(), kind="AKS", settings=chosen), *things]


SCORED = endpoint(workspace(), compute=compute(ML, of=workspace()), uri="http://20.60.0.1/score")
SCORED_INSIDE = endpoint(workspace(), compute=compute(ML, of=workspace()), uri="http://10.0.0.9/score")
HIDDEN = gap("/", "microsoft.network/loadbalancers")


def served(address: str) -> dict[str, Any]:
    return {"systemServices": [{"systemServiceType": "ScoringFrontEnd", "publicIpAddress": address}]}


CASES: dict[str, tuple[list[Thing], str, str]] = {
    "v2 false": (v2(insecure="False"), "pass", "tls"),
    "v2 unset": (v2(insecure=None), "pass", "tls"),
    "v2 false, public all the same": (v2(PUBLIC, insecure="False", **UNASKED), "pass", "tls"),
    "v2 false, frontends do not matter": (v2(HIDDEN, insecure="False"), "pass", "tls"),
    "v2 plain, internal": (v2(INTERNAL), "warn", "plain-http"),
    "v2 plain, nothing there yet": (v2(), "warn", "plain-http"),
    "v2 plain, odd casing": (v2(INTERNAL, insecure="TRUE"), "warn", "plain-http"),
    "v2 plain, with a blank": (v2(INTERNAL, insecure=" true"), "warn", "plain-http"),
    "v2 a value unheard of": (v2(PUBLIC, insecure="yes"), "unknown", "insecure-unheard-of"),
    "v2 false, a boolean": (v2(insecure=False), "pass", "tls"),
    "v2 inference by a value unheard of": (v2(PUBLIC, enableInference="yes", **UNASKED), "fail", "plain-http-public"),
    "v2 plain, a boolean": (v2(INTERNAL, insecure=True), "warn", "plain-http"),
    "v2 plain, egress is no service": (v2(EGRESS, **UNASKED), "warn", "plain-http"),
    "v2 plain, public on another port": (v2(OTHER, **UNASKED), "warn", "plain-http"),
    "v2 plain, public": (v2(PUBLIC, **UNASKED), "fail", "plain-http-public"),
    "v2 plain, public candidate beside an internal one": (v2(PUBLIC, INTERNAL, **UNASKED), "warn", "plain-http"),
    "v2 plain, public candidate though internal was asked for": (v2(PUBLIC), "warn", "plain-http"),
    "v2 plain, scored at the public one": (v2(PUBLIC, INTERNAL, SCORED), "fail", "plain-http-public"),
    "v2 plain, scored at an address without frontend": (v2(SCORED), "fail", "plain-http-public"),
    "v2 plain, scored at the internal one": (
        v2(PUBLIC, INTERNAL, SCORED_INSIDE, **UNASKED), "warn", "plain-http"),
    "v2 plain, frontends unread": (v2(HIDDEN, **UNASKED), "unknown", "frontends-unread"),
    "v2 plain, frontends unread, but one seen": (v2(PUBLIC, HIDDEN, **UNASKED), "fail", "plain-http-public"),
    "v2 settings unread": ([extension(ML, configurationSettings=None)], "unknown", "settings-unread"),
    "v2 training only": (v2(enableInference="False"), "not-applicable", "no-inference"),
    "v1 enabled": (v1("Enabled"), "pass", "tls"),
    "v1 auto": (v1("auto"), "pass", "tls"),
    "v1 disabled, public": (v1("Disabled", PUBLIC, **served("20.60.0.1")), "fail", "plain-http-public"),
    "v1 disabled, internal": (v1("Disabled", INTERNAL, **served("10.0.0.9")), "warn", "plain-http"),
    "v1 null": (v1(None), "unknown", "ssl-unread"),
    "v1 unheard of": (v1("Maybe"), "unknown", "ssl-unread"),
    "v1 settings null": ([compute(ML, of=workspace(), kind="AKS")], "unknown", "ssl-unread"),
    "v1 disabled, cluster unread": (
        [compute(cluster().unread(), of=workspace(), kind="AKS",
                 settings={"sslConfiguration": {"status": "Disabled"}})], "unknown", "frontends-unread"),
}  # fmt: skip


@pytest.mark.parametrize(("things", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, things)) == [(outcome, reason)]


def test_a_v2_compute_is_its_extensions_matter() -> None:
    assert audit(CHECK, compute(ML, of=workspace())) == []


def test_the_command_needs_the_name_of_the_certificate() -> None:
    [named] = audit(CHECK, v2(INTERNAL, sslCname="score.contoso.com"))
    [nameless] = audit(CHECK, v2(INTERNAL))
    assert named.remediation.commands[0].text.endswith(
        f"allowInsecureConnections=False sslCname=score.contoso.com --subscription {SUB}"
    )
    assert nameless.remediation.commands == ()
