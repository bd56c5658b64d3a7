"""One scan from start to end: read (live or from snapshots), judge, compare with the baseline, remember."""

from __future__ import annotations

import functools
import gc
import io
import secrets
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from auditor import __version__
from auditor.clouds import CloudProfile, resolve_cloud
from auditor.config import Settings
from auditor.derive.attribution import topologies
from auditor.errors import AuditorError, NothingRead, UsageProblem
from auditor.evaluate import Catalogue, Terms, evaluate, load_catalogue
from auditor.findings import (
    Catalogue as CatalogueRecord,
)
from auditor.findings import (
    Finding,
    GapRecord,
    Note,
    Report,
    Requests,
    ResourceChange,
    Run,
    Scope,
    Tool,
    summarize,
)
from auditor.i18n import Language, translator
from auditor.inventory import Builder, Configured, Header, Inventory, gaps_for_broken, open_snapshot, read_rows
from auditor.inventory.records import AnyResource, Cluster, key_of
from auditor.inventory.rows import decompressed
from auditor.values import Outcome, Progress, ResourceId, Severity, region_key, silent

if TYPE_CHECKING:
    from auditor.collect import Clock, Collected, CollectRequest
    from auditor.confirm import Link, Overrides
    from auditor.drift import Against
    from auditor.history.store import Beside
    from auditor.waivers import WaiverRule

_SHOWN_BROKEN = 10
_TAG_CLOUDS = {"public": "public", "china": "china", "azurechinacloud": "china", "azuregovernment": "usgov"}


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan found. `collected` is what a live scan read, with its log of requests; None for snapshots."""

    report: Report
    exit_status: int
    inventory: Inventory
    collected: Collected | None = None


def _now() -> datetime:
    return datetime.now(UTC)


def new_run_id(at: datetime) -> str:
    """A run's id: sorts by time, unique by six random hex digits."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


@contextmanager
def _collecting_again() -> Iterator[None]:
    """Behind a scan everything is garbage as before: see `_long_lived`."""
    try:
        yield
    finally:
        gc.unfreeze()


@_collecting_again()
def scan(
    settings: Settings,
    *,
    environment: Mapping[str, str],
    progress: Progress = silent,
    clock: Callable[[], datetime] = _now,
    run_id: Callable[[datetime], str] = new_run_id,
    stdin: BinaryIO | None = None,
    stop: Callable[[], bool] | None = None,
    waiting: Clock | None = None,
    beside: Beside | None = None,
    persistent: bool = False,
) -> ScanResult:
    """Audit what the settings name and compare it with the baseline.

    `environment` gives credentials and endpoints, `clock` the time of the run, `stop` is asked between requests whether
    to give up, `waiting` replaces time for the collector (tests), `beside` writes what is to stand with the run in the
    history or not at all; what it raises, if it is no HistoryProblem, ends the scan. `persistent` waits a while for a
    history whose server is away. Raises AuditorError for what ends a scan without a result; what merely could not be
    read is in the report's gaps.
    """
    started = clock()
    profile = resolve_cloud(settings.cloud, environment, settings.custom_cloud)
    catalogue = _catalogue(settings)
    given = _Given.of(settings, profile)
    if settings.snapshot:
        with _long_lived():
            inventory = read_inventory(settings, given, now=started, stdin=stdin)
        profile = _profile_of(inventory, settings, profile, environment)
        collected = None
    else:
        collected = _collected(settings, profile, environment, progress, stop, waiting)
        with _long_lived():
            inventory = inventory_of(collected, settings, given)
    judge = functools.partial(
        _judged, settings, profile, catalogue, collected=collected, started=started, run_id=run_id(started)
    )
    report = judge(inventory, progress=progress)
    against, notes = _baseline(report, settings, environment, persistent=persistent)
    report = _compared(report, against, inventory)
    if collected is None:
        report = _attributed(report, against, inventory)
    elif against is not None:

        def again(overrides: Overrides) -> tuple[Report, Inventory]:
            newer = inventory_of(collected, settings, given, overrides)
            return _compared(judge(newer, progress=progress), against, newer), newer

        progress("confirmation", 0, None)
        with _link(_request(settings, profile, environment), waiting, stop) as link:
            report, inventory = _looked_at_again(report, inventory, collected, against, again, link)
    report = _completed(report, settings, given, inventory, clock, notes)
    report = _remembered(report, settings, inventory, environment, beside, persistent=persistent)
    return ScanResult(report, exit_status(report, settings), inventory, collected)


