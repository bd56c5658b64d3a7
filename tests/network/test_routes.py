"""Next hops: longest prefix, who beats whom, what cannot be seen."""

from __future__ import annotations

import pytest

from auditor.network import (
    AddressSet,
    Hop,
    Kind,
    Leg,
    Network,
    PrivateEndpoint,
    Route,
    RouteTable,
    Tag,
    TagData,
    default_routes,
    next_hops,
    reachable,
    sends_default_away,
)
from auditor.values import Unread
from tests.network.estate import ACR, TAGS

SPACE = AddressSet.of("10.0.0.0/16")
PEER = AddressSet.of("10.1.0.0/16")
GATEWAY = Unread("/gateway", "learned routes are not configuration")


def network(**how: object) -> Network:
    defaults: dict[str, object] = {"cloud": "public", "space": SPACE, "peers": (("/peer", PEER),), "tags": TAGS}
    return Network(**{**defaults, **how})  # type: ignore[arg-type]


def to(prefix: str, hop: str = "VirtualAppliance", ip: str | None = "10.1.0.4", name: str = "") -> Route:
    return Route(name=name or prefix, prefix=prefix, next_hop_type=hop, next_hop_ip=ip)


def none(prefix: str) -> Route:
    return to(prefix, "None", None)


def table(*routes: Route, learns: bool = True) -> RouteTable:
    return RouteTable(id="/table", name="table", routes=routes, learns=learns)


Where = tuple[str, Hop]

