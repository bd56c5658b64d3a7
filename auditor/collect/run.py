"""One collection from sign-in to rows: the rounds in which references are followed outward from the estate.

Round one asks for the estate itself; the computes of each workspace come from ARM, since Resource Graph does not index
them; every further round asks, in one query each, for what the rows so far name and for what names them. Rights come
last: which principals and scopes matter is known only then.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditor.collect.governor import Governor
from auditor.collect.request import Clock, Collected, CollectRequest, ScopeState
from auditor.errors import NothingRead
from auditor.values import Progress, silent

if TYPE_CHECKING:
    from auditor.collect.walk import Walk


def _never() -> bool:
    return False


def collect(
    request: CollectRequest,
    *,
    progress: Progress = silent,
    clock: Clock = Clock(),  # noqa: B008 - frozen, and nothing but three functions
    stop: Callable[[], bool] = _never,
) -> Collected:
    """Read what the inference estate in the requested scopes needs to be judged.

    Sends GETs and queries only. Raises NothingRead (exit 4) if nothing at all could be read, with one line that says
    which of the known causes it is, and Stopped when `stop()` turned true between two pages. Everything else that could
    not be read is a gap.
    """
    from concurrent.futures import ThreadPoolExecutor

    from auditor.collect.walk import Walk
    from auditor.collect.wire import Wire

    started = clock.monotonic()
    deadline = None if request.deadline_s is None else started + request.deadline_s
    governor = Governor(clock, max_rps=request.max_rps, deadline=deadline)
    taken_at = clock.now()
    wire = Wire(request, governor)
    pool, beside = (
        ThreadPoolExecutor(max_workers=request.threads, thread_name_prefix=name) for name in ("collect", "beside")
    )
    try:
        tenant = sign_in(wire, request)
        walk = Walk(request, wire, progress=progress, stop=stop, pool=pool, beside=beside)
        governor.on_wait = walk.waits
        scopes = _read(walk, taken_at)
        return Collected(
            rows=walk.rows(),
            scopes=scopes,
            gaps=walk.gaps.all(),
            requests=governor.requests(),
            taken_at=taken_at,
            cloud=request.cloud.name,
            tenant_id=tenant,
            log=governor.log(),
            notes=tuple(walk.notes),
            waited_s=governor.waited_s,
        )
    finally:
        for each in (beside, pool):
            each.shutdown(wait=True, cancel_futures=True)
        wire.close()


def sign_in(wire: Any, request: CollectRequest) -> str | None:
    """Fetch the first token; the tenant's id. NothingRead that names what is wrong."""
    from auditor.collect.failures import describe, sign_in_problem
    from auditor.collect.wire import WIRE_ERRORS

    asked = request.tenant or request.environment.get("AZURE_TENANT_ID")
    try:
        return wire.sign_in() or asked
    except WIRE_ERRORS as error:
        line, hint = sign_in_problem(describe(error), request.cloud, asked)
        raise NothingRead(line, hint=hint) from error


def _read(walk: Walk, taken_at: datetime) -> tuple[ScopeState, ...]:
    """Read everything, in the order in which one thing tells what to ask for next."""
    from auditor.collect import authorization, rights, surroundings
    from auditor.collect.references import Wanted
    from auditor.collect.rounds import Rounds
    from auditor.collect.scopes import Scopes

    scopes, wanted = Scopes(walk), Wanted()
    walk.stage("estate")
    walk.beside(scopes.list_subscriptions())
    estate = scopes.read_estate()
    walk.stage("computes")
    walk.beside(functools.partial(rights.own, walk, each) for each in scopes.where_rights_matter())
    walk.beside([functools.partial(surroundings.service_tags, walk, surroundings.tag_place(walk), taken_at)])
    walk.together([*surroundings.computes(walk), *surroundings.missing_extensions(walk)])
    surroundings.old_computes(walk)
    walk.stage("references")
    Rounds(walk, scopes, wanted).follow(estate)
    walk.stage("role assignments")
    rights.assignments(walk, wanted, scopes.chains)
    walk.stage("groups and roles")
    walk.catch_up()
    scopes.look_for_hidden()
    authorization.read_definitions(walk, sorted(scopes.chains))
    rights.memberships(walk)
    return scopes.states()
