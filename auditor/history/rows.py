"""A report in pieces and back: what a finding is (kept once) apart from what a run says of it."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterable

import msgspec

from auditor.drift import is_over
from auditor.findings import Drift, EffectRecord, Finding, Report, ResourceChange, Topology
from auditor.values import fold


class Remark(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What one run alone says of a finding. The default: nothing, so nothing is stored.

    `drift` is UNSET where it is what it mostly is: unchanged since the stay began, or null in a run without baseline.
    """

    drift: Drift | msgspec.UnsetType | None = msgspec.UNSET
    confirmed: bool | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


NOTHING = Remark()
_findings = msgspec.json.Decoder(Finding)
_reports = msgspec.json.Decoder(Report)
_remarks = msgspec.json.Decoder(Remark)
_resources = msgspec.json.Decoder(ResourceChange)
_topologies = msgspec.json.Decoder(Topology)


def scope_set_key(scopes: Iterable[str]) -> str:
    """A scope set in the form in which it is stored and found: a JSON list of sorted, folded ids."""
    return json.dumps(sorted({fold(scope) for scope in scopes}), separators=(",", ":"), ensure_ascii=False)


def state_of(finding: Finding) -> str:
    """The finding's outcome, or `gone` if it is in its report only to say so."""
    return "gone" if is_over(finding) else str(finding.outcome)


def packed_body(finding: Finding) -> tuple[bytes, bytes]:
    """Digest and JSON of what the finding is, whatever a run says of it."""
    effect = finding.effect
    if effect is not None and (effect.added or effect.removed):
        effect = msgspec.structs.replace(effect, added=(), removed=())
    bare = msgspec.structs.replace(finding, drift=None, confirmed=None, effect=effect)
    content = msgspec.json.encode(bare)
    return hashlib.blake2b(content, digest_size=16).digest(), content


def squeezed(content: bytes) -> bytes:
    """Compressed for storage: fast, since a first night writes every finding."""
    return zlib.compress(content, 1)


def remark_on(finding: Finding, usual: Drift | None) -> str | None:
    """What must be stored besides the body, as JSON; None if there is nothing. `usual` is the drift to expect."""
    effect = finding.effect or EffectRecord(digest="")
    remark = Remark(
        drift=msgspec.UNSET if finding.drift == usual else finding.drift,
        confirmed=finding.confirmed,
        added=effect.added,
        removed=effect.removed,
    )
    return None if remark == NOTHING else msgspec.json.encode(remark).decode()


def usual_drift(since: str, *, compared: bool) -> Drift | None:
    """What most findings' drift is: unchanged since their stay began; null in a run without a baseline."""
    return Drift(state="unchanged", since=since) if compared else None


def unpacked_finding(content: bytes, remark: str | None, usual: Drift | None) -> Finding:
    """The finding as its run reported it."""
    finding = _findings.decode(zlib.decompress(content))
    said = NOTHING if remark is None else _remarks.decode(remark)
    effect = finding.effect
    if effect is not None and (said.added or said.removed):
        effect = msgspec.structs.replace(effect, added=said.added, removed=said.removed)
    drift = usual if said.drift is msgspec.UNSET else said.drift
    return msgspec.structs.replace(finding, drift=drift, confirmed=said.confirmed, effect=effect)


def packed_header(report: Report) -> bytes:
    """The report without its findings and the networks of its clusters."""
    return zlib.compress(msgspec.json.encode(msgspec.structs.replace(report, findings=(), topologies=())), 9)


def unpacked_header(content: bytes) -> Report:
    """The report of a run but for its findings."""
    return _reports.decode(zlib.decompress(content))


def packed_topology(topology: Topology) -> bytes:
    """A cluster's network as it is stored; equal ones are equal bytes."""
    return zlib.compress(msgspec.json.encode(topology), 9)


def unpacked_topology(content: bytes) -> Topology:
    """A cluster's network as its run reported it."""
    return _topologies.decode(zlib.decompress(content))


def packed_resource(resource: ResourceChange) -> str:
    """A resource as it is stored."""
    return msgspec.json.encode(resource).decode()


def unpacked_resource(text: str) -> ResourceChange:
    """A resource as it was listed."""
    return _resources.decode(text)
