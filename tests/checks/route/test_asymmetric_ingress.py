"""route-asymmetric-ingress: replies that leave by an appliance while requests come in by a public frontend."""

from typing import Any

import pytest

from auditor.inventory import Configured
from tests.estate import (
    Thing,
    audit,
    balancer,
    cluster,
    frontend,
    gap,
    outcomes,
    public_ip,
    rg,
    route,
    subnet,
    table,
    vnet,
)

CHECK = "route-asymmetric-ingress"
PUBLIC = balancer("kubernetes", frontend(public=public_ip("in")))
OUTBOUND = balancer("kubernetes", frontend(public=public_ip("out"), ports=(), outbound=True))
GATEWAY = subnet("GatewaySubnet", "10.0.255.0/27", ipConfigurations=[{"id": "/gateway"}])
AWAY = route("0.0.0.0/0", "VirtualAppliance", "10.9.0.4", "default")
BACK = route("198.51.100.0/24", "Internet")


def nodes(*routes: Any) -> Any:
    return subnet("nodes", "10.0.0.0/22", table=table("rt", *routes) if routes else None)


def ml(*routes: Any, **more: Any) -> Thing:
    return cluster(nodes=nodes(*routes), **more)


INTERNAL = balancer("kubernetes-internal", frontend(inside=nodes(), address="10.0.0.9"))
HALVES = [route(prefix, "VirtualAppliance", "10.9.0.4") for prefix in ("0.0.0.0/1", "128.0.0.0/1")]
BALANCERS = gap(rg("mc"), "microsoft.network/loadbalancers")
UNREAD = cluster(nodes=subnet("nodes", "10.0.0.0/22", table=table("rt").unread()))
CLIENTS = {"configured": Configured(scoring_clients=("198.51.100.7",))}
OTHER_CLIENTS = {"configured": Configured(scoring_clients=("198.51.100.7", "203.0.113.9"))}

CASES: dict[str, tuple[Any, dict[str, Any], str, str]] = {
    "appliance and public frontend": ([ml(AWAY), PUBLIC], {}, "warn", "asymmetric"),
    "in halves": ([ml(*HALVES), PUBLIC], {}, "warn", "asymmetric"),
    "a gateway and a public frontend": (
        [ml(route("0.0.0.0/0", "VirtualNetworkGateway")), PUBLIC], {}, "warn", "asymmetric"),
    "an address for egress is no frontend": ([ml(AWAY), OUTBOUND], {}, "pass", "no-public-frontend"),
    "internal frontend": ([ml(AWAY), INTERNAL], {}, "pass", "no-public-frontend"),
    "no balancer at all": (ml(AWAY), {}, "pass", "no-public-frontend"),
    "public frontend without a table": ([ml(), PUBLIC], {}, "pass", "no-forced-default"),
    "default to Internet": ([ml(route("0.0.0.0/0", "Internet")), PUBLIC], {}, "pass", "no-forced-default"),
    "half a default route": ([ml(HALVES[0]), PUBLIC], {}, "warn", "asymmetric"),
    "managed network": ([cluster(), PUBLIC], {}, "pass", "no-forced-default"),
    "clients are sent back": ([ml(AWAY, BACK), PUBLIC], CLIENTS, "pass", "clients-routed-back"),
    "only some clients are": ([ml(AWAY, BACK), PUBLIC], OTHER_CLIENTS, "warn", "asymmetric"),
    "a route back for nobody in particular": ([ml(AWAY, BACK), PUBLIC], {}, "warn", "asymmetric"),
    "unparsable clients": (
        [ml(AWAY, BACK), PUBLIC], {"configured": Configured(scoring_clients=("x",))}, "warn", "asymmetric"),
    "balancers unread": ([ml(AWAY), BALANCERS], {}, "unknown", "frontends-unread"),
    "balancers unread, but no route away": ([ml(), BALANCERS], {}, "pass", "no-forced-default"),
    "a route without its prefix": (
        [ml(route("", "VirtualAppliance", "10.9.0.4")), PUBLIC], {}, "unknown", "routes-unread"),
    "table unread": ([UNREAD, PUBLIC], {}, "unknown", "routes-unread"),
    "table unread, but nothing public": (UNREAD, {}, "pass", "no-public-frontend"),
    "subnet unread": ([cluster(nodes=subnet(readable=False)), PUBLIC], {}, "unknown", "routes-unread"),
    "a gateway may announce a default route": ([ml(), PUBLIC, GATEWAY], {}, "unknown", "routes-unread"),
    "nodes may be elsewhere": (
        [ml(nodeProvisioningProfile={"mode": "Auto"}), PUBLIC], {}, "unknown", "routes-unread"),
    "cluster cut short": (cluster(agentPoolProfiles=None), {}, "unknown", "cluster-unreadable"),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "more", "outcome", "reason"), CASES.values(), ids=CASES)
def test_outcome(estate: Any, more: dict[str, Any], outcome: str, reason: str) -> None:
    assert outcomes(audit(CHECK, vnet(prefixes=["10.0.0.0/16"]), estate, **more)) == [(outcome, reason)]


def test_route_and_frontend_are_shown() -> None:
    [finding] = audit(CHECK, ml(AWAY), PUBLIC)
    assert {e.path for e in finding.evidence} == {"properties", "properties.publicIPAddress.id"}
    assert "kubernetes/front" in finding.message
    assert finding.effect is not None
    assert finding.effect.items == ("0.0.0.0/0 -> 10.9.0.4",)
