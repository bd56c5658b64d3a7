"""Findings over HTTP: filtered, page by page, explained."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated

from litestar import get
from litestar.params import (
    FromQuery,
    PathParameter,
    QueryParameter,
)

from auditor.evaluate.run import plain
from auditor.explain import sections
from auditor.findings import DriftState, Finding
from auditor.i18n import Language, translator
from auditor.report.wording import sayings
from auditor.service.answering import (
    TheHouse,
    problems,
)
from auditor.service.archive import FINDING_ID, RUN_ID, NotThere, Wanted
from auditor.service.house import House
from auditor.service.problem import Trouble
from auditor.service.records import (
    Explanation,
    Findings,
    Section,
    Step,
)
from auditor.values import Outcome, Severity

_CURSOR = re.compile(r"([0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}):([0-9]{1,9})")


@get("/findings", sync_to_thread=True, responses=problems(404), summary="Findings of a run, filtered")
def list_findings(
    house: TheHouse,
    run: Annotated[
        str | None, QueryParameter(pattern=RUN_ID, required=False, description="Without it, the newest run.")
    ] = None,
    outcome: FromQuery[list[Outcome] | None] = None,
    severity: FromQuery[list[Severity] | None] = None,
    drift: FromQuery[list[DriftState] | None] = None,
    check: Annotated[str | None, QueryParameter(pattern=r"^[a-z0-9*?-]{1,100}$", required=False)] = None,
    resource: Annotated[str | None, QueryParameter(min_length=1, max_length=500, required=False)] = None,
    subscription: Annotated[str | None, QueryParameter(pattern=r"^[0-9A-Fa-f-]{36}$", required=False)] = None,
    waived: FromQuery[bool | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
    cursor: Annotated[str | None, QueryParameter(pattern=r"^[A-Za-z0-9_=-]{1,200}$", required=False)] = None,
) -> Findings:
    """List findings in the order of the report. A cursor goes on in the run it began in."""
    run_id, offset = (run or _newest(house), 0) if cursor is None else _read_cursor(cursor)
    wanted = Wanted(
        outcomes=outcome or (),
        severities=severity or (),
        drift=drift or (),
        check=check,
        resource=resource,
        subscription=subscription,
        waived=waived,
    )
    found = house.archive.findings(run_id, wanted)
    page = tuple(found[offset : offset + limit])
    after = offset + len(page)
    following = _cursor(run_id, after) if after < len(found) else None
    return Findings(run_id=run_id, total=len(found), items=page, next=following)


@get(
    "/findings/{finding_id:str}/explanation",
    sync_to_thread=True,
    responses=problems(404),
    summary="How a verdict was reached",
)
def explain_finding(
    house: TheHouse,
    finding_id: Annotated[str, PathParameter(pattern=FINDING_ID, description="A finding's id.")],
    run: Annotated[
        str | None, QueryParameter(pattern=RUN_ID, required=False, description="Without it, the newest that has it.")
    ] = None,
    lang: FromQuery[Language] = Language.ENGLISH,
) -> Explanation:
    """Explain a finding as a run saw it: the steps by question and place, evidence, source, and how to mend it."""
    run_id, finding = house.archive.finding(finding_id, run)
    return explanation(run_id, finding, lang)


def explanation(run_id: str, finding: Finding, lang: Language) -> Explanation:
    """What `auditor explain` tells of a finding."""
    speaker, says = translator(lang), sayings(finding)
    return Explanation(
        run_id=run_id,
        title=says.title.told(speaker),
        message=says.message.told(speaker),
        mend=says.mend.told(speaker) if finding.remediation.summary else "",
        sections=tuple(
            Section(
                heading=each.heading,
                steps=tuple(Step(kind=step.kind, text=step.text, facts=plain(step.facts)) for step in each.steps),
            )
            for each in sections(finding.trace, speaker)
        ),
        finding=finding,
    )


def _newest(house: House) -> str:
    row = house.archive.newest()
    if row is None:
        raise NotThere
    return row.id


def _cursor(run_id: str, offset: int) -> str:
    return base64.urlsafe_b64encode(f"{run_id}:{offset}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[str, int]:
    try:
        found = _CURSOR.fullmatch(base64.urlsafe_b64decode(cursor.encode()).decode("ascii"))
    except (binascii.Error, UnicodeDecodeError, ValueError):
        found = None
    if found is None:
        raise Trouble(400, "cursor", "the cursor is none of ours; begin anew")
    return found[1], int(found[2])
