"""Which findings are cured by which printed command: cases of the checks' own tests, by check and name.

`EVERY_TIME` holds one case for each check and shape of command, `AT_LENGTH` the other reasons with the same command.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from auditor.inventory import Configured
from tests.cures.az import NEEDS_EXTENSION, READS_ONLY, Arguments
from tests.cures.ward import DEPLOYERS
from tests.estate import (
    Thing,
    audit,
    cluster,
    compute,
    extension,
    private_endpoint,
    private_zone,
    registry,
    subnet,
    vault,
    vnet,
    workspace,
)

ROOT = Path(__file__).resolve().parents[2]
Key = tuple[str, str]
"""A check and the name of a case."""

EVERY_TIME: dict[Key, str] = {
    ("aci-subnet-delegated", "bare"): "not-delegated",
    ("acr-network-path", "zone linked elsewhere, public access off"): "dns",
    ("acr-network-path", "zone linked elsewhere, public access for others"): "not-admitted",
    ("acr-network-path", "Basic with an endpoint"): "sku-below-premium",
    ("acr-network-path", "trusted services refused, builds by tasks"): "no-trusted-services",
    ("aks-apiserver-authorized-ranges", "own region only"): "azure-ml-left-out",
    ("aks-identity-network-contributor-vnet-rg", "another role"): "equivalent-role",
    ("aks-identity-subnet-join-effective", "join without read"): "role-lacks-action",
    ("aks-node-subnet-not-delegated", "delegated to container groups"): "delegated",
    ("aks-private-api-server", "VNet integration without private mode"): "public-with-vnet-integration",
    ("aks-private-cluster-public-fqdn", "on"): "public-fqdn",
    ("aks-private-cluster-public-fqdn", "zone none and off"): "no-name",
    ("aks-private-dns-zone", "not linked"): "not-linked",
    ("aks-retiring-features", "kubenet in odd casing, its date ahead"): "retiring",
    ("aks-retiring-features", "basic in odd casing"): "retired",
    ("aml-aks-attach-supported", "service principal"): "service-principal",
    ("aml-aks-attach-supported", "local accounts off"): "local-accounts-off",
    ("aml-aks-attach-supported", "cluster gone"): "cluster-missing",
    ("aml-aks-internal-lb", "v1 without a subnet"): "no-subnet",
    ("aml-aks-internal-lb", "v2 node port"): "node-port",
    ("aml-dependencies-private-path", "private, without trusted services"): "no-bypass",
    ("nsg-acr-outbound", "shadowed by a deny"): "denied",
    ("nsg-aks-required-outbound", "all denied"): "denied",
    ("nsg-aml-required-outbound", "denied"): "denied",
    ("nsg-dns-outbound", "server in a network that is not peered"): "denied",
    ("nsg-intra-cluster", "deny all without them"): "denied",
    ("nsg-lb-probe-inbound", "deny all"): "denied",
    ("nsg-mcr-outbound", "layers denied"): "denied",
    ("nsg-private-endpoint-policies", "only a part would be denied"): "rules-not-in-force",
    ("nsg-scoring-inbound", "internal, some of the network"): "network-partly",
    ("nsg-storage-outbound", "denied"): "denied",
    ("rbac-acr-pull", "anonymous pulling serves"): "anonymous-pull-only",
    ("rbac-private-dns-zone-rights", "Contributor above both"): "other-roles",
    ("rbac-route-table-rights", "kubenet, no delete of routes"): "routes-not-tidied",
    ("route-default-egress", "half a default route is none"): "no-default-route",
    ("route-default-egress", "to Internet"): "default-to-internet",
    ("route-kubenet-table", "the table lies in the node group"): "table-elsewhere",
    ("route-required-services", "by a service endpoint"): "dropped",
    ("route-required-services", "an appliance out of reach"): "appliance-unreachable",
    ("scan-dangling-reference", "compute on a cluster that is gone"): "gone",
    ("aml-dependencies-private-path", "a vault without trusted services"): "no-bypass",
    ("aml-dependencies-private-path", "a registry without trusted services"): "no-bypass",
    ("aks-retiring-features", "policy manager on Linux"): "retiring",
    ("aks-apiserver-subnet", "bare"): "not-delegated",
    ("aml-inference-tls", "a certificate, and insecure connections"): "plain-http",
    ("rbac-deployer-subnet-join", "nothing"): "no-grant",
}
AT_LENGTH: dict[Key, str] = {
    ("aci-subnet-delegated", "two services"): "several-delegations",
    ("aci-subnet-delegated", "not yet provisioned"): "delegation-pending",
    ("acr-network-path", "zone linked elsewhere, public access on"): "public-name",
    ("acr-network-path", "some admitted"): "partly-admitted",
    ("aks-identity-network-contributor-vnet-rg", "on the network only"): "narrower-scope",
    ("aks-identity-network-contributor-vnet-rg", "nothing"): "no-grant",
    ("aks-identity-network-contributor-vnet-rg", "kubelet instead"): "role-on-kubelet-identity",
    ("aks-identity-network-contributor-vnet-rg", "the cluster's own group"): "role-on-other-scope",
    ("aks-identity-network-contributor-vnet-rg", "reader"): "role-lacks-action",
    ("aks-identity-network-contributor-vnet-rg", "eligible only"): "eligible-only",
    ("aks-identity-network-contributor-vnet-rg", "custom role without join"): "role-takes-away-action",
    ("aks-identity-network-contributor-vnet-rg", "granted to the application id"): "role-on-application-id",
    ("aks-identity-subnet-join-effective", "notAction takes it away"): "role-takes-away-action",
    ("aks-identity-subnet-join-effective", "kubelet instead"): "role-on-kubelet-identity",
    ("aks-identity-subnet-join-effective", "the cluster's group"): "role-on-other-scope",
    ("aks-identity-subnet-join-effective", "ended"): "grant-expired",
    ("aks-private-dns-zone", "custom DNS in a hub without link"): "not-linked-with-custom-dns",
    ("aml-aks-internal-lb", "v1 public"): "public-ip",
    ("aml-aks-internal-lb", "v1 subnet of another network"): "subnet-not-in-network",
    ("aml-aks-internal-lb", "v2 public"): "public-ip",
    ("nsg-acr-outbound", "part of the prefixes"): "partial",
    ("nsg-aks-required-outbound", "part of Entra ID"): "partial",
    ("nsg-aml-required-outbound", "the workspace's region only"): "partial",
    ("nsg-dns-outbound", "a part of the subnet"): "partial",
    ("nsg-intra-cluster", "micro-segmentation, inbound"): "partly-denied",
    ("nsg-lb-probe-inbound", "one of two probe ports"): "probe-port-denied",
    ("nsg-lb-probe-inbound", "probe ports open, others closed"): "other-ports-closed",
    ("nsg-lb-probe-inbound", "no probe port known, some open"): "partly-denied",
    ("nsg-mcr-outbound", "one regional form only"): "partial",
    ("nsg-scoring-inbound", "internal, frontend port without floating addresses"): "denied",
    ("nsg-storage-outbound", "AzureCloud leaves out a few"): "partial",
    ("rbac-acr-pull", "the admin user would serve"): "admin-user-only",
    ("rbac-acr-pull", "nothing"): "no-grant",
    ("rbac-acr-pull", "the control plane's instead"): "role-on-control-plane-identity",
    ("rbac-acr-pull", "another registry"): "role-on-other-scope",
    ("rbac-acr-pull", "only eligible"): "eligible-only",
    ("rbac-acr-pull", "by repository, AcrPull only"): "acr-pull-not-honoured",
    ("rbac-acr-pull", "by repository, nothing"): "no-grant",
    ("rbac-private-dns-zone-rights", "nothing"): "no-grant",
    ("rbac-private-dns-zone-rights", "zone without network"): "role-on-other-scope",
    ("rbac-private-dns-zone-rights", "links cannot be written"): "role-takes-away-action",
    ("rbac-private-dns-zone-rights", "kubelet instead"): "role-on-kubelet-identity",
    ("rbac-route-table-rights", "overlay, the role on the network does not reach"): "cannot-relink",
    ("rbac-route-table-rights", "kubenet, nothing"): "no-grant",
    ("rbac-route-table-rights", "kubenet, the role on the network does not reach"): "role-on-other-scope",
    ("rbac-route-table-rights", "kubenet, read only"): "role-lacks-action",
    ("rbac-route-table-rights", "kubenet, the kubelet instead"): "role-on-kubelet-identity",
    ("route-default-egress", "to nowhere"): "default-dropped",
    ("route-default-egress", "out of reach"): "appliance-unreachable",
    ("route-default-egress", "firewall gone"): "appliance-gone",
    ("route-default-egress", "to a gateway that is not there"): "no-gateway",
    ("route-required-services", "a firewall that is gone"): "appliance-gone",
    ("route-required-services", "a gateway that is not there"): "no-gateway",
    ("scan-dangling-reference", "compute on no id"): "not-an-id",
}
NOT_SHOWN: dict[str, dict[str, str]] = {
    "aml-dependencies-private-path": {"dns": "shown on the sample estate"},
    "aml-workspace-private-endpoint": {"public-too": "the estate lacks the records that a live scan wants"},
    "rbac-acr-pull": {
        "role-lacks-action": "the estate bends the very role that the command grants",
        "grant-expired": "an assignment that ended is gone from Azure, not listed with its end",
    },
}
"""Reasons with a command that no case here shows, and why."""

BY_HAND: dict[str, str] = {
    "rbac-custom-role-typo": "`az role definition update` takes a file that a person has mended",
}
"""Checks whose commands need something of a person in between."""

WITH_AZ: frozenset[tuple[str, str]] = frozenset(
    {
        ("aci-subnet-delegated", "network vnet subnet update --delegations"),
        ("acr-network-path", "acr network-rule add --ip-address"),
        ("acr-network-path", "acr update --allow-trusted-services"),
        ("acr-network-path", "acr update --sku"),
        ("acr-network-path", "network private-dns link vnet create"),
        ("aks-apiserver-authorized-ranges", "aks update --api-server-authorized-ip-ranges"),
        ("aks-apiserver-subnet", "network vnet subnet update --delegations"),
        ("aks-identity-network-contributor-vnet-rg", "role assignment create --role"),
        ("aks-identity-subnet-join-effective", "role assignment create --role"),
        ("aks-node-subnet-not-delegated", "network vnet subnet update --remove"),
        ("aks-private-api-server", "aks update --enable-private-cluster"),
        ("aks-private-cluster-public-fqdn", "aks update --disable-public-fqdn"),
        ("aks-private-cluster-public-fqdn", "aks update --enable-public-fqdn"),
        ("aks-private-dns-zone", "network private-dns link vnet create"),
        ("aks-retiring-features", "aks update --load-balancer-sku"),
        ("aks-retiring-features", "aks update --network-dataplane"),
        ("aks-retiring-features", "aks update --network-plugin --network-plugin-mode"),
        ("aml-aks-attach-supported", "aks update --enable-local-accounts"),
        ("aml-aks-attach-supported", "aks update --enable-managed-identity"),
        ("aml-dependencies-private-path", "acr update --allow-trusted-services"),
        ("aml-dependencies-private-path", "keyvault update --bypass"),
        ("aml-dependencies-private-path", "storage account update --bypass"),
        ("nsg-acr-outbound", "network nsg rule create --direction"),
        ("nsg-aks-required-outbound", "network nsg rule create --direction"),
        ("nsg-aml-required-outbound", "network nsg rule create --direction"),
        ("nsg-dns-outbound", "network nsg rule create --direction"),
        ("nsg-intra-cluster", "network nsg rule create --direction"),
        ("nsg-lb-probe-inbound", "network nsg rule create --direction"),
        ("nsg-mcr-outbound", "network nsg rule create --direction"),
        ("nsg-private-endpoint-policies", "network vnet subnet update --private-endpoint-network-policies"),
        ("nsg-scoring-inbound", "network nsg rule create --direction"),
        ("nsg-storage-outbound", "network nsg rule create --direction"),
        ("rbac-acr-pull", "aks update --attach-acr"),
        ("rbac-acr-pull", "role assignment create --role"),
        ("rbac-deployer-subnet-join", "role assignment create --role"),
        ("rbac-private-dns-zone-rights", "role assignment create --role"),
        ("rbac-route-table-rights", "role assignment create --role"),
        (
            "route-default-egress",
            "network route-table route create --address-prefix --next-hop-type --next-hop-ip-address",
        ),
        ("route-default-egress", "network route-table route update --next-hop-type --next-hop-ip-address"),
        ("route-kubenet-table", "network vnet subnet update --route-table"),
        ("route-required-services", "network route-table route create --address-prefix --next-hop-type"),
        ("route-required-services", "network route-table route update --next-hop-type --next-hop-ip-address"),
    }
)
"""Check and shape of what the real azure-cli 2.91.0 cured by `make test-az`, 2026-11-25."""


def shape(argv: Iterable[str]) -> str:
    """A command by its words and the options that tell what it does: `aks update --enable-private-cluster`."""
    given = Arguments.of(tuple(argv))
    dull = {
        "--resource-group", "--name", "--ids", "--subscription", "--nsg-name", "--scope", "--assignee-object-id",
        "--assignee-principal-type", "--priority", "--zone-name", "--virtual-network", "--workspace-name",
        "--cluster-name", "--cluster-type", "--yes", "--location", "--route-table-name", "--registration-enabled",
        "--source-port-ranges", "--source-address-prefixes", "--destination-address-prefixes", "--access",
        "--destination-port-ranges", "--protocol", "--ipv4-address",
    }  # fmt: skip
    return " ".join([given.words, *(option for option in given.options if option not in dull)])


def changes(argv: tuple[str, ...]) -> bool:
    """Whether a command does more than look."""
    return Arguments.of(argv).words not in READS_ONLY


def in_bare_cli(argv: tuple[str, ...]) -> bool:
    """Whether the CLI has this command without an extension."""
    return argv[1] not in NEEDS_EXTENSION


@cache
def _module(check: str) -> ModuleType:
    area, _, rest = check.partition("-")
    path = ROOT / "tests" / "checks" / area / f"test_{rest.replace('-', '_')}.py"
    name = f"cures_of_{check.replace('-', '_')}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def cases_of(check: str) -> Mapping[str, Any]:
    """The table of a check's own test; empty where it has none."""
    found: Mapping[str, Any] = getattr(_module(check), "CASES", {})
    return {name: case[0] for name, case in found.items()}