# routes, destination, network -> (prefixes, hop), ...
CASES: dict[str, tuple[tuple[Route, ...], str, Network, tuple[Where, ...]]] = {
    "the system's default": ((), "20.1.2.3", network(), (("20.1.2.3/32", Hop.INTERNET),)),
    "the virtual network": ((), "10.0.9.9", network(), (("10.0.9.9/32", Hop.VIRTUAL_NETWORK),)),
    "a peer": ((), "10.1.9.9", network(), (("10.1.9.9/32", Hop.PEERING),)),
    "other private space drops": ((), "10.2.0.1", network(), (("10.2.0.1/32", Hop.NONE),)),
    "shared space drops": ((), "100.64.0.1", network(), (("100.64.0.1/32", Hop.NONE),)),
    "a default route": ((to("0.0.0.0/0"),), "20.1.2.3", network(), (("20.1.2.3/32", Hop.APPLIANCE),)),
    "a default route does not catch the network": (
        (to("0.0.0.0/0"),),
        "10.0.9.9",
        network(),
        (("10.0.9.9/32", Hop.VIRTUAL_NETWORK),),
    ),
    "a user route of the network's length does": (
        (to("10.0.0.0/16"),),
        "10.0.9.9",
        network(),
        (("10.0.9.9/32", Hop.APPLIANCE),),
    ),
    "a wider one does not": ((to("10.0.0.0/8"),), "10.0.9.9", network(), (("10.0.9.9/32", Hop.VIRTUAL_NETWORK),)),
    "a narrower one takes its part of a peer": (
        (none("10.1.0.0/17"),),
        "10.1.0.0/16",
        network(),
        (("10.1.0.0/17", Hop.NONE), ("10.1.128.0/17", Hop.PEERING)),
    ),
    "a more specific drop beats the default": (
        (to("0.0.0.0/0"), none("20.1.0.0/16")),
        "20.1.0.0/15",
        network(),
        (("20.0.0.0/16", Hop.APPLIANCE), ("20.1.0.0/16", Hop.NONE)),
    ),
    "rows in any order": (
        (none("20.1.0.0/16"), to("0.0.0.0/0")),
        "20.1.0.0/16",
        network(),
        (("20.1.0.0/16", Hop.NONE),),
    ),
    "a default in two halves": (
        (to("0.0.0.0/1"), to("128.0.0.0/1")),
        "20.1.2.3",
        network(),
        (("20.1.2.3/32", Hop.APPLIANCE),),
    ),
    "hop types without case": ((to("0.0.0.0/0", "internet"),), "20.1.2.3", network(), (("20.1.2.3/32", Hop.INTERNET),)),
    "a hop that is none of Azure's": (
        (to("0.0.0.0/0", "Elsewhere"),),
        "20.1.2.3",
        network(),
        (("20.1.2.3/32", Hop.UNDECIDED),),
    ),
    # tags
    "a tag's route beats the default": (
        (to("0.0.0.0/0"), to(ACR.lower(), "Internet", None)),
        "20.1.2.3",
        network(),
        (("20.1.2.3/32", Hop.INTERNET),),
    ),
    "an explicit prefix wins at an exact match": (
        (to(ACR, "Internet", None), none("20.1.0.0/16")),
        "20.1.9.9",
        network(),
        (("20.1.9.9/32", Hop.NONE),),
    ),
    "a tag's longer prefix wins": (
        (to(ACR, "Internet", None), none("20.1.0.0/16")),
        "20.1.0.9",
        network(),
        (("20.1.0.9/32", Hop.INTERNET),),
    ),
    "a regional tag before the global one": (
        (none("AzureContainerRegistry"), to(ACR, "Internet", None)),
        "20.1.9.9",
        network(),
        (("20.1.9.9/32", Hop.INTERNET),),
    ),
    "a top-level tag before AzureCloud of the region": (
        (none("AzureCloud.eastus2"), to("AzureContainerRegistry", "Internet", None)),
        "20.1.9.9",
        network(),
        (("20.1.9.9/32", Hop.INTERNET),),
    ),
    "an unknown tag matters where it may match": (
        (to("0.0.0.0/0"), none("NobodyPublished")),
        "20.1.2.3",
        network(),
        (("20.1.2.3/32", Hop.UNDECIDED),),
    ),
    "but not against an equal hop": (
        (to("0.0.0.0/0"), to("NobodyPublished")),
        "20.1.2.3",
        network(),
        (("20.1.2.3/32", Hop.APPLIANCE),),
    ),
    "nor against a /32": ((to("20.1.2.3"), none("Nobody")), "20.1.2.3", network(), (("20.1.2.3/32", Hop.APPLIANCE),)),
    "an unread public tag leaves the network alone": (
        (none("Storage"),),
        "10.0.9.9",
        network(tags=None),
        (("10.0.9.9/32", Hop.VIRTUAL_NETWORK),),
    ),
    "an unparsable prefix may match": ((none("111"),), "20.1.2.3", network(), (("20.1.2.3/32", Hop.UNDECIDED),)),
    # endpoints
    "a service endpoint beats every user route": (
        (none("20.1.0.0/16"), none("20.1.2.3")),
        "20.1.2.3",
        network(service_endpoints=(("Microsoft.ContainerRegistry", Tag(ACR)),)),
        (("20.1.2.3/32", Hop.SERVICE_ENDPOINT),),
    ),
    "a private endpoint": (
        (none("10.0.9.0/24"),),
        "10.0.9.9",
        network(private_endpoints=(PrivateEndpoint(id="/pe", addresses=AddressSet.of("10.0.9.9")),)),
        (("10.0.9.9/32", Hop.PRIVATE_ENDPOINT),),
    ),
    "route policies let a user route as long as the space take over": (
        (none("10.0.0.0/16"),),
        "10.0.9.9",
        network(private_endpoints=(PrivateEndpoint(id="/pe", addresses=AddressSet.of("10.0.9.9"), policies=True),)),
        (("10.0.9.9/32", Hop.NONE),),
    ),
    "but not a shorter one": (
        (none("10.0.0.0/15"),),
        "10.0.9.9",
        network(private_endpoints=(PrivateEndpoint(id="/pe", addresses=AddressSet.of("10.0.9.9"), policies=True),)),
        (("10.0.9.9/32", Hop.PRIVATE_ENDPOINT),),
    ),
    "and never the default": (
        (none("0.0.0.0/0"),),
        "10.0.9.9",
        network(private_endpoints=(PrivateEndpoint(id="/pe", addresses=AddressSet.of("10.0.9.9"), policies=True),)),
        (("10.0.9.9/32", Hop.PRIVATE_ENDPOINT),),
    ),
    # what cannot be seen
    "a gateway may inject a default": ((), "20.1.2.3", network(learned=GATEWAY), (("20.1.2.3/32", Hop.UNDECIDED),)),
    "but a user route decides": (
        (to("0.0.0.0/0"),),
        "20.1.2.3",
        network(learned=GATEWAY),
        (("20.1.2.3/32", Hop.APPLIANCE),),
    ),
    "learned routes never beat the network": (
        (),
        "10.0.9.9",
        network(learned=GATEWAY),
        (("10.0.9.9/32", Hop.VIRTUAL_NETWORK),),
    ),
    "nor a peer": ((), "10.1.9.9", network(learned=GATEWAY), (("10.1.9.9/32", Hop.PEERING),)),
    "an unread peer may hold private space": (
        (),
        "10.9.0.1",
        network(peers=(("/peer", Unread("/peer", "403")),)),
        (("10.9.0.1/32", Hop.UNDECIDED),),
    ),
    "but not public space": (
        (),
        "20.1.2.3",
        network(peers=(("/peer", Unread("/peer", "403")),)),
        (("20.1.2.3/32", Hop.INTERNET),),
    ),
    "IPv6": ((to("::/0"),), "2603::1", network(), (("2603::1/128", Hop.APPLIANCE),)),
    "0.0.0.0/0 is not IPv6": ((to("0.0.0.0/0"),), "2603::1", network(), (("2603::1/128", Hop.INTERNET),)),
}


