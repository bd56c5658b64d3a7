"""Writes, where the replica takes them: each worked into the estate and its index, refused as the services refuse."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from auditor.replica import Replica
from auditor.replica.estate import from_document
from tests.replica.client import Client
from tests.replica.contoso import CLUSTER_OBJECT, NET, NSG, SUBNET, VNET, WORKSPACE, ZONE, document

ROLE = "/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/4d97b98b-1d4f-4787-a291-c67834d212e7"
NOWHERE = NET.replace("Net-RG", "nowhere")
RULE: dict[str, Any] = {
    "properties": {
        "priority": 150, "direction": "Outbound", "access": "Allow", "protocol": "Tcp", "sourceAddressPrefix": "*",
        "sourcePortRange": "*", "destinationAddressPrefix": "Storage", "destinationPortRange": "443",
    }
}  # fmt: skip


class Writing(Client):
    """A client that writes, too."""

    def send(self, method: str, path: str, body: Any = None, **query: str) -> requests.Response:
        return self.session.request(
            method,
            path if path.startswith("https") else self.replica.base_url + path,
            params=None if path.startswith("https") else {"api-version": "2024-05-01", **query},
            headers={"Authorization": f"Bearer {self.token()}"},
            json=body,
            timeout=30,
        )

    def body(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def finish(self, answer: requests.Response, header: str = "Azure-AsyncOperation") -> list[str]:
        """The states that the operation goes through until it is done."""
        states = []
        while True:
            state = self.send("GET", answer.headers[header]).json()["status"]
            states.append(state)
            if state != "InProgress":
                return states


@pytest.fixture(scope="module")
def replica() -> Iterator[Replica]:
    with Replica(from_document(document()), quota=False, writes=True) as running:
        yield running


@pytest.fixture
def client(replica: Replica) -> Iterator[Writing]:
    """The plain estate, and somebody who may write wherever they may read."""
    replica.load(from_document(document()))
    writing = Writing(replica)
    yield writing
    writing.close()


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_rule_is_put_into_its_group_and_into_the_index(client: Writing) -> None:
    answer = client.send("PUT", f"{NSG}/securityRules/AllowStorage", RULE)
    assert (answer.status_code, answer.json()["properties"]["provisioningState"]) == (201, "Updating")
    assert client.finish(answer) == ["InProgress", "Succeeded"]
    [inside] = [one for one in client.body(NSG)["properties"]["securityRules"] if one["name"] == "AllowStorage"]
    assert inside["properties"] == {**RULE["properties"], "provisioningState": "Succeeded"}
    assert client.body(f"{NSG}/securityRules/AllowStorage")["id"] == inside["id"]
    [row] = client.rows(f"resources | where id =~ '{NSG}'")
    assert "AllowStorage" in [one["name"] for one in row["properties"]["securityRules"]]


def test_a_second_put_replaces_the_rule(client: Writing) -> None:
    client.send("PUT", f"{NSG}/securityRules/AllowStorage", RULE)
    later = {"properties": {**RULE["properties"], "priority": 151}}
    assert (
        client.send("PUT", f"{NSG.upper().replace('/SUB', '/sub')}/securityRules/allowstorage", later).status_code
        == 200
    )
    names = [one["name"] for one in client.body(NSG)["properties"]["securityRules"]]
    assert names.count("AllowStorage") == 1
    assert client.body(f"{NSG}/securityRules/AllowStorage")["properties"]["priority"] == 151


def test_two_rules_of_one_priority_are_refused(client: Writing) -> None:
    client.send("PUT", f"{NSG}/securityRules/AllowStorage", RULE)
    assert code(client.send("PUT", f"{NSG}/securityRules/AllowOther", RULE)) == (400, "SecurityRuleConflict")
    inbound = {"properties": {**RULE["properties"], "direction": "Inbound"}}
    assert client.send("PUT", f"{NSG}/securityRules/AllowIn", inbound).status_code == 201


def test_a_rule_is_deleted_from_its_group(client: Writing) -> None:
    client.send("PUT", f"{NSG}/securityRules/AllowStorage", RULE)
    answer = client.send("DELETE", f"{NSG}/securityRules/AllowStorage")
    assert answer.status_code == 202
    assert client.finish(answer) == ["InProgress", "Succeeded"]
    assert client.get(f"{NSG}/securityRules/AllowStorage").status_code == 404
    assert client.send("DELETE", f"{NSG}/securityRules/AllowStorage").status_code == 204


def test_a_put_takes_away_what_it_leaves_out(client: Writing) -> None:
    before = client.body(SUBNET)
    sent = {"name": "nodes", "properties": {"addressPrefix": before["properties"]["addressPrefix"]}}
    assert client.send("PUT", SUBNET, sent).status_code == 200
    [inside] = [one for one in client.body(VNET)["properties"]["subnets"] if one["name"] == before["name"]]
    assert inside["properties"]["addressPrefix"] == before["properties"]["addressPrefix"]
    assert "networkSecurityGroup" not in inside["properties"]


@pytest.mark.parametrize(
    ("prefix", "refusal"), [("203.0.113.0/24", "NetcfgInvalidSubnet"), (None, "NetcfgSubnetRangesOverlap")]
)
def test_a_subnet_that_cannot_be(client: Writing, prefix: str | None, refusal: str) -> None:
    prefix = prefix or client.body(SUBNET)["properties"]["addressPrefix"]
    answer = client.send("PUT", f"{VNET}/subnets/another", {"properties": {"addressPrefix": prefix}})
    assert code(answer) == (400, refusal)


def test_a_role_is_assigned_once(client: Writing) -> None:
    scope = f"{NET}/providers/Microsoft.Authorization/roleAssignments"
    properties = {"roleDefinitionId": ROLE, "principalId": CLUSTER_OBJECT, "principalType": "ServicePrincipal"}
    first = client.send("PUT", f"{scope}/0a000000-0000-4000-8000-000000000001", {"properties": properties})
    assert (first.status_code, first.json()["properties"]["scope"]) == (201, NET)
    assert "Azure-AsyncOperation" not in first.headers
    again = client.send("PUT", f"{scope}/0a000000-0000-4000-8000-000000000002", {"properties": properties})
    assert code(again) == (409, "RoleAssignmentExists")
    [row] = client.rows(
        f"authorizationresources | where properties.principalId == '{CLUSTER_OBJECT}' and id contains '0a000000'"
    )
    assert row["properties"]["scope"] == NET
    assert client.send("DELETE", f"{scope}/0a000000-0000-4000-8000-000000000001").status_code == 200
    assert client.get(f"{scope}/0a000000-0000-4000-8000-000000000001").status_code == 404


def test_a_patch_merges_and_ends_at_its_location(client: Writing) -> None:
    before = client.body(WORKSPACE)
    answer = client.send("PATCH", WORKSPACE, {"properties": {"publicNetworkAccess": "Disabled"}})
    assert answer.status_code == 202
    assert client.send("GET", answer.headers["Location"]).status_code == 202
    assert client.send("GET", answer.headers["Location"]).json()["properties"]["publicNetworkAccess"] == "Disabled"
    after = client.body(WORKSPACE)
    assert after["location"] == before["location"]
    assert {**before.get("properties", {}), "publicNetworkAccess": "Disabled"}.items() <= after["properties"].items()


def test_a_private_endpoint_shows_on_its_target(client: Writing) -> None:
    connection = {"name": "c", "properties": {"privateLinkServiceId": WORKSPACE, "groupIds": ["amlworkspace"]}}
    properties = {"subnet": {"id": SUBNET}, "privateLinkServiceConnections": [connection]}
    path = f"{NET}/providers/Microsoft.Network/privateEndpoints/door"
    client.send("PUT", path, {"location": "eastus2", "properties": properties})
    made = client.body(path)["properties"]
    [connection] = made["privateLinkServiceConnections"]
    assert connection["properties"]["privateLinkServiceConnectionState"]["status"] == "Approved"
    assert made["customDnsConfigs"][0]["ipAddresses"] != [""]
    [shown] = client.body(WORKSPACE)["properties"]["privateEndpointConnections"]
    assert shown["properties"]["privateEndpoint"]["id"] == path


def test_what_lies_below_goes_too(client: Writing) -> None:
    link = {"location": "global", "properties": {"virtualNetwork": {"id": VNET}, "registrationEnabled": False}}
    client.send("PUT", f"{ZONE}/virtualNetworkLinks/new", link)
    assert client.body(f"{ZONE}/virtualNetworkLinks/new")["properties"]["virtualNetworkLinkState"] == "Completed"
    client.send("DELETE", ZONE)
    assert client.get(f"{ZONE}/virtualNetworkLinks/new").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "refusal"),
    [
        ("PUT", f"{NET}/providers/Microsoft.Network/routeTables/none/routes/r", (404, "ParentResourceNotFound")),
        ("PUT", NOWHERE + "/providers/Microsoft.Network/routeTables/t", (404, "ResourceGroupNotFound")),
        ("PATCH", f"{NET}/providers/Microsoft.Network/routeTables/none", (404, "ResourceNotFound")),
        ("PUT", f"{NET}/providers/Microsoft.Network/routeTables", (405, "MethodNotAllowed")),
        ("PUT", "/subscriptions/x", (405, "MethodNotAllowed")),
        ("POST", f"{NSG}/securityRules/x", (405, "MethodNotAllowed")),
    ],
)  # fmt: skip
def test_refusals(client: Writing, method: str, path: str, refusal: tuple[int, str]) -> None:
    assert code(client.send(method, path, {})) == refusal


def test_who_may_not_read_may_not_write(replica: Replica, client: Writing) -> None:
    narrow = Writing(replica, 1)
    assert code(narrow.send("PUT", f"{WORKSPACE}/computes/c", {"properties": {}})) == (403, "AuthorizationFailed")
    narrow.close()


def test_a_write_needs_a_version_a_token_and_json(client: Writing) -> None:
    url = client.replica.base_url + NSG
    bearer = {"Authorization": f"Bearer {client.token()}"}
    assert code(client.session.put(url, headers=bearer, json={}, timeout=30)) == (400, "MissingApiVersionParameter")
    assert client.session.put(url, params={"api-version": "2024-05-01"}, json={}, timeout=30).status_code == 401
    answer = client.session.put(url, params={"api-version": "2024-05-01"}, headers=bearer, data="{", timeout=30)
    assert code(answer) == (400, "InvalidRequestContent")


def test_writes_are_recorded_with_their_type(client: Writing) -> None:
    client.replica.forget_requests()
    client.send("PUT", f"{NSG}/securityRules/AllowStorage", RULE)
    record = client.replica.requests[-1]
    shown = (record.method, record.operation, record.type, record.status)
    assert shown == ("PUT", "write", "microsoft.network/networksecuritygroups/securityrules", 201)