def things_of(check: str, case: str) -> list[Thing]:
    """The estate of a case."""
    if (check, case) in OWN:
        return OWN[check, case]
    made = cases_of(check)[case]
    return [made] if isinstance(made, Thing) else list(made)


def _plain_scoring() -> list[Thing]:
    """A cluster whose extension has a certificate, and takes connections without it too."""
    ml = cluster(nodes=subnet())
    settings = {"sslSecret": "azureml/tls", "sslCname": "score.example", "allowInsecureConnections": "True"}
    ws = workspace()
    return [ml, ws, compute(ml, of=ws), extension(ml, settings=settings)]


def _bare_api_server() -> list[Thing]:
    api = subnet("api", "10.0.16.0/28")
    return [cluster(nodes=subnet(), api_server={"enableVnetIntegration": True, "subnetId": api.id}, parts=[api])]


def _dependency(to: Thing, group_id: str, zone: str) -> list[Thing]:
    """A workspace whose registry or vault has a private endpoint, and refuses trusted services."""
    network = vnet("net", prefixes=["10.0.0.0/16"])
    ml = cluster(nodes=subnet())
    name = to.id.rsplit("/", 1)[-1]
    names = (
        {name: "10.0.200.4", f"{name}.eastus2.data": "10.0.200.4"} if group_id == "registry" else {name: "10.0.200.4"}
    )
    linked = private_zone(zone, network, records=names)
    door = private_endpoint("pe", to=to, into=subnet("pe", "10.0.200.0/24"), group_id=group_id, zone=linked)
    ws = workspace(registry=to if group_id == "registry" else registry(), vault=to if group_id == "vault" else vault())
    return [network, ml, door, ws, compute(ml, of=ws), extension(ml)]


