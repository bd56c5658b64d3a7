"""Reports as tests need them: healthy and dull by default, and one believable night for the eye."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from auditor.findings import (
    Baseline,
    Catalogue,
    Change,
    Command,
    Drift,
    EffectRecord,
    EvidenceRecord,
    Finding,
    GapRecord,
    Note,
    Remediation,
    Report,
    Requests,
    ResourceChange,
    ResourceChanges,
    ResourceRef,
    Run,
    Scope,
    SourceRef,
    Tool,
    TraceRecord,
    Waiver,
    summarize,
)
from auditor.i18n import Translator
from auditor.values import Outcome, ResourceId, Severity

PROD, DEV, EDGE = (f"{digit * 8}-0000-4000-8000-{digit * 12}" for digit in "123")
SOURCE = SourceRef(
    document="Secure an inferencing environment with virtual networks",
    section="Azure Kubernetes Service",
    url="https://docs.azure.cn/machine-learning/how-to-secure-inferencing-vnet",
)
NO_CHANGES = ResourceChanges()
DriftName = Literal["new", "resolved", "changed", "unchanged", "unverified"]


def rid(kind: str, *names: str, group: str = "rg-ml-net", subscription: str = PROD) -> str:
    """An ARM id: `rid("Microsoft.Network/virtualNetworks/subnets", "vnet", "nodes")`."""
    namespace, *types = kind.split("/")
    tail = "/".join(f"{each}/{name}" for each, name in zip(types, names, strict=True))
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{namespace}/{tail}"


def cluster_id(name: str, **where: str) -> str:
    return rid("Microsoft.ContainerService/managedClusters", name, group="rg-ml-aks", **where)


def resource(resource_id: str, *, name: str | None = None, location: str | None = "chinaeast2") -> ResourceRef:
    parsed = ResourceId.parse(resource_id)
    return ResourceRef(
        id=resource_id,
        type=parsed.type,
        name=name if name is not None else parsed.name,
        location=location,
        subscription_id=parsed.subscription_id,
        resource_group=parsed.resource_group,
    )


def finding_id(check: str, resource_id: str, part: str | None = None) -> str:
    text = "\n".join((check, resource_id.casefold(), (part or "").casefold()))
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:20]


def command(*argv: str) -> Command:
    return Command(argv=argv, text=" ".join(argv))


def finding(
    check: str = "aci-subnet-delegated",
    resource_id: str = "",
    *,
    title: str = "The subnet of a container group is delegated to Azure Container Instances",
    severity: Severity = Severity.HIGH,
    outcome: Outcome = Outcome.PASS,
    reason: str = "delegated",
    message: str = "snet-aci is delegated to Container Instances",
    drift: DriftName | None = None,
    **others: Any,
) -> Finding:
    """A finding; without more, a pass."""
    resource_id = resource_id or rid("Microsoft.Network/virtualNetworks/subnets", "vnet-ml", "snet-aci")
    changes = others.pop("changes", ())
    values: dict[str, Any] = {
        "reasons": (reason,),
        "source": SOURCE,
        "remediation": Remediation(summary=""),
        "drift": Drift(state=drift, since="2026-11-24T02:00:00Z", changes=changes) if drift else None,
        "id": finding_id(check, resource_id, others.get("part")),
        "resource": resource(resource_id),
    }
    return Finding(
        check=check,
        title=title,
        severity=severity,
        outcome=outcome,
        reason=reason,
        message=message,
        **{**values, **others},
    )


def report(
    *findings: Finding,
    cloud: str = "china",
    complete: bool = True,
    gaps: Iterable[GapRecord] = (),
    notes: Iterable[Note] = (),
    compared: bool | None = None,
    scopes: Iterable[Scope] | None = None,
    resources: dict[str, int] | None = None,
    changes: ResourceChanges = NO_CHANGES,
) -> Report:
    """A report of these findings; compared with a baseline if a finding says how it drifted."""
    found = tuple(findings)
    compared = any(each.drift for each in found) if compared is None else compared
    return Report(
        tool=Tool(name="auditor", version="0.1.0"),
        run=Run(
            id="r-20261124-020000-7f3a",
            started_at="2026-11-24T02:00:00Z",
            finished_at="2026-11-24T02:03:41Z",
            cloud=cloud,
            source="live",
            lang="en",
            catalogue=Catalogue(
                version="0.1.0", digest="5d41402abc4b2a76b9719d911017c592", checks={"nsg-acr-outbound": 1}
            ),
            scopes=tuple(scopes) if scopes is not None else (Scope(id=f"/subscriptions/{PROD}", read=True),),
            complete=complete,
            gaps=tuple(gaps),
            notes=tuple(notes),
            requests=Requests(total=143, by_operation={"resources": 14, "roleAssignments": 31}, throttled=2, retried=2),
        ),
        baseline=Baseline(run_id="r-20261123-020000-11c0", started_at="2026-11-23T02:00:00Z", pinned=False)
        if compared
        else None,
        summary=summarize(found, resources if resources is not None else {"clusters": 1, "subnets": 1}),
        findings=found,
        resources=changes,
    )


CLEAN = report(finding())


def every_state() -> Report:
    """Each outcome, severity and drift state, waived and not."""
    made = []
    states: tuple[DriftName, ...] = ("new", "resolved", "changed", "unchanged", "unverified")
    for number, (outcome, severity, state) in enumerate(itertools.product(Outcome, Severity, states)):
        made.append(
            finding(
                "nsg-acr-outbound",
                rid("Microsoft.Network/networkSecurityGroups", f"nsg-{number}"),
                title="Nodes reach the registry",
                outcome=outcome,
                severity=severity,
                drift=state,
                waiver=Waiver(owner="net", reason="agreed", expires="2027-01-01") if number % 7 == 0 else None,
            )
        )
    return report(*made)


HOSTILE_NAMES = {
    "markup": "<img src=x onerror=\"document.title='owned'\">",
    "end of script": "</script><script>document.title='owned'</script>",
    "end of noscript": "</noscript><script>document.title='owned'</script>",
    "comment": "<!--<script>",
    "template": "{{ 7*7 }}{% raw %}${7*7}",
    "shell": "$(touch owned)`touch owned`; touch owned #",
    "dash": "--help",
    "formula": "=cmd|' /C calc'!A0",
    "direction": "nsg\u202egpj.exe\u2066\u200f",
    "separators": "a\u2028b\u2029c\x85d",
    "control": "a\x00b\x1b[31mred\x07\rback\x9b2J",
    "surrogate": "lone\ud800half",
    "long": "x" * 4096,
    "invisible": "a\u200bb\u00ad\u2060\ufeffc",
    "markdown": "[click](javascript:alert(1)) | **b** `c` \n# h",
    "quotes": "\"'`&<>;--",
}


def hostile() -> Report:
    """Findings in which every text that comes from Azure is out to harm."""
    made = []
    for key, name in HOSTILE_NAMES.items():
        base = rid("Microsoft.Network/networkSecurityGroups", "n") + "/" + key.replace(" ", "-")
        made.append(
            finding(
                "nsg-acr-outbound",
                base,
                title=f"Nodes reach {name}",
                outcome=Outcome.FAIL,
                reason="denied",
                message=f"rule {name} denies the registry",
                drift="new",
                reasons=("denied", name),
                confirmed=False,
                changes=(
                    Change(
                        at="2026-11-23T21:14:05Z", by=name, operation=name, property=name, before=name, after=[name]
                    ),
                ),
                facts={"rule": name},
                template="rule {rule} denies the registry",
                resource=msgspec.structs.replace(resource(base), name=name, resource_group=name, location=name),
                part=name,
                related=(base + "/" + name,),
                evidence=(EvidenceRecord(resource=base + "/" + name, path=name, value={name: [name]}, note=name),),
                trace=(TraceRecord(kind="rule", text="rule {rule} decides", facts={"rule": name}),),
                effect=EffectRecord(digest="0" * 20, items=(name,), added=(name,), removed=(name,)),
                source=SourceRef(document=name, section=name, url=f"javascript:alert('{name}')"),
                remediation=Remediation(
                    summary=name, commands=(command("az", "network", "nsg", "show", "--name", name),)
                ),
                waiver=Waiver(owner=name, reason=name, expires="2027-01-01"),
            )
        )
    name = HOSTILE_NAMES["end of script"]
    return report(
        *made,
        gaps=(GapRecord(scope=name, what=name, reason=name, hint=name, required=False),),
        notes=(Note(kind="catalogue", check=name, text=name),),
        resources={name: 3},
        changes=ResourceChanges(appeared=(ResourceChange(id="/x/" + name, type=name, name=name),)),
    )


def many(count: int) -> Report:
    """A large estate: `count` findings over a few checks, most of them unchanged passes."""
    checks = (
        ("nsg-acr-outbound", "Nodes reach the container registry"),
        ("aks-private-api-server", "The API server of a cluster is private"),
        ("aks-identity-subnet-join-effective", "The cluster's identity may join its subnets"),
        ("route-default-egress", "Nodes have a way out"),
    )
    outcomes = (Outcome.FAIL, Outcome.WARN, Outcome.UNKNOWN, *[Outcome.PASS] * 7)
    severities = tuple(Severity)
    subscriptions = (PROD, DEV, EDGE)
    made = []
    for number in range(count):
        check, title = checks[number % len(checks)]
        outcome = outcomes[(number * 7) % len(outcomes)]
        where = cluster_id(f"aks-{number // len(checks):05}", subscription=subscriptions[number % 3])
        made.append(
            finding(
                check,
                where,
                title=title,
                outcome=outcome,
                severity=severities[number % 4],
                reason="as-found",
                message=f"cluster aks-{number // len(checks):05} was looked at; rule {number % 97} decides",
                drift="new" if number % 997 == 0 and outcome.deviating else "unchanged",
                evidence=(
                    EvidenceRecord(resource=where, path="properties.apiServerAccessProfile", value={"n": number}),
                ),
                trace=(TraceRecord(kind="rule", text="rule {n} of priority {n} decides", facts={"n": number % 97}),),
            )
        )
    return report(*made, resources={"clusters": count // len(checks)})


def unread(run: Translator) -> Report:
    """The report of a run that spoke this language: a title, a message with a reason, a trace, a mend."""
    message, mend = "{subnet} could not be read: {why}", "grant Reader on the cluster and collect again"
    facts = {"subnet": "snet-nodes", "why": "its region is not in its data"}
    made = finding(
        "aks-private-api-server",
        cluster_id("aks-ml"),
        outcome=Outcome.UNKNOWN,
        title=run.gettext("The API server is private"),
        message=run.format(message, facts),
    )
    step = TraceRecord(kind="nsg", text="allowed by {deciders}", facts={"deciders": ["no rule", "rule-b"]})
    made = msgspec.structs.replace(
        made,
        template=message,
        facts=facts,
        trace=(step,),
        remediation=Remediation(summary=run.gettext(mend), template=mend),
    )
    return report(made)
