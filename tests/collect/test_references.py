"""What rows refer to: the records that names of private endpoints need."""

from typing import Any

from auditor.collect.references import Wanted

GUID = "0f0e0d0c-0000-4000-8000-000000000001"
GROUP = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/ml/providers"


def row(kind: str, name: str, **properties: Any) -> dict[str, Any]:
    return {
        "id": f"{GROUP}/{kind}/{name}",
        "type": kind.lower(),
        "name": name,
        "location": "East US 2",
        "properties": properties,
    }


def names(*rows: dict[str, Any]) -> list[str]:
    wanted = Wanted()
    wanted.take(rows)
    return wanted.names_in_zones()


def test_a_registry_has_a_record_for_its_login_and_one_for_its_data() -> None:
    assert names(row("Microsoft.ContainerRegistry/registries", "Images")) == ["images", "images.eastus2.data"]


def test_a_workspaces_record_is_called_by_its_guid() -> None:
    workspace = row("Microsoft.MachineLearningServices/workspaces", "ws", workspaceId=GUID)
    assert names(workspace) == [f"{GUID}.workspace.eastus2"]
    assert names(row("Microsoft.MachineLearningServices/workspaces", "ws")) == []


def test_an_endpoints_host_is_called_by_what_the_zone_leaves_of_it() -> None:
    host = f"{GUID}.workspace.chinaeast2.api.ml.azure.cn"
    endpoint = row("Microsoft.Network/privateEndpoints", "pe", customDnsConfigs=[{"fqdn": f"{host}."}, {"fqdn": None}])
    zone = row("Microsoft.Network/privateDnsZones", "privatelink.api.ml.azure.cn")
    assert f"{GUID}.workspace.chinaeast2" in names(endpoint, zone)
    assert names(endpoint) == []
