"""The sample estate is sound: what is named exists, names are real, ranges do not touch by accident."""

import gzip
import ipaddress
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.replica.estate import Estate, load

ESTATES = Path(__file__).resolve().parents[2] / "auditor" / "demo" / "estates"
CLOUDS = ("public", "china")
NIGHTS = ("night-1", "night-2", "night-3")

MISSING_ON_PURPOSE = {
    # A compute that outlived its cluster.
    "/managedclusters/aks-vision-old",
}
"""Endings of ids that are named and that no resource has, each deliberately."""

OF_AZURE = {"00000000-0000-0000-0000-000000000000"}
"""Principals that no directory lists: `Everyone` of a deny assignment."""

TAG_NAME = re.compile(r"^[A-Z][A-Za-z0-9]+(\.[A-Za-z0-9]+)*$")
NOT_IN_ANY_FILE = {"virtualnetwork", "internet", "azureloadbalancer"}
NOT_IN_THE_ESTATE = {"sql"}
"""A tag that rules name and the estate's list lacks, as a list some weeks old lacks a new tag."""


@pytest.fixture(scope="module", params=list(itertools.product(CLOUDS, NIGHTS)), ids="-".join)
def estate(request: pytest.FixtureRequest) -> Estate:
    cloud, night = request.param
    return load(ESTATES / f"{night}.json", cloud)