def shown(legs: tuple[Leg, ...]) -> tuple[Where, ...]:
    return tuple((", ".join(leg.destinations.prefixes()), leg.hop) for leg in legs)


@pytest.mark.parametrize(("routes", "destination", "where", "expected"), CASES.values(), ids=CASES)
def test_next_hops(routes: tuple[Route, ...], destination: str, where: Network, expected: tuple[Where, ...]) -> None:
    legs = next_hops(AddressSet.parse(destination), table(*routes), where)
    assert shown(legs) == expected
    for leg in legs:
        assert bool(leg.atoms) is (leg.hop is Hop.UNDECIDED)
        step = leg.as_trace()
        assert step.text.format(**step.facts)


def test_a_leg_names_its_route_and_whether_a_learned_one_may_beat_it() -> None:
    [leg] = next_hops(AddressSet.of("20.1.2.3"), table(to("0.0.0.0/0", name="default")), network(learned=GATEWAY))
    assert leg.route is not None
    assert (leg.route.name, leg.next_hop_ip, leg.overtakable) == ("default", "10.1.0.4", True)
    [quiet] = next_hops(AddressSet.of("20.1.2.3"), table(to("0.0.0.0/0"), learns=False), network(learned=GATEWAY))
    assert not quiet.overtakable
    [system] = next_hops(AddressSet.of("20.1.2.3"), table(learns=False), network(learned=GATEWAY))
    assert (system.hop, system.via) == (Hop.INTERNET, "0.0.0.0/0")
    [tag] = next_hops(Tag(ACR), table(to("0.0.0.0/0")), network(tags=None, learned=GATEWAY))
    assert (tag.hop, tag.kind, tag.overtakable) == (Hop.APPLIANCE, Kind.USER, True)


@pytest.mark.parametrize("destination", [AddressSet.of("20.1.2.3"), Tag(ACR)], ids=["address", "tag"])
def test_where_a_gateway_may_announce_the_way_nothing_else_is_named(destination: AddressSet | Tag) -> None:
    [leg] = next_hops(destination, table(), network(tags=None, learned=GATEWAY))
    assert (leg.hop, leg.kind, leg.overtakable) == (Hop.UNDECIDED, Kind.LEARNED, False)
    [known] = next_hops(AddressSet.of("10.1.9.9"), table(), network(learned=GATEWAY))
    assert (known.kind, known.overtakable) == (Kind.SYSTEM, False)


def test_azure_cloud_of_the_region_before_all_of_azure_cloud() -> None:
    rows = [
        {"name": n, "properties": {"addressPrefixes": ["20.1.0.0/16"]}} for n in ("AzureCloud", "AzureCloud.eastus2")
    ]
    where = network(tags=TagData.from_values(rows, cloud="public"))
    for routes in ((none("AzureCloud"), to("AzureCloud.eastus2")), (to("AzureCloud.eastus2"), none("AzureCloud"))):
        [leg] = next_hops(AddressSet.of("20.1.9.9"), table(*routes), where)
        assert leg.hop is Hop.APPLIANCE


def test_without_a_table_and_with_an_unread_one() -> None:
    [leg] = next_hops(AddressSet.of("20.1.2.3"), None, network())
    assert leg.hop is Hop.INTERNET
    [unread] = next_hops(AddressSet.of("20.1.2.3"), Unread("/table", "403"), network())
    assert (unread.hop, unread.atoms[0].kind) == (Hop.UNDECIDED, "route-table-unread")
    endpoints = (("Microsoft.ContainerRegistry", Tag(ACR)),)
    [settled] = next_hops(AddressSet.of("20.1.2.3"), Unread("/table", "403"), network(service_endpoints=endpoints))
    assert settled.hop is Hop.SERVICE_ENDPOINT


