"""nsg-aks-required-outbound: a verdict for each service that nodes cannot do without."""

from typing import Any

import pytest

from tests.estate import (
    Body,
    Thing,
    allow_out,
    attached,
    audit,
    cluster,
    container_group,
    deny_out,
    nsg,
    outcomes,
    private_endpoint,
    service_tags,
    subnet,
)

CHECK = "nsg-aks-required-outbound"
SETS: dict[str, Any] = {
    "AzureActiveDirectory": ["20.4.0.0/24", "20.4.1.0/24"],
    "AzureResourceManager": ["20.5.0.0/24"],
    "AzureCloud": ["20.0.0.0/8"],
}
TAGS = service_tags(**SETS, AzureCloud__eastus2=["20.6.0.0/16"])
CHINA = service_tags("china", **SETS, AzureCloud__chinaeast2=["20.6.0.0/16"])
DENY = deny_out(1000, to="Internet", name="deny-internet")
ENTRA, ARM = allow_out(100, to="AzureActiveDirectory"), allow_out(110, to="AzureResourceManager")
CLOUD = allow_out(120, to="AzureCloud.eastus2", ports="443")
TUNNEL = allow_out(130, to="AzureCloud.eastus2", ports=["1194", "9000"])
PASS, DENIED = ("pass", "allowed"), ("fail", "denied")
TUNNEL_DENIED = [("warn", "denied")] * 2
DEFAULT = ("pass", "default-rules")
NO_ADDRESS = ("unknown", "api-server-address-unknown")
INTEGRATED = {"enableVnetIntegration": True}


def public(*rules: Body, tags: Thing | None = TAGS, **more: Any) -> list[Thing]:
    made = cluster(nodes=subnet(nsg=nsg("fence", *rules)), private=False, **more)
    return [*attached(made), *([tags] if tags else [])]


def private(*rules: Body, endpoint: bool = True, **more: Any) -> list[Thing]:
    nodes = subnet(nsg=nsg("fence", *rules))
    made = cluster(nodes=nodes, **more)
    door = private_endpoint("kube-apiserver", to=made, into=nodes, group_id="management", address="10.0.0.4")
    return [*attached(made), *([door] if endpoint else []), TAGS]


def integrated(*rules: Body, readable: bool = True, is_private: bool = False) -> list[Thing]:
    """API server VNet integration: nodes reach the API server in its subnet, whether it is public or not."""
    doors = subnet("apiserver", "10.0.8.0/28")
    api = INTEGRATED | {"subnetId": doors.id if readable else doors.id + "-gone"}
    made = cluster(nodes=subnet(nsg=nsg("fence", *rules)), private=is_private, api_server=api, parts=[doors])
    return [*attached(made), TAGS]