@contextmanager
def _long_lived() -> Iterator[None]:
    """What is made here stays to the end of the scan and holds no cycles: Python's collector need not walk it.

    It walked all records and findings again and again: a quarter of a large snapshot's time, and no memory less.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()


def snapshot_inventory(
    settings: Settings,
    *,
    environment: Mapping[str, str],
    clock: Callable[[], datetime] = _now,
    stdin: BinaryIO | None = None,
) -> Inventory:
    """The inventory of the settings' snapshots, as a scan of them would judge it: without judging it."""
    profile = resolve_cloud(settings.cloud, environment, settings.custom_cloud)
    given = _Given.of(replace(settings, waivers=None), profile)
    inventory = read_inventory(settings, given, now=clock(), stdin=stdin)
    _profile_of(inventory, settings, profile, environment)
    return inventory


def _catalogue(settings: Settings) -> Catalogue:
    catalogue = load_catalogue(settings.checks_dir)
    for check_id in settings.severity:
        catalogue.find(check_id)
    return catalogue.select(settings.check, settings.exclude_check)


# ---------------------------------------------------------------- reading


def _configured(settings: Settings) -> Configured:
    return Configured(
        principals=dict(settings.principals),
        registries=settings.registries,
        scoring_addresses=settings.scoring_addresses,
        scoring_clients=settings.scoring_clients,
        deployers=settings.deployers,
        aci_subnets=settings.aci_subnets,
        attached_only=settings.clusters == "attached",
    )


@dataclass(frozen=True, slots=True)
class _Given:
    """Files that the settings name, read before anything is asked of Azure: a mistake in them costs no scan."""

    tags: bytes | None
    waivers: tuple[WaiverRule, ...]

    @classmethod
    def of(cls, settings: Settings, profile: CloudProfile) -> _Given:
        rules: tuple[WaiverRule, ...] = ()
        if settings.waivers is not None:
            from auditor import waivers

            rules = tuple(waivers.load(settings.waivers))
        return cls(_tag_row(settings, profile), rules)


def read_inventory(settings: Settings, given: _Given, *, now: datetime, stdin: BinaryIO | None = None) -> Inventory:
    """The inventory of the settings' snapshots. A broken line raises, unless broken lines are to be skipped."""
    builder = Builder(configured=_configured(settings))
    for name in settings.snapshot:
        if name == "-":
            content = (stdin or sys.stdin.buffer).read()
            piped = decompressed(io.BytesIO(content), content[:4], "standard input")
            builder.add_all(read_rows(piped, "standard input"), "standard input")
            continue
        with open_snapshot(Path(name)) as stream:
            builder.add_all(read_rows(stream, name), name)
    if builder.broken and not settings.skip_broken_lines:
        shown = [str(line) for line in builder.broken[:_SHOWN_BROKEN]]
        more = len(builder.broken) - len(shown)
        raise UsageProblem(
            "\n".join([*shown, *([f"… and {more} more broken lines"] if more else [])]),
            hint="collect again, or go on with --skip-broken-lines (the run is then incomplete)",
        )
    _add_tag_row(builder, given)
    inventory = builder.build(now=now)
    if not any(True for _ in inventory.audited()) and not inventory.malformed:
        seen = sum(inventory.passed_over.values())
        raise NothingRead(
            f"nothing to audit in {', '.join(settings.snapshot)}: no resource of a type that a check reads"
            + (f" ({seen} others)" if seen else ""),
            hint="`auditor collect -o FILE` writes a snapshot",
        )
    if builder.broken:
        inventory = _with_gaps(builder, inventory, now)
    return inventory


def _with_gaps(builder: Builder, inventory: Inventory, now: datetime) -> Inventory:
    header = builder.header or Header(scopes=inventory.scopes)
    builder.header = Header(
        header.taken_at,
        header.cloud,
        header.tenant_id,
        header.scopes,
        (*header.gaps, *gaps_for_broken(builder.broken)),
    )
    return builder.build(now=now, subscriptions=inventory.subscriptions())


def inventory_of(
    collected: Collected, settings: Settings, given: _Given, overrides: Overrides = MappingProxyType({})
) -> Inventory:
    """The inventory of a live collection; `overrides` are rows by id that stand for what was collected."""
    builder = Builder(configured=_configured(settings))
    builder.header = Header(
        collected.taken_at,
        collected.cloud,
        collected.tenant_id,
        tuple(scope.id for scope in collected.scopes),
        collected.gaps,
    )
    encode = msgspec.json.Encoder().encode
    for resource_id, newer in overrides.items():
        builder.override(resource_id, None if newer is None else encode(newer), "Azure")
    for row in collected.rows:
        builder.add(encode(row), "Azure")
    _add_tag_row(builder, given)
    return builder.build(now=collected.taken_at)


