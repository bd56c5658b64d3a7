"""What the Azure CLI does with the commands that checks print: the same reads and writes, by the given SDKs.

`carry_out` takes a command's arguments as a report holds them and makes the calls that `az` makes: a command that
the CLI turns into GET and PUT is GET and PUT here. Where no SDK is given for a service, an `ARMPipelineClient` sends
the body that the CLI's own client would. An unknown command or option is an error: nothing is passed over.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import RequestIdPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.core.polling import LROPoller
from azure.core.rest import HttpRequest
from azure.identity import ClientSecretCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
from azure.mgmt.core.polling.arm_polling import ARMPolling
from azure.mgmt.network import NetworkManagementClient

from auditor.replica import Replica

READS_ONLY = frozenset({"aks get-upgrades", "aks show", "ad sp show", "network nsg rule show", "role definition list"})
"""Commands that look and change nothing."""
NEEDS_EXTENSION = frozenset({"ml", "k8s-extension"})
"""First words of commands that the bare CLI does not have."""
_ALIASES = {
    "-g": "--resource-group", "-n": "--name", "-l": "--location", "-z": "--zone-name", "-v": "--virtual-network",
    "-e": "--registration-enabled", "-a": "--ipv4-address", "-w": "--workspace-name", "-c": "--cluster-name",
    "-t": "--cluster-type", "-y": "--yes",
}  # fmt: skip
_GUID_LENGTH = 36


@dataclass
class Arguments:
    """A command's words and its options; each option has to be taken before the end."""

    words: str
    options: dict[str, list[str]]
    taken: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, argv: Sequence[str]) -> Arguments:
        assert argv[0] == "az", argv
        words: list[str] = []
        options: dict[str, list[str]] = {}
        current: list[str] | None = None
        for argument in argv[1:]:
            # A star, a prefix or an id never begins with a dash.
            if argument.startswith("-"):
                current = options.setdefault(_ALIASES.get(argument, argument), [])
            elif current is None:
                words.append(argument)
            else:
                current.append(argument)
        return cls(" ".join(words), options)

    def all(self, name: str) -> list[str]:
        self.taken.add(name)
        return self.options.get(name, [])

    def one(self, name: str) -> str:
        values = self.all(name)
        assert len(values) == 1, f"{self.words}: {name} has the values {values}"
        return values[0]

    def get(self, name: str) -> str | None:
        return self.one(name) if name in self.options else None

    def flag(self, name: str) -> bool:
        self.taken.add(name)
        return name in self.options

    def finish(self) -> None:
        left = set(self.options) - self.taken
        assert not left, f"{self.words}: nobody knows {sorted(left)}"


