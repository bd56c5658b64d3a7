"""Cloud profiles: what differs between clouds, and what the environment may replace."""

from pathlib import Path

import pytest

from auditor.clouds import CHINA, CUSTOM_KEYS, PROFILES, PUBLIC, USGOV, CloudProfile, resolve_cloud
from auditor.errors import ManyProblems, UsageProblem

ARM = "https://127.0.0.1:8443"
PEM = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("name", ["public", "china", "usgov", "China", "USGOV"])
def test_a_named_cloud_needs_no_environment(name: str) -> None:
    profile = resolve_cloud(name, {})
    assert profile is not None
    assert profile == PROFILES[name.casefold()]
    assert profile.instance_discovery


def test_clouds_share_no_host_that_takes_a_token() -> None:
    taken: list[str] = []
    for profile in (PUBLIC, CHINA, USGOV):
        taken += [profile.arm_endpoint, profile.authority, *profile.authority_aliases]
        taken += [profile.graph_endpoint] if profile.graph_endpoint else []
    assert len(taken) == len(set(taken))
    assert all(endpoint.startswith("https://") and not endpoint.endswith("/") for endpoint in taken)


def test_the_audience_of_azure_government_is_not_its_endpoint() -> None:
    # platform fact: a token for management.usgovcloudapi.net is asked for under its older name
    assert USGOV.arm_scope == "https://management.core.usgovcloudapi.net/.default"
    assert PUBLIC.arm_scope == PUBLIC.arm_endpoint + "/.default"
    assert CHINA.arm_scope == CHINA.arm_endpoint + "/.default"


def test_names_of_a_resource_follow_the_cloud() -> None:
    assert CHINA.registry_host("Models") == "models.azurecr.cn"
    assert CHINA.registry_data_host("Models", "China East 2") == "models.chinaeast2.data.azurecr.cn"
    assert PUBLIC.api_server_zone("East US 2") == "privatelink.eastus2.azmk8s.io"
    assert CHINA.api_server_zone("chinaeast2") == "privatelink.chinaeast2.cx.prod.service.azk8s.cn"
    assert USGOV.vault_host("Keys") == "keys.vault.usgovcloudapi.net"
    assert CHINA.blob_host("Data") == "data.blob.core.chinacloudapi.cn"


def test_only_where_the_cli_must_be_told_it_is() -> None:
    assert PUBLIC.az_cloud_line is None
    assert CHINA.az_cloud_line == "az cloud set -n AzureChinaCloud"
    assert USGOV.az_cloud_line == "az cloud set -n AzureUSGovernment"


def test_front_door_first_party_is_a_tag_of_the_public_cloud_only() -> None:
    assert not PUBLIC.lacks_tag("AzureFrontDoor.FirstParty")
    assert CHINA.lacks_tag("azurefrontdoor.firstparty")
    assert USGOV.lacks_tag("AzureFrontDoor.FirstParty")
    assert not CHINA.lacks_tag("AzureContainerRegistry.ChinaEast2")


def test_china_keeps_ssh_in_the_tunnel_ports() -> None:
    assert ("Tcp", 22) in CHINA.tunnel_ports
    assert ("Tcp", 22) not in PUBLIC.tunnel_ports


def test_an_endpoint_moves_the_scope_with_it() -> None:
    profile = resolve_cloud("usgov", {"AUDITOR_ARM_ENDPOINT": ARM + "/"})
    assert profile.arm_endpoint == ARM
    assert profile.arm_scope == ARM + "/.default"
    assert profile.authority == USGOV.authority
    assert profile.graph_endpoint == USGOV.graph_endpoint


def test_a_foreign_authority_s_token_is_not_sent_to_the_cloud_s_own_graph() -> None:
    profile = resolve_cloud("china", {"AUDITOR_AUTHORITY_HOST": "https://login.example.net"})
    assert profile.graph_endpoint is None
    assert profile.graph_scope is None
    assert profile.authority_aliases == ()
    assert not profile.instance_discovery