def strings(value: Any) -> Iterator[str]:
    """Every text in a body, keys of objects too (the ids of user-assigned identities are keys)."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def addressable(estate: Estate) -> dict[str, dict[str, Any]]:
    """Every body that has an id of its own, alone or inside another one, by lower-case id."""
    found: dict[str, dict[str, Any]] = {}

    def visit(value: Any, inside_of: str) -> None:
        if isinstance(value, dict):
            own = str(value.get("id", "")).lower()
            # A reference has an id and nothing else that says what it is.
            if own.startswith(inside_of) and "name" in value:
                found[own] = value
            for inner in value.values():
                visit(inner, inside_of)
        elif isinstance(value, list):
            for inner in value:
                visit(inner, inside_of)

    for body in estate.resources:
        visit(body, body["id"].lower())
    return found


def of_type(estate: Estate, kind: str) -> list[dict[str, Any]]:
    return [body for body in estate.resources if body["type"].lower() == kind.lower()]


def all_rules(estate: Estate) -> Iterator[tuple[str, dict[str, Any]]]:
    for group in of_type(estate, "Microsoft.Network/networkSecurityGroups"):
        for rule in group["properties"]["securityRules"]:
            yield group["name"], rule


def ends(rule: dict[str, Any]) -> Iterator[str]:
    properties = rule["properties"]
    for side in ("source", "destination"):
        if f"{side}AddressPrefix" in properties:
            yield properties[f"{side}AddressPrefix"]
        yield from properties.get(f"{side}AddressPrefixes", ())


def is_prefix(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def test_every_id_that_is_named_exists(estate: Estate) -> None:
    known = set(addressable(estate)) | {f"/subscriptions/{one.id}".lower() for one in estate.subscriptions}
    known |= {f"/providers/microsoft.management/managementgroups/{one.id}" for one in estate.management_groups}
    missing = set()
    for body in estate.resources:
        for text in strings(body):
            if not text.lower().startswith(("/subscriptions/", "/providers/microsoft.management/")):
                continue
            if "/providers/microsoft.authorization/roledefinitions/" in text.lower():
                continue
            if text.lower() not in known and not text.lower().endswith(tuple(MISSING_ON_PURPOSE)):
                missing.add(f"{text} (named by {body['id']})")
    assert not missing


def test_what_is_missing_on_purpose_is_named_and_missing(estate: Estate) -> None:
    named = {text.lower() for body in estate.resources for text in strings(body)}
    for ending in MISSING_ON_PURPOSE:
        assert [text for text in named - set(addressable(estate)) if text.endswith(ending)]


def test_an_id_says_where_its_resource_lies(estate: Estate) -> None:
    for identity, body in addressable(estate).items():
        assert identity.rsplit("/", 1)[1] == str(body["name"]).lower(), identity
        shown = str(body.get("type", "")).lower()
        assert shown.rsplit("/", 1)[-1] in identity, identity


def test_role_assignments_name_roles_and_principals_that_exist(estate: Estate) -> None:
    roles = {body["name"].lower() for body in of_type(estate, "Microsoft.Authorization/roleDefinitions")}
    principals = {one.object_id for one in estate.service_principals} | {one.object_id for one in estate.applications}
    groups = {one.id for one in estate.groups}
    for kind in ("roleAssignments", "roleEligibilityScheduleInstances"):
        for body in of_type(estate, f"Microsoft.Authorization/{kind}"):
            properties = body["properties"]
            assert properties["roleDefinitionId"].lower().rsplit("/", 1)[1] in roles, body["id"]
            known = groups if properties["principalType"] == "Group" else principals
            assert properties["principalId"] in known, body["id"]
            assert body["id"].lower().startswith(properties["scope"].lower() + "/providers/"), body["id"]
    for body in of_type(estate, "Microsoft.Authorization/denyAssignments"):
        named = {one["id"] for side in ("principals", "excludePrincipals") for one in body["properties"][side]}
        assert named <= principals | groups | OF_AZURE


def test_every_assigned_role_is_defined_once_and_no_other(estate: Estate) -> None:
    defined = Counter(body["name"] for body in of_type(estate, "Microsoft.Authorization/roleDefinitions"))
    assert set(defined.values()) == {1}
    assigned = {
        body["properties"]["roleDefinitionId"].rsplit("/", 1)[1]
        for body in of_type(estate, "Microsoft.Authorization/roleAssignments")
    }
    assert assigned <= set(defined)


def test_built_in_roles_are_microsofts(estate: Estate, shared_data: Path) -> None:
    with gzip.open(shared_data / "roles" / "builtin_roles.json.gz", "rt", encoding="utf-8") as file:
        real = {body["name"]: body["properties"] for body in json.load(file)["value"]}
    for body in of_type(estate, "Microsoft.Authorization/roleDefinitions"):
        if body["properties"]["type"] == "BuiltInRole":
            assert body["properties"] == real[body["name"]]
        else:
            assert body["name"] not in real


def test_custom_roles_name_real_operations_but_for_the_documented_misspelling(
    estate: Estate, shared_data: Path
) -> None:
    with gzip.open(shared_data / "operations" / "Microsoft.Network.json.gz", "rt", encoding="utf-8") as file:
        real = {one["name"].lower() for one in json.load(file)["operations"]}
    wrong = {
        action
        for body in of_type(estate, "Microsoft.Authorization/roleDefinitions")
        if body["properties"]["type"] == "CustomRole"
        for block in body["properties"]["permissions"]
        for action in block["actions"]
        if action.lower() not in real
    }
    assert wrong == {"Microsoft.Network/virtualNetworks/subnet/join/action"}


def test_every_tag_in_a_rule_is_in_the_estates_list(estate: Estate) -> None:
    assert estate.service_tags is not None
    held = {one["name"].lower() for one in estate.service_tags["values"]} | NOT_IN_ANY_FILE
    missing = set()
    for _, rule in all_rules(estate):
        for text in ends(rule):
            if text != "*" and not is_prefix(text):
                assert TAG_NAME.match(text), text
                if text.lower() not in held:
                    missing.add(text.lower())
    assert missing == NOT_IN_THE_ESTATE


def test_tags_and_their_prefixes_are_microsofts(estate: Estate, shared_data: Path) -> None:
    with gzip.open(shared_data / "service_tags" / f"{estate.cloud}.json.gz", "rt", encoding="utf-8") as file:
        real = {one["name"].lower(): one["properties"] for one in json.load(file)["values"]}
    assert estate.service_tags is not None
    for one in estate.service_tags["values"]:
        published = real[one["name"].lower()]
        assert set(one["properties"]["addressPrefixes"]) <= set(published["addressPrefixes"]), one["name"]
        assert one["properties"]["region"] == published["region"]
        assert one["properties"]["systemService"] == published["systemService"]
    for _, rule in all_rules(estate):
        for text in ends(rule):
            if text != "*" and not is_prefix(text) and text.lower() not in NOT_IN_ANY_FILE:
                assert text.lower() in real, f"{text} is no tag of {estate.cloud}"


def prefixes_of(estate: Estate) -> dict[str, list[Any]]:
    assert estate.service_tags is not None
    return {
        one["name"].lower(): [ipaddress.ip_network(text) for text in one["properties"]["addressPrefixes"]]
        for one in estate.service_tags["values"]
    }


def inside(part: list[Any], whole: list[Any], *, version: int | None = None) -> bool:
    return all(
        any(one.version == other.version and one.subnet_of(other) for other in whole)
        for one in part
        if version in (None, one.version)
    )


def test_tags_contain_each_other_as_in_the_full_lists(estate: Estate) -> None:
    tags = prefixes_of(estate)
    regional = [name for name in tags if name.startswith("azurecontainerregistry.")]
    for name in regional:
        assert inside(tags[name], tags["azurecontainerregistry"])
        assert inside(tags[name], tags[f"azurecloud.{name.split('.')[1]}"])
    union = [one for name in regional for one in tags[name]]
    assert inside(tags["azurecontainerregistry"], union) == (estate.cloud == "china")
    assert inside(tags["azurecontainerregistry"], tags["azurecloud"])
    assert inside(tags["microsoftcontainerregistry"], tags["azurecloud"])
    assert not inside(tags["storage"], tags["azurecloud"], version=4)
    assert not inside(tags["azureactivedirectory"], tags["azurecloud"], version=4)
    assert ("azurefrontdoor.firstparty" in tags) == (estate.cloud == "public")
    if estate.cloud == "public":
        assert not inside(tags["azurefrontdoor.firstparty"], tags["azurecloud"], version=4)


def test_registry_prefixes_written_out_are_all_of_the_regions(estate: Estate) -> None:
    """The frozen list of `nsg-aks-vision` is whole on the first night and one short on the second."""
    suffix = "eastus2" if estate.cloud == "public" else "chinaeast2"
    today = {str(one) for one in prefixes_of(estate)[f"azurecontainerregistry.{suffix}"]}
    [frozen] = [
        set(ends(rule)) - {"*"} for name, rule in all_rules(estate)
        if name == "nsg-aks-vision" and rule["name"] == "AllowRegistry"
    ]  # fmt: skip
    first_night = not estate.changes
    assert frozen == today if first_night else len(today - frozen) == 1 and frozen < today


def test_networks_overlap_nowhere_and_subnets_lie_inside(estate: Estate) -> None:
    spaces: dict[str, list[Any]] = {}
    for body in of_type(estate, "Microsoft.Network/virtualNetworks"):
        own: list[Any] = [ipaddress.ip_network(text) for text in body["properties"]["addressSpace"]["addressPrefixes"]]
        subnets: list[Any] = [
            ipaddress.ip_network(one["properties"]["addressPrefix"]) for one in body["properties"]["subnets"]
        ]
        assert inside(subnets, own), body["name"]
        for one, other in itertools.combinations(subnets, 2):
            assert not one.overlaps(other), body["name"]
        spaces[body["name"]] = own
    for here, there in itertools.combinations(spaces.values(), 2):
        assert not any(a.overlaps(b) for a in here for b in there)


def test_peerings_are_mutual_and_tell_the_peers_prefixes(estate: Estate) -> None:
    networks = {body["id"].lower(): body for body in of_type(estate, "Microsoft.Network/virtualNetworks")}
    pairs = {
        (key, one["properties"]["remoteVirtualNetwork"]["id"].lower()): one["properties"]["remoteAddressSpace"]
        for key, body in networks.items()
        for one in body["properties"]["virtualNetworkPeerings"]
    }
    for (here, there), space in pairs.items():
        assert (there, here) in pairs
        assert space == networks[there]["properties"]["addressSpace"]


def test_priorities_are_unique_per_group_and_direction(estate: Estate) -> None:
    seen = Counter(
        (name, rule["properties"]["direction"], rule["properties"]["priority"]) for name, rule in all_rules(estate)
    )
    assert set(seen.values()) == {1}


def test_attachments_are_told_on_both_sides(estate: Estate) -> None:
    known = addressable(estate)
    for kind, property_ in (("networkSecurityGroups", "networkSecurityGroup"), ("routeTables", "routeTable")):
        for body in of_type(estate, f"Microsoft.Network/{kind}"):
            for one in body["properties"].get("subnets", ()):
                subnet = known[one["id"].lower()]
                assert subnet["properties"][property_]["id"].lower() == body["id"].lower()


def test_the_estate_has_what_it_promises(estate: Estate) -> None:
    clusters = of_type(estate, "Microsoft.ContainerService/managedClusters")
    assert len(clusters) >= 8
    identities = Counter((body.get("identity") or {"type": "service principal"})["type"] for body in clusters)
    assert set(identities) == {"SystemAssigned", "UserAssigned", "service principal"}
    assert len({one.management_group for one in estate.subscriptions}) >= 3
    computes = Counter(
        body["properties"]["computeType"]
        for body in of_type(estate, "Microsoft.MachineLearningServices/workspaces/computes")
    )
    assert computes["AKS"] >= 1
    assert computes["Kubernetes"] >= 2
    assert any("<script>" in text for body in estate.resources for text in strings(body))
    [application] = estate.applications
    assert application.graph
    assert application.reads == ("/providers/Microsoft.Management/managementGroups/contoso",)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_changes_and_events_name_what_differs_between_the_nights(cloud: str) -> None:
    first, second = (load(ESTATES / f"{night}.json", cloud) for night in ("night-1", "night-2"))
    before, after = ({body["id"].lower(): body for body in estate.resources} for estate in (first, second))
    differing = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    told = {one["properties"]["targetResourceId"].lower() for one in second.changes}
    told |= {one["resourceId"].lower() for one in second.activity}
    assert differing == told


@pytest.mark.parametrize("cloud", CLOUDS)
def test_changes_happened_between_the_two_nights(cloud: str) -> None:
    first, second = (load(ESTATES / f"{night}.json", cloud) for night in ("night-1", "night-2"))
    times = [one["properties"]["changeAttributes"]["timestamp"] for one in second.changes]
    times += [one["eventTimestamp"] for one in second.activity]
    assert times
    for text in times:
        assert f"{first.clock:%Y-%m-%dT%H:%M:%SZ}" < text < f"{second.clock:%Y-%m-%dT%H:%M:%SZ}"


def test_no_name_of_the_public_cloud_leaks_into_china() -> None:
    texts = set()
    for night in NIGHTS:
        estate = load(ESTATES / f"{night}.json", "china")
        texts |= {
            text.lower() for body in (*estate.resources, *estate.changes, *estate.activity) for text in strings(body)
        }
    for name in (".azurecr.io", "azmk8s.io", "core.windows.net", "azure.net", "azureml.ms", "eastus2", "westeurope",
                 "azurefrontdoor"):  # fmt: skip
        # The AML extension's type and Kubernetes' own names hold no cloud's suffix.
        assert not [text for text in texts if name in text], name