def _add_tag_row(builder: Builder, given: _Given) -> None:
    """Microsoft's published file of service tags as one more row; it wins over what was read."""
    if given.tags is not None:
        builder.add(given.tags, "--service-tags")


def _tag_row(settings: Settings, profile: CloudProfile) -> bytes | None:
    path = settings.service_tags
    if path is None:
        return None
    try:
        with open_snapshot(path) as stream:
            document = msgspec.json.decode(stream.read())
        values = document["values"]
        cloud = str(document["cloud"])
    except (ValueError, KeyError, TypeError, RecursionError, OSError, EOFError, zlib.error) as problem:
        raise UsageProblem(
            f"{path}: not a service tag file ({problem})",
            hint="download `Azure IP Ranges and Service Tags` of this cloud from Microsoft",
        ) from None
    if profile.name != "custom" and _TAG_CLOUDS.get(cloud.casefold(), cloud.casefold()) != profile.name:
        raise UsageProblem(
            f"{path}: service tags of the cloud {cloud}, but the scan is of {profile.name}",
            hint=f"give the file of {profile.name}, or --cloud",
        )
    row = {
        "id": f"/providers/microsoft.network/servicetags/{FILE_TAGS}",
        "type": "microsoft.network/servicetags",
        "name": FILE_TAGS,
        "properties": {"cloud": cloud, "changeNumber": document.get("changeNumber"), "values": values},
    }
    return msgspec.json.encode(row)


FILE_TAGS = "from-file"


def _collected(
    settings: Settings,
    profile: CloudProfile,
    environment: Mapping[str, str],
    progress: Progress,
    stop: Callable[[], bool] | None,
    waiting: Clock | None,
) -> Collected:
    from auditor.collect import Clock, collect

    request = _request(settings, profile, environment)
    return collect(request, progress=progress, clock=waiting or Clock(), stop=stop or (lambda: False))


def _request(settings: Settings, profile: CloudProfile, environment: Mapping[str, str]) -> CollectRequest:
    from auditor.collect import CollectRequest, Patience

    return CollectRequest(
        cloud=profile,
        subscriptions=settings.subscription,
        management_groups=settings.management_group,
        tenant=settings.tenant,
        environment=environment,
        max_rps=settings.max_rps,
        deadline_s=settings.deadline,
        patience=Patience(silence_s=settings.request_timeout),
        principals=dict(settings.principals),
        registries=settings.registries,
        deployers=settings.deployers,
    )


def collect_to(
    settings: Settings,
    path: Path,
    *,
    environment: Mapping[str, str],
    progress: Progress = silent,
    waiting: Clock | None = None,
) -> Collected:
    """Only collect, and write a snapshot: whole or not at all."""
    from auditor.collect import write_snapshot

    profile = resolve_cloud(settings.cloud, environment, settings.custom_cloud)
    collected = _collected(settings, profile, environment, progress, None, waiting)
    write_snapshot(collected, path)
    return collected


def _profile_of(
    inventory: Inventory, settings: Settings, profile: CloudProfile, environment: Mapping[str, str]
) -> CloudProfile:
    """The cloud that a snapshot comes from: what its header says, as long as nobody contradicts."""
    lands = {_land(record.location or "") for record in inventory.audited() if record.location}
    if inventory.cloud_stated and inventory.cloud != profile.name:
        if settings.cloud not in ("public", inventory.cloud):
            raise UsageProblem(
                f"the snapshot is of the cloud {inventory.cloud}, --cloud says {settings.cloud}",
                hint=f"leave --cloud out, or say --cloud {inventory.cloud}",
            )
        return resolve_cloud(inventory.cloud, environment, settings.custom_cloud)
    if not inventory.cloud_stated:
        inventory.cloud = profile.name
        foreign = lands - {profile.name, ""}
        if profile.name in ("public", "china", "usgov") and foreign and profile.name not in lands:
            other = sorted(foreign)[0]
            raise UsageProblem(
                f"the snapshot's resources lie in regions of {other}, but it would be judged as {profile.name}",
                hint=f"say --cloud {other}",
            )
    return profile


def _land(location: str) -> str:
    from auditor.network.facts import regions

    return next((cloud for cloud in ("public", "china", "usgov") if region_key(location) in regions(cloud)), "")


# ---------------------------------------------------------------- judging


