"""What collect keeps: nothing that has not been reviewed, and no secret."""

import json
from typing import Any

import pytest

from auditor.inventory.allowlist import keep_allowed, paths
from auditor.inventory.shapes import BODIES
from tests.estate import SUB, arm

SECRET = "s3cr3t-value"

ROWS: dict[str, dict[str, Any]] = {
    "environment of a container": {
        "type": "Microsoft.ContainerInstance/containerGroups",
        "properties": {
            "containers": [{"properties": {"environmentVariables": [{"name": "KEY", "value": SECRET}]}}],
            "imageRegistryCredentials": [{"server": "r.azurecr.io", "username": SECRET, "password": SECRET}],
        },
    },
    "connection strings of a compute": {
        "type": "Microsoft.MachineLearningServices/workspaces/computes",
        "properties": {
            "computeType": "Kubernetes",
            "properties": {
                "relayConnectionString": SECRET,
                "serviceBusConnectionString": SECRET,
                "sslConfiguration": {"status": "Enabled", "cert": SECRET, "key": SECRET},
            },
        },
    },
    "protected settings of an extension": {
        "type": "Microsoft.KubernetesConfiguration/extensions",
        "properties": {
            "configurationProtectedSettings": {"k": SECRET},
            "configurationSettings": {"enableInference": "True", "clusterPassword": SECRET},
        },
    },
    "a body of another shape": {"type": "Microsoft.ContainerInstance/containerGroups", "properties": SECRET},
    "a list of another shape": {"type": "Microsoft.Network/virtualNetworks", "properties": {"subnets": SECRET}},
    "an object where a text is due": {
        "type": "Microsoft.ContainerService/managedClusters",
        "properties": {"fqdn": {"password": SECRET}, "networkProfile": [SECRET]},
    },
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_no_secret_is_kept(row: dict[str, Any]) -> None:
    kept = keep_allowed({"id": arm("g", row["type"], "x"), "name": "x", **row})
    assert kept is not None
    assert SECRET not in json.dumps(kept)


def test_what_is_read_is_kept_in_arms_spelling() -> None:
    row = {
        "id": f"/subscriptions/{SUB}/x",
        "type": "Microsoft.Network/networkSecurityGroups",
        "PROPERTIES": {},
        "properties": {"SECURITYRULES": [{"Name": "a", "properties": {"PRIORITY": 100, "description": "no"}}]},
    }
    kept = keep_allowed(row)
    assert kept is not None
    assert kept["properties"] == {"securityRules": [{"name": "a", "properties": {"priority": 100}}]}


def test_types_that_no_check_reads_are_dropped_and_own_rows_pass() -> None:
    assert keep_allowed({"id": "/x", "type": "Microsoft.Web/sites", "properties": {}}) is None
    own = {"type": "auditor/principal", "objectId": "o"}
    assert keep_allowed(own) == own


@pytest.mark.parametrize("body_type", BODIES)
def test_every_kept_path_can_be_listed_for_review(body_type: str) -> None:
    listed = paths(body_type)
    assert len(set(listed)) == len(listed)
    words = ("password", "secret", "connectionstring", "key", "certificate", "token")
    suspicious = [p for p in listed if any(w in p.rsplit(".", 1)[-1].casefold() for w in words)]
    # `sslSecret` names a Kubernetes secret, `keyVault` a vault: names, not contents.
    assert [p for p in suspicious if p.rsplit(".", 1)[-1] not in ("sslSecret", "keyVault")] == []