def test_graph_can_be_named_or_turned_off() -> None:
    named = {"AUDITOR_AUTHORITY_HOST": "https://a.example", "AUDITOR_GRAPH_ENDPOINT": "https://g.example"}
    assert resolve_cloud("china", named).graph_scope == "https://g.example/.default"
    assert resolve_cloud("public", {"AUDITOR_GRAPH_ENDPOINT": ""}).graph_endpoint is None


def test_custom_needs_its_endpoints_and_says_so_at_once() -> None:
    with pytest.raises(ManyProblems) as raised:
        resolve_cloud("custom", {})
    assert [problem.message for problem in raised.value.problems] == [
        "the cloud `custom` needs AUDITOR_ARM_ENDPOINT",
        "the cloud `custom` needs AUDITOR_AUTHORITY_HOST",
    ]


def test_custom_takes_names_but_no_endpoints_from_a_file() -> None:
    environment = {"AUDITOR_ARM_ENDPOINT": ARM, "AUDITOR_AUTHORITY_HOST": "https://login.local/adfs"}
    names = {"registry_suffix": "azurecr.local", "arm_endpoint": "https://evil.example"}
    profile = resolve_cloud("custom", environment, names)
    assert profile.registry_host("models") == "models.azurecr.local"
    assert profile.arm_endpoint == ARM
    assert profile.authority == "https://login.local/adfs"
    assert profile.blob_suffix == PUBLIC.blob_suffix
    # the same table means nothing to a cloud that Microsoft names
    assert resolve_cloud("public", {}, names) == PUBLIC


def test_what_a_file_may_name_exists_and_is_no_endpoint() -> None:
    fields = CloudProfile.__dataclass_fields__
    assert [key for key in CUSTOM_KEYS if key not in fields or "endpoint" in key or "authority" in key] == []


BAD_ENDPOINTS = {
    "plain http": "http://127.0.0.1:8443",
    "no scheme": "management.example.net",
    "no host": "https://",
    "user in it": "https://me@management.example.net",
    "query": "https://management.example.net?x=1",
    "fragment": "https://management.example.net#x",
    "space": "https://management.example.net /x",
    "line break": "https://management.example\n.net",
    "bad port": "https://management.example.net:99999",
    "bad brackets": "https://[::1",
}


@pytest.mark.parametrize("endpoint", BAD_ENDPOINTS.values(), ids=BAD_ENDPOINTS)
@pytest.mark.parametrize("variable", ["AUDITOR_ARM_ENDPOINT", "AUDITOR_AUTHORITY_HOST", "AUDITOR_GRAPH_ENDPOINT"])
def test_a_token_goes_to_plain_https_origins_only(variable: str, endpoint: str) -> None:
    with pytest.raises(UsageProblem, match=variable):
        resolve_cloud("public", {variable: endpoint})


def test_an_unknown_cloud_names_the_nearest() -> None:
    with pytest.raises(UsageProblem, match="unknown cloud `chnia`; did you mean `china`") as raised:
        resolve_cloud("chnia", {})
    assert raised.value.hint == "clouds are public, china, usgov, custom"


def test_a_ca_bundle_is_a_pem_file(tmp_path: Path) -> None:
    good = tmp_path / "ca.pem"
    good.write_text(PEM)
    der = tmp_path / "ca.der"
    der.write_bytes(b"\x30\x82")
    assert resolve_cloud("public", {"AUDITOR_CA_BUNDLE": str(good)}).ca_bundle == good
    with pytest.raises(UsageProblem, match="no certificate in"):
        resolve_cloud("public", {"AUDITOR_CA_BUNDLE": str(der)})
    with pytest.raises(UsageProblem, match="No such file"):
        resolve_cloud("public", {"AUDITOR_CA_BUNDLE": str(tmp_path / "none.pem")})
    with pytest.raises(UsageProblem, match="Is a directory"):
        resolve_cloud("public", {"AUDITOR_CA_BUNDLE": str(tmp_path)})