CASES: dict[str, tuple[list[Thing], list[tuple[str, str]]]] = {
    "no group": ([*attached(cluster(nodes=subnet(), private=False)), TAGS], [("pass", "no-nsg")] * 5),
    "default rules": (public(), [DEFAULT] * 5),
    "all tags open": (public(ENTRA, ARM, CLOUD, TUNNEL, DENY), [PASS] * 5),
    "AzureCloud holds them all": (public(allow_out(100, to="AzureCloud"), DENY), [PASS] * 5),
    "all denied": (public(DENY), [DENIED] * 3 + TUNNEL_DENIED),
    "only the tunnel denied": (public(ENTRA, ARM, CLOUD, DENY), [PASS] * 3 + TUNNEL_DENIED),
    "Entra ID denied": (public(ARM, CLOUD, TUNNEL, DENY), [DENIED, *[PASS] * 4]),
    "part of Entra ID": (
        public(allow_out(100, to="20.4.0.0/24"), ARM, CLOUD, TUNNEL, DENY), [("fail", "partial"), *[PASS] * 4]),
    "Entra ID by literal prefixes": (
        public(allow_out(100, to="20.4.0.0/23"), ARM, CLOUD, TUNNEL, DENY), [*[PASS] * 4, ("warn", "frozen")]),
    "shadowed": (public(deny_out(99 + 1, to="Internet"), allow_out(200, to="AzureCloud")),
        [DENIED] * 3 + TUNNEL_DENIED),
    "the API server's address written out": (
        public(ENTRA, ARM, allow_out(120, to="20.6.0.7", ports="443"), TUNNEL, DENY), [*[PASS] * 4, NO_ADDRESS]),
    "private cluster, endpoint open": (private(ENTRA, ARM, DENY), [PASS, PASS, DEFAULT]),
    "private cluster, endpoint by its address": (
        private(ENTRA, ARM, allow_out(120, to="10.0.0.0/22"), deny_out(4000)), [PASS] * 3),
    "private cluster, endpoint denied": (
        private(ENTRA, ARM, deny_out(130, to="10.0.0.4")), [DENIED, PASS, PASS]),
    "private cluster, endpoint not read": (private(ENTRA, ARM, DENY, endpoint=False), [PASS, PASS, DEFAULT]),
    "endpoint not read, a part denied": (
        private(ENTRA, ARM, deny_out(130, to="10.0.0.0/24"), endpoint=False), [PASS, PASS, NO_ADDRESS]),
    "endpoint not read, all denied": (
        private(ENTRA, ARM, deny_out(130, to="*"), endpoint=False), [DENIED, PASS, PASS]),
    "API server subnet open, Internet denied": (integrated(ENTRA, ARM, DENY), [PASS, PASS, DEFAULT]),
    "API server subnet denied": (integrated(ENTRA, ARM, deny_out(130, to="10.0.8.0/28")), [DENIED, PASS, PASS]),
    "API server subnet denied, private": (
        integrated(ENTRA, ARM, deny_out(130, to="10.0.8.0/28"), is_private=True), [DENIED, PASS, PASS]),
    "API server subnet gone": (
        integrated(ENTRA, ARM, deny_out(130, to="10.0.9.0/24"), readable=False), [PASS, PASS, NO_ADDRESS]),
    "no tag data, by name": (public(ENTRA, ARM, CLOUD, TUNNEL, DENY, tags=None), [PASS] * 5),
    "unknown tag above": (
        public(deny_out(100, to="NobodyPublished"), allow_out(110, to="AzureCloud"), DENY),
        [("unknown", "undecided-unknown-tag")] * 5),
    "group unread": (
        [*attached(cluster(nodes=subnet(nsg=nsg("fence").unread()), private=False)), TAGS],
        [("unknown", "undecided-group-unread")] * 5),
    "subnet unread": (attached(cluster(nodes=subnet(readable=False))), [("unknown", "subnet-unread")]),
    "isolated": (
        private(DENY, network={"outboundType": "block"}, bootstrapProfile={"artifactSource": "cache"}),
        [("not-applicable", "network-isolated")]),
    "no outbound type, but no cache either": (
        [*private(DENY, network={"outboundType": "none"}), TAGS],
        [("fail", "denied"), ("fail", "denied"), ("pass", "default-rules")]),
}  # fmt: skip


@pytest.mark.parametrize(("things", "wanted"), CASES.values(), ids=CASES)
def test_outcome(things: list[Thing], wanted: list[tuple[str, str]]) -> None:
    assert outcomes(audit(CHECK, things)) == wanted


def test_each_service_is_a_part() -> None:
    found = {finding.part: finding for finding in audit(CHECK, public(DENY))}
    assert set(found) == {"entra-id", "resource-manager", "api-server", "tunnel-1194", "tunnel-9000"}
    [command] = found["tunnel-1194"].remediation.commands
    assert "--protocol Udp" in command.text
    assert "--destination-port-ranges 1194" in command.text


def test_chinas_table_has_a_port_more() -> None:
    things = public(DENY, tags=CHINA, region="chinaeast2")
    found = {finding.part: finding for finding in audit(CHECK, things, cloud="china")}
    assert found["tunnel-22"].outcome == "warn"
    [command] = found["api-server"].remediation.commands
    assert "AzureCloud.chinaeast2" in command.text


def test_container_groups_need_no_api_server() -> None:
    assert audit(CHECK, container_group(into=subnet("aci", nsg=nsg("fence", DENY))), TAGS) == []
