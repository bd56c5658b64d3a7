"""Reads Microsoft Graph, where it is configured: object ids of service principals, and groups that principals are in.

Optional by nature: what is refused here makes only the findings unknown that it decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from auditor.collect.arm import get, list_all
from auditor.collect.failures import Failure

if TYPE_CHECKING:
    from auditor.collect.walk import Walk

PRINCIPALS, MEMBERSHIPS = "auditor/principal", "auditor/membership"
_GRANT_PRINCIPALS = "grant the application Application.Read.All of Microsoft Graph, or set [principals] in auditor.toml"
_GRANT_GROUPS = "grant the application Application.Read.All and GroupMember.Read.All of Microsoft Graph"


def read_principal(walk: Walk, application: str) -> str | None:
    """The object id of the service principal of an application id, kept as `auditor/principal`."""
    known = {key.casefold(): value for key, value in walk.request.principals.items()}.get(application)
    if known:
        _keep_principal(walk, known, application)
        return known.casefold()
    url = f"/v1.0/servicePrincipals(appId='{quote(application, safe='-')}')?$select=id,appId,servicePrincipalType"
    try:
        found = get(walk.wire, url, "Graph/servicePrincipals", directory=True)
        object_id = found.get("id")
        if not isinstance(object_id, str) or not object_id:
            raise Failure("bad-response", "a service principal without an id")
    except Failure as failure:
        walk.gaps.add(
            f"/servicePrincipals/{application}",
            PRINCIPALS,
            failure,
            required=False,
            hint=_hint(failure, _GRANT_PRINCIPALS),
        )
        return None
    _keep_principal(walk, object_id, application)
    return object_id.casefold()


def _keep_principal(walk: Walk, object_id: str, application: str) -> None:
    row = {"type": PRINCIPALS, "objectId": object_id, "appId": application, "kind": "ServicePrincipal"}
    walk.keep_own(row, f"{PRINCIPALS} {object_id.casefold()}")


def read_memberships(walk: Walk, principal: str) -> None:
    """The groups that a principal is in, transitively; a row without a group says that all were read."""
    url = f"/v1.0/servicePrincipals/{quote(principal, safe='-')}/transitiveMemberOf?$select=id"
    try:
        groups = list_all(walk.wire, url, "Graph/transitiveMemberOf", walk.stopped, directory=True)
    except Failure as failure:
        walk.gaps.add(
            f"/servicePrincipals/{principal}", MEMBERSHIPS, failure, required=False, hint=_hint(failure, _GRANT_GROUPS)
        )
        return
    ids = sorted(str(group["id"]) for group in groups if isinstance(group.get("id"), str))
    for group_id in ids:
        row = {"type": MEMBERSHIPS, "groupId": group_id, "memberId": principal}
        walk.keep_own(row, f"{MEMBERSHIPS} {principal} {group_id.casefold()}")
    # The row without a group comes last: it says that the whole list was read, which no row of a group could.
    walk.keep_own({"type": MEMBERSHIPS, "memberId": principal}, f"{MEMBERSHIPS} {principal}")


def _hint(failure: Failure, grant: str) -> str | None:
    return grant if failure.reason in ("forbidden", "unauthorized", "not-configured", "sign-in-refused") else None