def _judged(
    settings: Settings,
    profile: CloudProfile,
    catalogue: Catalogue,
    inventory: Inventory,
    *,
    collected: Collected | None,
    started: datetime,
    run_id: str,
    progress: Progress,
) -> Report:
    language = Language(settings.lang) if settings.lang else Language.ENGLISH
    severities = {catalogue_id: Severity(value) for catalogue_id, value in settings.severity.items()}
    terms = Terms(profile, translator(language), severities)
    with _long_lived():
        findings = evaluate(inventory, catalogue, terms, progress=progress)
    scopes = (
        tuple(Scope(id=scope.id, read=scope.read) for scope in collected.scopes)
        if collected
        else tuple(Scope(id=scope, read=_scope_read(inventory, scope)) for scope in inventory.scopes)
    )
    run = Run(
        id=run_id,
        started_at=_stamp(started),
        finished_at=_stamp(started),
        cloud=profile.name,
        source="live" if collected else "snapshot",
        lang=language.value,
        catalogue=CatalogueRecord(
            version=catalogue.version,
            digest=catalogue.digest,
            checks={check.id: check.version for check in catalogue},
        ),
        scopes=scopes,
        complete=all(scope.read for scope in scopes) and not any(gap.required for gap in inventory.gaps),
        gaps=tuple(
            GapRecord(scope=g.scope, what=g.what, reason=g.reason, hint=g.hint, required=g.required)
            for g in inventory.gaps
        ),
        notes=tuple(Note(kind="collect", text=text) for text in collected.notes) if collected else (),
        requests=collected.requests if collected else Requests(),
    )
    return Report(
        tool=Tool(name="auditor", version=__version__),
        run=run,
        baseline=None,
        summary=summarize(findings, inventory.counts()),
        findings=findings,
    )


def _scope_read(inventory: Inventory, scope: str) -> bool:
    if "/managementgroups/" in key_of(scope):
        return not any(gap.required and key_of(gap.scope) == key_of(scope) for gap in inventory.gaps)
    subscription = key_of(scope).split("/subscriptions/")[-1].split("/")[0]
    return subscription in inventory.coverage.subscriptions


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def audited_resources(inventory: Inventory) -> tuple[ResourceChange, ...]:
    """The resources that findings can be about, as the history keeps them."""
    return tuple(
        ResourceChange(id=each.id, type=each.type, name=each.name, fingerprint=_fingerprint(each))
        for each in inventory.audited()
    )


def _fingerprint(resource: AnyResource) -> dict[str, str]:
    """What the resource keeps for its whole life, as far as it was collected (`auditor.drift.sameness`)."""
    identity = resource.identity
    system = identity is not None and "systemassigned" in (identity.type or "").casefold()
    principal = identity.principal_id if identity and system else None
    fqdn = resource.body.fqdn if isinstance(resource, Cluster) else None
    return {name: fact for name, fact in (("principal", principal), ("fqdn", fqdn)) if fact}


# ---------------------------------------------------------------- comparing and remembering


def _scope_reading(inventory: Inventory) -> Callable[[str], bool]:
    """The question whether the scan would have seen a resource id, if it existed."""

    def scope_read(resource_id: str) -> bool:
        try:
            kind = ResourceId.parse(resource_id).type
        except ValueError:
            return False
        return inventory.coverage.unread(kind, resource_id) is None

    return scope_read


def _compared(report: Report, against: Against | None, inventory: Inventory) -> Report:
    from auditor.drift import compare

    language = translator(Language(report.run.lang))
    return compare(
        report,
        against,
        resources=audited_resources(inventory),
        scope_read=_scope_reading(inventory),
        render=language.format,
    )


def _link(
    request: CollectRequest, waiting: Clock | None, stop: Callable[[], bool] | None
) -> AbstractContextManager[Link]:
    from auditor.collect import Clock
    from auditor.confirm import linked

    return linked(request, waiting or Clock(), stop or (lambda: False))


def _looked_at_again(
    report: Report,
    inventory: Inventory,
    collected: Collected,
    against: Against,
    again: Callable[[Overrides], tuple[Report, Inventory]],
    link: Link,
) -> tuple[Report, Inventory]:
    """The report with its new and changed failures confirmed by ARM, and with who brought its drift about."""
    from auditor.confirm import Judged, attribute, confirm, together
    from auditor.confirm.feeds import records_for
    from auditor.confirm.reading import read

    judged = confirm(
        Judged(report, inventory),
        collected.rows,
        ask=functools.partial(read, link),
        again=lambda overrides: Judged(*again(overrides)),
    )
    before = _known_before(against)
    records, notes = records_for(link, judged.report, before, judged.inventory)
    report = attribute(judged.report, before, records)
    requests = together(report.run.requests, link.requests())
    run = msgspec.structs.replace(report.run, requests=requests, notes=(*report.run.notes, *notes))
    return msgspec.structs.replace(report, run=run), judged.inventory