BLIND = network(tags=None)
SYMBOLS: dict[str, tuple[tuple[Route, ...], Network, Hop]] = {
    "no table": ((), BLIND, Hop.INTERNET),
    "a default route": ((to("0.0.0.0/0"),), BLIND, Hop.APPLIANCE),
    "a default in halves": ((to("0.0.0.0/1"), to("128.0.0.0/1")), BLIND, Hop.APPLIANCE),
    "halves that differ": ((to("0.0.0.0/1"), none("128.0.0.0/1")), BLIND, Hop.UNDECIDED),
    "the tag's own route": ((to("0.0.0.0/0"), to(ACR, "Internet", None)), BLIND, Hop.INTERNET),
    "the global tag's route": ((to("0.0.0.0/0"), none("AzureContainerRegistry")), BLIND, Hop.NONE),
    "another region's": ((to("0.0.0.0/0"), none("AzureContainerRegistry.WestUS")), BLIND, Hop.APPLIANCE),
    "private prefixes do not matter": ((to("0.0.0.0/0"), none("10.0.0.0/8")), BLIND, Hop.APPLIANCE),
    "public ones may": ((to("0.0.0.0/0"), none("20.0.0.0/8")), BLIND, Hop.UNDECIDED),
    "public ones with an equal hop do not": ((to("0.0.0.0/0"), to("20.0.0.0/8")), BLIND, Hop.APPLIANCE),
    "a gateway": ((), network(tags=None, learned=GATEWAY), Hop.UNDECIDED),
    "a service endpoint": (
        (none("0.0.0.0/0"),),
        network(tags=None, service_endpoints=(("Microsoft.ContainerRegistry", Tag("AzureContainerRegistry")),)),
        Hop.SERVICE_ENDPOINT,
    ),
}


@pytest.mark.parametrize(("routes", "where", "hop"), SYMBOLS.values(), ids=SYMBOLS)
def test_a_tag_without_data_is_followed_as_a_whole(routes: tuple[Route, ...], where: Network, hop: Hop) -> None:
    [leg] = next_hops(Tag(ACR), table(*routes), where)
    assert leg.hop is hop
    assert bool(leg.atoms) is (hop is Hop.UNDECIDED)


def test_a_tag_with_data_is_followed_prefix_by_prefix() -> None:
    legs = next_hops(Tag("AzureContainerRegistry"), table(to("0.0.0.0/0"), none("20.2.0.0/16")), network())
    assert shown(legs) == (("20.1.0.0/16, 20.9.0.0/16", Hop.APPLIANCE), ("20.2.0.0/16", Hop.NONE))


DEFAULTS: dict[str, tuple[tuple[Route, ...], list[str], bool]] = {
    "none": ((to("10.0.0.0/8"),), [], False),
    "one": ((to("0.0.0.0/0"),), ["0.0.0.0/0"], True),
    "two halves": ((to("128.0.0.0/1"), to("0.0.0.0/1")), ["128.0.0.0/1", "0.0.0.0/1"], True),
    "half a default is none, yet leads half of it away": ((to("0.0.0.0/1"),), [], True),
    "half of it has a route of its own": ((to("0.0.0.0/0"), none("0.0.0.0/1")), ["0.0.0.0/0", "0.0.0.0/1"], True),
    "all but what the Internet has not": (
        (
            to("128.0.0.0/1"),
            to("64.0.0.0/2"),
            to("32.0.0.0/3"),
            to("16.0.0.0/4"),
            to("8.0.0.0/5"),
            to("4.0.0.0/6"),
            to("2.0.0.0/7"),
            to("1.0.0.0/8"),
        ),
        ["128.0.0.0/1", "64.0.0.0/2", "32.0.0.0/3", "16.0.0.0/4", "8.0.0.0/5", "4.0.0.0/6", "2.0.0.0/7", "1.0.0.0/8"],
        True,
    ),
    "a small exception": ((to("0.0.0.0/0"), none("25.0.0.0/8")), ["0.0.0.0/0"], True),
    "private space": ((to("0.0.0.0/0"), none("10.0.0.0/8"), none("240.0.0.0/4")), ["0.0.0.0/0"], True),
    "halves beat the whole": (
        (none("0.0.0.0/0"), to("0.0.0.0/1"), to("128.0.0.0/1")),
        ["0.0.0.0/1", "128.0.0.0/1"],
        True,
    ),
    "to the Internet": ((to("0.0.0.0/0", "Internet", None),), ["0.0.0.0/0"], False),
    "to a gateway": ((to("0.0.0.0/0", "VirtualNetworkGateway", None),), ["0.0.0.0/0"], True),
    "IPv6 is another": ((to("::/0"),), [], False),
    "a tag is none": ((to("AzureCloud"),), [], False),
}


@pytest.mark.parametrize(("routes", "found", "away"), DEFAULTS.values(), ids=DEFAULTS)
def test_default_routes(routes: tuple[Route, ...], found: list[str], away: bool) -> None:
    assert [r.prefix for r in default_routes(table(*routes))] == found
    assert sends_default_away(table(*routes)) is away
    assert default_routes(None) == ()


def test_an_appliances_address_must_be_reachable() -> None:
    assert reachable("10.0.0.4", network()) is True
    assert reachable("10.1.0.4", network()) is True
    assert reachable("10.2.0.4", network()) is False
    assert reachable(None, network()) is False
    assert reachable("nonsense", network()) is False
    unread = network(peers=(("/peer", Unread("/peer", "403")),))
    assert isinstance(reachable("10.2.0.4", unread), Unread)
    assert reachable("10.0.0.4", unread) is True
