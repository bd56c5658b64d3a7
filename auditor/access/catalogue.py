"""The operations that providers publish, to tell a typo in a custom role from an operation (`auditor/data`).

Absent here means *not known*, never *does not exist*: providers add operations without notice.
"""

from __future__ import annotations

import difflib
import functools
import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass

from auditor.access.roles import RoleDefinition

# The source document's spelling of `…/virtualNetworks/subnets/join/action`; a role made from it grants nothing.
_KNOWN_MISSPELLINGS = {
    "microsoft.network/virtualnetworks/subnet/join/action": "Microsoft.Network/virtualNetworks/subnets/join/action",
}
_SIMILAR_ENOUGH = 0.8  # of 1: below it a "did you mean" misleads


@dataclass(frozen=True, slots=True)
class UnknownOperation:
    """An entry of a custom role that names no operation known under its provider.

    `known_misspelling` is True for a spelling of which it is known that it grants nothing; `nearest` is the known
    operation most like it, or None.
    """

    entry: str
    where: str
    nearest: str | None
    known_misspelling: bool


@functools.lru_cache(maxsize=1)
def operations() -> Mapping[str, str]:
    """Every operation of the shipped catalogue: its folded name to its name as published."""
    table = json.loads((importlib.resources.files("auditor") / "data" / "operations.json").read_text("utf-8"))
    found: dict[str, str] = {}
    for provider, resources in table["providers"].items():
        for resource, verbs in resources.items():
            path = f"{provider}/{resource}" if resource else provider
            for verb in verbs.split(" "):
                name = f"{path}/{verb}"
                found[name.casefold()] = name
    return found


@functools.lru_cache(maxsize=1)
def providers() -> frozenset[str]:
    """The folded names of the providers whose operations the catalogue holds."""
    return frozenset(name.partition("/")[0] for name in operations())


def known_operation(name: str) -> bool | None:
    """Whether the catalogue has the operation; None where it does not hold the provider at all."""
    folded = name.strip().casefold()
    if folded.partition("/")[0] not in providers():
        return None
    return folded in operations()


@functools.lru_cache(maxsize=4_096)
def nearest_operation(name: str) -> str | None:
    """The known operation that the name most likely means, of the same provider; None if none is much like it."""
    folded = name.strip().casefold()
    if folded in _KNOWN_MISSPELLINGS:
        return _KNOWN_MISSPELLINGS[folded]
    provider, slash, _ = folded.partition("/")
    candidates = [known for known in operations() if known.startswith(provider + slash)]
    close = difflib.get_close_matches(folded, candidates, n=1, cutoff=_SIMILAR_ENOUGH)
    return operations()[close[0]] if close else None


def unknown_operations(definition: RoleDefinition) -> tuple[UnknownOperation, ...]:
    """The entries of `actions` and `notActions` that name no known operation of a known provider, in their order.

    Entries with a wildcard are not judged: they expand to whatever exists. Nor are data actions and other providers'.
    """
    found = []
    for number, block in enumerate(definition.blocks):
        for where, entries in (("actions", block.actions), ("notActions", block.not_actions)):
            for index, entry in enumerate(entries):
                if "*" in entry or known_operation(entry) is not False:
                    continue
                path = f"properties.permissions[{number}].{where}[{index}]"
                misspelt = entry.strip().casefold() in _KNOWN_MISSPELLINGS
                found.append(UnknownOperation(entry, path, nearest_operation(entry), misspelt))
    return tuple(found)