def _attributed(report: Report, against: Against | None, inventory: Inventory) -> Report:
    """The report with who brought its drift about, as far as the snapshot's change records tell."""
    if against is None:
        return report
    from auditor.confirm import attribute, recorded

    records = [record for row in inventory.change_rows for record in recorded(row)]
    return attribute(report, _known_before(against), records)


def _known_before(against: Against) -> dict[str, Finding]:
    """The findings of the baseline by id, as they were when they were last decided."""
    found = {finding.id: finding for finding in against.report.findings}
    return found | {id_: known.finding for id_, known in against.last_known.items()}


def _completed(
    report: Report,
    settings: Settings,
    given: _Given,
    inventory: Inventory,
    clock: Callable[[], datetime],
    notes: tuple[Note, ...],
) -> Report:
    report = _waived(report, given, inventory, clock)
    return msgspec.structs.replace(
        report,
        topologies=topologies(inventory, report.findings),
        run=msgspec.structs.replace(report.run, finished_at=_stamp(clock()), notes=(*report.run.notes, *notes)),
    )


def _remembered(
    report: Report,
    settings: Settings,
    inventory: Inventory,
    environment: Mapping[str, str],
    beside: Beside | None,
    *,
    persistent: bool,
) -> Report:
    if settings.no_history:
        return report
    from auditor.history import HistoryProblem, open_history

    try:
        with open_history(settings.history, environment, persistent=persistent) as history:
            history.save(report, audited_resources(inventory), scope_read=_scope_reading(inventory), beside=beside)
    except HistoryProblem as problem:
        note = Note(kind="history", text=f"this run was not remembered: {problem.message}")
        run = msgspec.structs.replace(report.run, notes=(*report.run.notes, note))
        return msgspec.structs.replace(report, run=run)
    return report


def _baseline(
    report: Report, settings: Settings, environment: Mapping[str, str], *, persistent: bool
) -> tuple[Against | None, tuple[Note, ...]]:
    from auditor.history import HistoryProblem

    choice = settings.baseline
    if choice == "none":
        return None, ()
    if choice != "auto" and Path(choice).is_file():
        from auditor.drift import from_report

        return from_report(report_from(Path(choice), settings, environment)), ()
    if settings.no_history:
        if choice != "auto":
            raise UsageProblem(
                f"the baseline {choice} is no file, and --no-history leaves no run to look it up in",
                hint="give a report file, or leave --no-history out",
            )
        return None, ()
    try:
        from auditor.history import open_history

        with open_history(settings.history, environment, persistent=persistent) as history:
            return history.baseline_for([scope.id for scope in report.run.scopes], choice), ()
    except HistoryProblem as problem:
        if choice != "auto":
            raise
        note = Note(kind="history", text=f"no baseline could be looked up: {problem.message}")
        return None, (note,)


def report_from(path: Path, settings: Settings, environment: Mapping[str, str]) -> Report:
    """A report file as it is, or a snapshot judged now: what `--baseline FILE` and `diff` take."""
    from auditor.report import read_report

    try:
        return read_report(path)
    except AuditorError as not_a_report:
        only = replace(settings, snapshot=(str(path),), baseline="none", no_history=True, waivers=None)
        try:
            return scan(only, environment=environment).report
        except AuditorError:
            raise not_a_report from None


def _waived(report: Report, given: _Given, inventory: Inventory, clock: Callable[[], datetime]) -> Report:
    if not given.waivers:
        return report
    from auditor import waivers

    tags = {record.key: record.tags for record in inventory.audited()}

    def tags_of(resource_id: str) -> Mapping[str, str]:
        return {str(k): str(v) for k, v in tags.get(key_of(resource_id), {}).items()}

    return waivers.apply(report, given.waivers, clock().date(), tags_of)


# ---------------------------------------------------------------- the exit status


def exit_status(report: Report, settings: Settings) -> int:
    """0 clean, 1 findings at or above `--fail-on`, 3 incomplete; 3 wins over 1."""
    if not report.run.complete:
        return 3
    return 1 if next(counting(report.findings, settings), None) is not None else 0


def counting(findings: Iterable[Finding], settings: Settings) -> Iterator[Finding]:
    """The findings that make a scan's exit status 1."""
    if settings.fail_on == "never":
        return
    threshold = Severity(settings.fail_on).rank
    outcomes = {Outcome.FAIL, *((Outcome.WARN, Outcome.UNKNOWN) if settings.strict else ())}
    for finding in findings:
        if finding.waiver is not None or finding.outcome not in outcomes or finding.severity.rank > threshold:
            continue
        if settings.fail_on_drift and (finding.drift is None or finding.drift.state not in ("new", "changed")):
            continue
        yield finding