OWN: dict[Key, list[Thing]] = {
    ("aks-apiserver-subnet", "bare"): _bare_api_server(),
    ("aml-inference-tls", "a certificate, and insecure connections"): _plain_scoring(),
    ("aml-dependencies-private-path", "a vault without trusted services"): _dependency(
        vault(networkAcls={"defaultAction": "Deny", "bypass": "None"}), "vault", "privatelink.vaultcore.azure.net"),
    ("aml-dependencies-private-path", "a registry without trusted services"): _dependency(
        registry(networkRuleBypassOptions="None", networkRuleSet={"defaultAction": "Deny"}), "registry",
        "privatelink.azurecr.io"),
}  # fmt: skip
"""Estates that the checks' own tables lack."""


def commands(key: Key, reason: str) -> list[tuple[str, ...]]:
    """The changing commands that a case prints for this reason."""
    configured = Configured(deployers=DEPLOYERS)
    found = [
        one
        for one in audit(key[0], things_of(*key), configured=configured)
        if one.reason == reason and one.remediation.commands
    ]
    return [command.argv for command in found[0].remediation.commands if changes(command.argv)] if found else []


def shapes_shown(check: str) -> Iterator[str]:
    """The shapes of commands of a check that some case carries out."""
    for key, reason in {**EVERY_TIME, **AT_LENGTH}.items():
        if key[0] == check:
            yield from map(shape, commands(key, reason))


def changes_template(argv: tuple[str, ...]) -> bool:
    """Whether a command of a check's declaration does more than look."""
    return changes(argv)


def printed(check: str) -> dict[tuple[str, str], str]:
    """(reason, shape) of each changing command that a check prints in its own test, with the case's name."""
    found: dict[tuple[str, str], str] = {}
    for name in cases_of(check):
        try:
            findings = audit(check, things_of(check, name), configured=Configured(deployers=DEPLOYERS))
        except (AssertionError, TypeError, ValueError):
            continue
        for finding in findings:
            if finding.outcome not in ("fail", "warn"):
                continue
            for command in finding.remediation.commands:
                if changes(command.argv):
                    found.setdefault((finding.reason, shape(command.argv)), name)
    return found
