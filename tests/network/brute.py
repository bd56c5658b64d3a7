"""An independent, slow reading of security rules: one packet at a time, by the standard library's `ipaddress` alone.

Shares no code with the engine. Unknown texts are booleans, and every combination of them is tried.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

PRIVATE = [
    ipaddress.ip_network(text)
    for text in """0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16
    224.0.0.0/3 ::/3 fc00::/7 fe80::/10 ff00::/8""".split()  # noqa: SIM905
]
PROBE = [ipaddress.ip_address("168.63.129.16"), ipaddress.ip_address("fe80::1234:5678:9abc")]


@dataclass(frozen=True)
class World:
    """What tags and groups mean: `tags` None is "no data"."""

    vnet: tuple[str, ...]
    tags: Mapping[str, tuple[str, ...]] | None = None
    asgs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default_route: bool = False


@dataclass(frozen=True)
class Flow:
    """A packet; ports are ignored unless the protocol has them."""

    protocol: str  # lower case: tcp, udp, icmp, icmpv6, esp, ah, other
    source: str
    source_port: int
    destination: str
    port: int


def _in(networks: Iterable[str], address: Any) -> bool:
    return any(
        address in ipaddress.ip_network(n, strict=False) for n in networks if (":" in n) == (address.version == 6)
    )


def _text_holds(text: str, address: Any, world: World) -> bool | None:
    """True, False, or None for "one cannot know"."""
    key = text.strip().lower()
    in_vnet = _in(world.vnet, address) or address in PROBE
    if key in ("*", "any"):
        return True
    if key == "virtualnetwork":
        return True if in_vnet else (None if world.default_route else False)
    if key == "internet":
        if address in PROBE:
            return None
        return not in_vnet and not any(address in n for n in PRIVATE if n.version == address.version)
    if key == "azureloadbalancer":
        return address in PROBE
    if "-" in key and not key[0].isalpha():
        low, high = (ipaddress.ip_address(end.strip()) for end in key.split("-"))
        return bool(low.version == address.version and low <= address <= high)
    try:
        network = ipaddress.ip_network(key, strict=False)
    except ValueError:
        pass
    else:
        return bool(network.version == address.version and address in network)
    if world.tags is not None and key in world.tags:
        return _in(world.tags[key], address)
    return None


def _ports_hold(texts: Iterable[str], port: int) -> tuple[bool, list[str]]:
    sure, broken = False, []
    for text in texts:
        if text == "*":
            sure = True
            continue
        ends = text.split("-")
        try:
            low, high = int(ends[0]), int(ends[-1])
        except ValueError:
            broken.append(text)
            continue
        if not 0 <= low <= high <= 65535:
            broken.append(text)
        elif low <= port <= high:
            sure = True
    return sure, broken


_PROTOCOL_NUMBERS = {"1": "icmp", "6": "tcp", "17": "udp", "50": "esp", "51": "ah", "58": "icmpv6"}


def _protocol_holds(text: str, protocol: str) -> bool | None:
    key = _PROTOCOL_NUMBERS.get(text, text.lower())
    if key in ("*", "any", "all"):
        return True
    if key in ("tcp", "udp", "icmp", "icmpv6", "esp", "ah"):
        return key == protocol
    if key.isdigit() and int(key) < 256:
        return None if protocol == "other" else False
    return None


def conditions(rule: Any, flow: Flow, world: World) -> list[list[tuple[str, str]]] | None:
    """None: does not match. Else what must hold: all of the lists, at least one unknown of each."""
    needs: list[list[tuple[str, str]]] = []
    if rule.priority is None or not (rule.default or 100 <= rule.priority <= 4096):
        needs.append([("rule", rule.name)])
    held = _protocol_holds(rule.protocol, flow.protocol)
    if held is False:
        return None
    if held is None:
        needs.append([("protocol", rule.protocol)])
    for side, texts, asgs, address in (
        ("source", rule.sources, rule.source_groups, flow.source),
        ("destination", rule.destinations, rule.destination_groups, flow.destination),
    ):
        where = ipaddress.ip_address(address)
        verdicts = [(_text_holds(t, where, world), t) for t in texts if t.strip()]
        verdicts += [(_in(world.asgs[a], where), a) for a in asgs]
        if any(v is True for v, _ in verdicts):
            continue
        unknown = [(side, t.strip().lower()) for v, t in verdicts if v is None]  # `internet` and `Internet` are one
        if not unknown:
            return None
        needs.append(unknown)
    if flow.protocol in ("tcp", "udp"):
        for side, texts, port in (
            ("source port", rule.source_ports, flow.source_port),
            ("port", rule.destination_ports, flow.port),
        ):
            sure, broken = _ports_hold(texts, port)
            if not sure and not broken:
                return None
            if not sure:
                needs.append([(side, t) for t in broken])
    return needs


def outcomes(rules: Iterable[Any], flow: Flow, world: World) -> set[str]:
    """What can become of a packet: `allow`, `deny` or both, over everything that the unknowns may be."""
    ordered = sorted(rules, key=lambda r: -1 if r.priority is None else r.priority)
    needed = [(r, n) for r in ordered if (n := conditions(r, flow, world)) is not None]
    unknowns = sorted({u for _, needs in needed for group in needs for u in group})
    found: set[str] = set()
    for truth in itertools.product((False, True), repeat=len(unknowns)):
        world_now = dict(zip(unknowns, truth, strict=True))
        met = [r for r, needs in needed if all(any(world_now[u] for u in group) for group in needs)]
        if met:
            best = met[0].priority
            found |= {r.access.lower() for r in met if r.priority == best and (best is not None or r is met[0])}
    return found