class Hands:
    """Clients of one replica, signed in as its first application."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        environment = replica.environment()
        self._ca = environment["AUDITOR_CA_BUNDLE"]
        self.credential = ClientSecretCredential(
            environment["AZURE_TENANT_ID"],
            environment["AZURE_CLIENT_ID"],
            environment["AZURE_CLIENT_SECRET"],
            authority=replica.base_url,
            disable_instance_discovery=True,
            connection_verify=self._ca,
        )
        self._open = contextlib.ExitStack()
        self._made: dict[Any, Any] = {}
        self.subscription = replica.estate.subscriptions[0].id

    def close(self) -> None:
        self._open.close()

    def _client(self, kind: Any, subscription: str) -> Any:
        key = (kind, subscription)
        if key not in self._made:
            made = kind(
                self.credential,
                subscription,
                base_url=self.replica.base_url,
                credential_scopes=[f"{self.replica.base_url}/.default"],
                connection_verify=self._ca,
                polling_interval=0,
            )
            self._made[key] = self._open.enter_context(made)
        return self._made[key]

    def network(self, subscription: str | None = None) -> NetworkManagementClient:
        client: NetworkManagementClient = self._client(NetworkManagementClient, subscription or self.subscription)
        return client

    @property
    def aks(self) -> ContainerServiceClient:
        client: ContainerServiceClient = self._client(ContainerServiceClient, self.subscription)
        return client

    @property
    def authorization(self) -> AuthorizationManagementClient:
        client: AuthorizationManagementClient = self._client(AuthorizationManagementClient, self.subscription)
        return client

    @property
    def arm(self) -> ARMPipelineClient[Any, Any]:
        if "arm" not in self._made:
            policy = ARMChallengeAuthenticationPolicy(self.credential, f"{self.replica.base_url}/.default")
            transport = RequestsTransport(connection_verify=self._ca)
            made: ARMPipelineClient[Any, Any] = ARMPipelineClient(
                self.replica.base_url, policies=[RequestIdPolicy(), policy], transport=transport
            )
            self._made["arm"] = self._open.enter_context(made)
        client: ARMPipelineClient[Any, Any] = self._made["arm"]
        return client

    def send(self, method: str, path: str, version: str, body: Any = None, **query: str) -> Any:
        """One call of a service without an SDK, and the end of its long-running operation."""
        request = HttpRequest(method, self.replica.base_url + path, params={"api-version": version, **query}, json=body)
        first = self.arm._pipeline.run(request)
        response = first.http_response
        if response.status_code >= 400:
            raise HttpResponseError(response=response)
        if method == "GET":
            return response.json()
        LROPoller(self.arm, first, lambda _: None, ARMPolling(0)).result()
        return None

    def id_of(self, group: str, kind: str, name: str) -> str:
        return f"/subscriptions/{self.subscription}/resourceGroups/{group}/providers/{kind}/{name}"


def carry_out(hands: Hands, argv: Sequence[str]) -> None:
    """Do what `az` does with these arguments; HttpResponseError where the service refuses."""
    given = Arguments.of(argv)
    if given.words in READS_ONLY:
        return
    own = hands.subscription
    hands.subscription = given.get("--subscription") or own
    try:
        _COMMANDS[given.words](hands, given)
    finally:
        hands.subscription = own
    given.finish()


def _nsg_rule_create(hands: Hands, given: Arguments) -> None:
    rule: Any = {
        "priority": int(given.one("--priority")),
        "direction": given.one("--direction"),
        "access": given.one("--access"),
        "protocol": given.one("--protocol"),
    }
    for word, many in (
        ("source-address-prefix", "source-address-prefixes"),
        ("destination-address-prefix", "destination-address-prefixes"),
        ("source-port-range", "source-port-ranges"),
        ("destination-port-range", "destination-port-ranges"),
    ):
        values = given.all(f"--{many}")
        # The CLI fills the singular property for one value, the plural one for several.
        rule[_camel(word if len(values) == 1 else many)] = values[0] if len(values) == 1 else values
    body: Any = {"properties": rule}
    hands.network().security_rules.begin_create_or_update(
        given.one("--resource-group"), given.one("--nsg-name"), given.one("--name"), body
    ).result()


def _camel(text: str) -> str:
    first, *rest = text.split("-")
    return first + "".join(word.capitalize() for word in rest)


def _subnet_update(hands: Hands, given: Arguments) -> None:
    parts = given.one("--ids").split("/")
    subnets = hands.network(parts[2]).subnets
    where = (parts[4], parts[8], parts[10])
    subnet = subnets.get(*where)
    if "--delegations" in given.options:
        subnet["properties"]["delegations"] = [
            {"name": str(n), "properties": {"serviceName": service}}
            for n, service in enumerate(given.all("--delegations"))
        ]
    if given.get("--remove") == "delegations":
        subnet["properties"]["delegations"] = []
    if "--route-table" in given.options:
        subnet["properties"]["routeTable"] = {"id": given.one("--route-table")}
    if "--private-endpoint-network-policies" in given.options:
        policy = given.one("--private-endpoint-network-policies")
        subnet["properties"]["privateEndpointNetworkPolicies"] = policy
    subnets.begin_create_or_update(*where, subnet).result()


def _route(hands: Hands, given: Arguments) -> None:
    where = (given.one("--resource-group"), given.one("--route-table-name"), given.one("--name"))
    routes = hands.network().routes
    route: Any = routes.get(*where) if given.words.endswith("update") else {"properties": {}}
    properties = route["properties"]
    for option, word in (
        ("--address-prefix", "addressPrefix"),
        ("--next-hop-type", "nextHopType"),
        ("--next-hop-ip-address", "nextHopIpAddress"),
    ):
        if option in given.options:
            properties[word] = given.one(option)
    routes.begin_create_or_update(*where, route).result()


def _private_endpoint_create(hands: Hands, given: Arguments) -> None:
    group = given.one("--resource-group")
    network = hands.network().virtual_networks.get(group, given.one("--vnet-name"))
    connection = {
        "name": given.one("--connection-name"),
        "properties": {
            "privateLinkServiceId": given.one("--private-connection-resource-id"),
            "groupIds": given.all("--group-id"),
        },
    }
    body: Any = {
        "location": network["location"],
        "properties": {
            "subnet": {"id": f"{network['id']}/subnets/{given.one('--subnet')}"},
            "privateLinkServiceConnections": [connection],
        },
    }
    hands.network().private_endpoints.begin_create_or_update(group, given.one("--name"), body).result()


def _zone_link_create(hands: Hands, given: Arguments) -> None:
    zone = hands.id_of(given.one("--resource-group"), "Microsoft.Network/privateDnsZones", given.one("--zone-name"))
    body = {
        "location": "global",
        "properties": {
            "virtualNetwork": {"id": given.one("--virtual-network")},
            "registrationEnabled": given.one("--registration-enabled") == "true",
        },
    }
    hands.send("PUT", f"{zone}/virtualNetworkLinks/{given.one('--name')}", "2024-06-01", body)


def _zone_record_add(hands: Hands, given: Arguments) -> None:
    zone = hands.id_of(given.one("--resource-group"), "Microsoft.Network/privateDnsZones", given.one("--zone-name"))
    record = (
        f"{zone}/A/{given.one('--record-set-name') if '--record-set-name' in given.options else given.one('--name')}"
    )
    try:
        held = hands.send("GET", record, "2024-06-01")["properties"].get("aRecords", [])
    except HttpResponseError as problem:
        if problem.status_code != 404:
            raise
        held = []
    body = {"properties": {"ttl": 3600, "aRecords": [*held, {"ipv4Address": given.one("--ipv4-address")}]}}
    hands.send("PUT", record, "2024-06-01", body)


def _role_assignment_create(hands: Hands, given: Arguments) -> None:
    principal = given.one("--assignee-object-id")
    _grant(hands, given.one("--scope"), given.one("--role"), principal, given.get("--assignee-principal-type"))


def _grant(hands: Hands, scope: str, role: str, principal: str, kind: str | None) -> None:
    assert len(role) == _GUID_LENGTH, role
    definition = f"/subscriptions/{hands.subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    properties = {"roleDefinitionId": definition, "principalId": principal, "principalType": kind}
    body: Any = {"properties": {name: value for name, value in properties.items() if value}}
    try:
        hands.authorization.role_assignments.create(scope, str(uuid.uuid4()), body)
    except HttpResponseError as problem:
        # The CLI answers with the assignment that is there.
        if problem.error is None or problem.error.code != "RoleAssignmentExists":
            raise


def _role_assignment_delete(hands: Hands, given: Arguments) -> None:
    for one in given.all("--ids"):
        hands.authorization.role_assignments.delete_by_id(one)


def _role_definition_update(hands: Hands, given: Arguments) -> None:
    """The file is what `az role definition list` gave, mended by whoever read the finding."""
    for definition in json.loads(given.one("--role-definition")):
        path = f"{definition['id']}"
        hands.send("PUT", path, "2022-04-01", {"properties": definition["properties"]})


def _aks_update(hands: Hands, given: Arguments) -> None:
    group, name = given.one("--resource-group"), given.one("--name")
    cluster = hands.aks.managed_clusters.get(group, name)
    properties: Any = cluster["properties"]
    access = properties.get("apiServerAccessProfile") or {}
    if "--api-server-authorized-ip-ranges" in given.options:
        access["authorizedIPRanges"] = given.one("--api-server-authorized-ip-ranges").split(",")
    if given.flag("--enable-private-cluster"):
        assert access.get("enableVnetIntegration"), "the CLI and the service refuse this without VNet integration"
        access["enablePrivateCluster"] = True
    for option, public in (("--enable-public-fqdn", True), ("--disable-public-fqdn", False)):
        if given.flag(option):
            assert access.get("enablePrivateCluster"), "only a private cluster has this switch"
            assert public or access.get("privateDNSZone") != "none", "the CLI refuses this with the zone `none`"
            access["enablePrivateClusterPublicFQDN"] = public
    if access:
        properties["apiServerAccessProfile"] = access
    network = properties["networkProfile"]
    for option, word in (
        ("--network-plugin", "networkPlugin"),
        ("--network-plugin-mode", "networkPluginMode"),
        ("--load-balancer-sku", "loadBalancerSku"),
        ("--network-dataplane", "networkDataplane"),
    ):
        if option in given.options:
            network[word] = given.one(option)
    if given.flag("--enable-local-accounts"):
        properties["disableLocalAccounts"] = False
    given.flag("--yes")
    if given.flag("--enable-managed-identity"):
        cluster["identity"] = {"type": "SystemAssigned"}
        properties["servicePrincipalProfile"] = {"clientId": "msi"}
    hands.aks.managed_clusters.begin_create_or_update(group, name, cluster).result()
    if "--attach-acr" in given.options:
        kubelet = properties["identityProfile"]["kubeletidentity"]["objectId"]
        _grant(hands, given.one("--attach-acr"), "7f951dda-4ed3-4680-a7ca-43fe172d538d", kubelet, None)


def _registry(hands: Hands, given: Arguments) -> str:
    """The CLI looks for the group of a registry that is named without one."""
    kind, name = "Microsoft.ContainerRegistry/registries", given.one("--name")
    group = given.get("--resource-group")
    if group is not None:
        return hands.id_of(group, kind, name)
    query = {"$filter": f"resourceType eq '{kind}'"}
    listed = hands.send("GET", f"/subscriptions/{hands.subscription}/resources", "2021-04-01", **query)
    [found] = [str(one["id"]) for one in listed["value"] if one["name"].lower() == name.lower()]
    return found


def _acr_update(hands: Hands, given: Arguments) -> None:
    body: dict[str, Any] = {"properties": {}}
    if "--sku" in given.options:
        body["sku"] = {"name": given.one("--sku")}
    if "--allow-trusted-services" in given.options:
        trusted = given.one("--allow-trusted-services") == "true"
        body["properties"]["networkRuleBypassOptions"] = "AzureServices" if trusted else "None"
    hands.send("PATCH", _registry(hands, given), "2025-04-01", body)


def _acr_rule_add(hands: Hands, given: Arguments) -> None:
    registry = _registry(hands, given)
    rules = hands.send("GET", registry, "2025-04-01")["properties"].get("networkRuleSet") or {}
    added = [*rules.get("ipRules", []), {"action": "Allow", "value": given.one("--ip-address")}]
    body = {"properties": {"networkRuleSet": {**rules, "ipRules": added}}}
    hands.send("PATCH", registry, "2025-04-01", body)


def _storage_update(hands: Hands, given: Arguments) -> None:
    account = hands.id_of(given.one("--resource-group"), "Microsoft.Storage/storageAccounts", given.one("--name"))
    rules = hands.send("GET", account, "2024-01-01")["properties"].get("networkAcls") or {"defaultAction": "Allow"}
    body = {"properties": {"networkAcls": {**rules, "bypass": ",".join(given.all("--bypass"))}}}
    hands.send("PATCH", account, "2024-01-01", body)


def _vault_update(hands: Hands, given: Arguments) -> None:
    vault = hands.id_of(given.one("--resource-group"), "Microsoft.KeyVault/vaults", given.one("--name"))
    body = hands.send("GET", vault, "2023-07-01")
    rules = body["properties"].get("networkAcls") or {"defaultAction": "Allow"}
    body["properties"]["networkAcls"] = {**rules, "bypass": given.one("--bypass")}
    hands.send("PUT", vault, "2023-07-01", {word: body[word] for word in ("location", "properties")})


def _workspace(hands: Hands, group: str, name: str) -> str:
    return hands.id_of(group, "Microsoft.MachineLearningServices/workspaces", name)


def _ml_workspace_update(hands: Hands, given: Arguments) -> None:
    access = given.one("--public-network-access")
    path = _workspace(hands, given.one("--resource-group"), given.one("--name"))
    hands.send("PATCH", path, "2024-10-01", {"properties": {"publicNetworkAccess": access}})


def _ml_compute_detach(hands: Hands, given: Arguments) -> None:
    given.flag("--yes")
    workspace = _workspace(hands, given.one("--resource-group"), given.one("--workspace-name"))
    path = f"{workspace}/computes/{given.one('--name')}"
    hands.send("DELETE", path, "2024-10-01", underlyingResourceAction="Detach")


def _compute_target_update(hands: Hands, given: Arguments) -> None:
    """The retired extension of version 1: it reads the compute and puts it back."""
    workspace = _workspace(hands, given.one("--resource-group"), given.one("--workspace-name"))
    path = f"{workspace}/computes/{given.one('--name')}"
    body = hands.send("GET", path, "2021-01-01")
    settings = body["properties"].get("properties") or {}
    settings["loadBalancerType"] = given.one("--load-balancer-type")
    settings["loadBalancerSubnet"] = given.one("--load-balancer-subnet")
    body["properties"]["properties"] = settings
    hands.send("PUT", path, "2021-01-01", {word: body[word] for word in ("location", "properties")})


def _extension_update(hands: Hands, given: Arguments) -> None:
    assert given.one("--cluster-type") == "managedClusters"
    kind = "Microsoft.ContainerService/managedClusters"
    cluster = hands.id_of(given.one("--resource-group"), kind, given.one("--cluster-name"))
    path = f"{cluster}/providers/Microsoft.KubernetesConfiguration/extensions/{given.one('--name')}"
    pairs = (one.split("=", 1) for one in given.all("--configuration-settings"))
    body = {"properties": {"configurationSettings": dict(pairs)}}
    hands.send("PATCH", path, "2023-05-01", body)


_COMMANDS: Mapping[str, Callable[[Hands, Arguments], None]] = {
    "network nsg rule create": _nsg_rule_create,
    "network vnet subnet update": _subnet_update,
    "network route-table route create": _route,
    "network route-table route update": _route,
    "network private-endpoint create": _private_endpoint_create,
    "network private-dns link vnet create": _zone_link_create,
    "network private-dns record-set a add-record": _zone_record_add,
    "role assignment create": _role_assignment_create,
    "role assignment delete": _role_assignment_delete,
    "role definition update": _role_definition_update,
    "aks update": _aks_update,
    "acr update": _acr_update,
    "acr network-rule add": _acr_rule_add,
    "storage account update": _storage_update,
    "keyvault update": _vault_update,
    "ml workspace update": _ml_workspace_update,
    "ml compute detach": _ml_compute_detach,
    "ml computetarget update aks": _compute_target_update,
    "k8s-extension update": _extension_update,
}


@contextlib.contextmanager
def hands_on(replica: Replica) -> Iterator[Hands]:
    """Clients of the replica for the length of a `with`."""
    hands = Hands(replica)
    try:
        yield hands
    finally:
        hands.close()
