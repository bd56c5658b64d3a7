"""Whether a resource is the one it was: moved, renamed, or created anew under its old id.

An ARM id names a place, not a thing. What tells the things apart are facts that a resource keeps for its whole life:

- `principal`, the object id of its system-assigned identity, which belongs to one resource alone and goes with it into
  another group or subscription. The same one under another id is the same resource. Another one under the same id is
  less: an identity can also be taken off and given anew.
- `fqdn` of a cluster, made from `dnsPrefix` or `fqdnSubdomain`, neither of which can be updated once the cluster has
  been created. Another one under the same id is another cluster.

Where either side lacks a fact, or two resources show the same principal (the index lags behind a move), nothing is
said: the resources then only appear and disappear.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from auditor.findings import Note, ResourceChange
from auditor.values import fold

MOVED, RENAMED, RECREATED, IDENTITY_REPLACED = "moved", "renamed", "recreated", "identity-replaced"
KINDS = (MOVED, RENAMED, RECREATED, IDENTITY_REPLACED)
"""The kinds of notes that tell it."""

PRINCIPAL, FQDN = "principal", "fqdn"

_TEXTS = {
    MOVED: "{new} is {old} of the baseline, moved: its system-assigned identity is the same ({now})",
    RENAMED: "{new} is {old} of the baseline under another name: its system-assigned identity is the same ({now})",
    RECREATED: "{new} was deleted and created again: the domain name that it got when it was created was {then}, "
    "and is {now}",
    IDENTITY_REPLACED: "{new} has another system-assigned identity, {now} instead of {then}: it was created again, or "
    "its identity was taken off and given anew; roles that were granted to the old one do not hold for it",
}


def told_apart(then: Mapping[str, ResourceChange], now: Mapping[str, ResourceChange]) -> Iterator[Note]:
    """A note for each resource that is provably not what its id alone suggests; both sides by folded id."""
    yield from sorted((*_under_another_id(then, now), *_under_the_same_id(then, now)), key=lambda note: note.text)


def _under_another_id(then: Mapping[str, ResourceChange], now: Mapping[str, ResourceChange]) -> Iterator[Note]:
    before, after = _by_principal(then), _by_principal(now)
    for principal in before.keys() & after.keys():
        old, new = before[principal], after[principal]
        if fold(old.id) in now or fold(new.id) in then or old.type.casefold() != new.type.casefold():
            continue
        kind = MOVED if old.name.casefold() == new.name.casefold() else RENAMED
        yield _note(kind, old, new, PRINCIPAL)


def _under_the_same_id(then: Mapping[str, ResourceChange], now: Mapping[str, ResourceChange]) -> Iterator[Note]:
    for key in then.keys() & now.keys():
        old, new = then[key], now[key]
        if _differs(FQDN, old, new):
            yield _note(RECREATED, old, new, FQDN)
        elif _differs(PRINCIPAL, old, new):
            yield _note(IDENTITY_REPLACED, old, new, PRINCIPAL)


def _by_principal(resources: Mapping[str, ResourceChange]) -> dict[str, ResourceChange]:
    """Resources by their principal, without those whose principal shows up more than once."""
    having = [(fact.casefold(), each) for each in resources.values() if (fact := each.fingerprint.get(PRINCIPAL))]
    counts = Counter(principal for principal, _ in having)
    return {principal: each for principal, each in having if counts[principal] == 1}


def _differs(fact: str, old: ResourceChange, new: ResourceChange) -> bool:
    before, after = old.fingerprint.get(fact), new.fingerprint.get(fact)
    return bool(before and after) and str(before).casefold() != str(after).casefold()


def _note(kind: str, old: ResourceChange, new: ResourceChange, fact: str) -> Note:
    text = _TEXTS[kind].format(old=old.id, new=new.id, then=old.fingerprint[fact], now=new.fingerprint[fact])
    return Note(kind=kind, text=text)
