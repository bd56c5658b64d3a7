"""Microsoft Graph's reads."""

from collections.abc import Callable

import pytest

from auditor.replica import Replica, serve
from auditor.replica.estate import from_document
from tests.replica.client import Client
from tests.replica.contoso import (
    CLUSTER_OBJECT,
    COMPANY,
    KUBELET_OBJECT,
    SCANNER_OBJECT,
    SERVICE_APP,
    SERVICE_OBJECT,
    TEAM,
    document,
)


def test_a_service_principal_by_its_application(client: Client) -> None:
    body = client.graph(f"/v1.0/servicePrincipals(appId='{SERVICE_APP}')").json()
    assert (body["id"], body["appId"], body["displayName"]) == (SERVICE_OBJECT, SERVICE_APP, "old cluster")
    filtered = client.graph("/v1.0/servicePrincipals", **{"$filter": f"appId eq '{SERVICE_APP.upper()}'"}).json()
    assert [row["id"] for row in filtered["value"]] == [SERVICE_OBJECT]


def test_identities_of_resources_are_service_principals(client: Client) -> None:
    for identity in (CLUSTER_OBJECT, KUBELET_OBJECT):
        body = client.graph(f"/v1.0/servicePrincipals/{identity}").json()
        assert (body["id"], body["servicePrincipalType"]) == (identity, "ManagedIdentity")


MEMBERSHIPS = {
    "groups of groups": (f"servicePrincipals/{CLUSTER_OBJECT}/transitiveMemberOf", [TEAM, COMPANY]),
    "direct ones only": (f"servicePrincipals/{CLUSTER_OBJECT}/memberOf", [TEAM]),
    "in no group": (f"servicePrincipals/{KUBELET_OBJECT}/transitiveMemberOf", []),
    "by application": (f"servicePrincipals(appId='{SERVICE_APP}')/transitiveMemberOf", [TEAM, COMPANY]),
    "group in a group": (f"groups/{TEAM}/transitiveMemberOf", [COMPANY]),
    "all members": (f"groups/{COMPANY}/transitiveMembers", [TEAM, SCANNER_OBJECT, CLUSTER_OBJECT, SERVICE_OBJECT]),
    "direct members": (f"groups/{COMPANY}/members", [TEAM, SCANNER_OBJECT]),
}


@pytest.mark.parametrize(("path", "ids"), MEMBERSHIPS.values(), ids=MEMBERSHIPS)
def test_membership(client: Client, path: str, ids: list[str]) -> None:
    answer = client.graph(f"/v1.0/{path}")
    assert answer.status_code == 200, answer.text
    assert [row["id"] for row in answer.json()["value"]] == ids


def test_kinds_of_members(client: Client) -> None:
    rows = client.graph(f"/v1.0/groups/{COMPANY}/members").json()["value"]
    assert [row["@odata.type"] for row in rows] == ["#microsoft.graph.group", "#microsoft.graph.servicePrincipal"]


def test_groups_that_hold_each_other_end(client_of: Callable[[Replica, int], Client]) -> None:
    circle = [
        {"id": TEAM, "displayName": "a", "members": [COMPANY, CLUSTER_OBJECT]},
        {"id": COMPANY, "displayName": "b", "members": [TEAM]},
    ]
    with serve(from_document(document(groups=circle)), quota=False) as replica:
        client = client_of(replica, 0)
        above = client.graph(f"/v1.0/servicePrincipals/{CLUSTER_OBJECT}/transitiveMemberOf").json()["value"]
        below = client.graph(f"/v1.0/groups/{COMPANY}/transitiveMembers").json()["value"]
    assert [row["id"] for row in above] == [TEAM, COMPANY]
    assert [row["id"] for row in below] == [TEAM, CLUSTER_OBJECT]


def test_pages_follow_an_odata_next_link(client_of: Callable[[Replica, int], Client]) -> None:
    members = [f"0b300000-0000-4000-8000-{at:012}" for at in range(7)]
    groups = [{"id": TEAM, "displayName": "many", "members": members}]
    with serve(from_document(document(groups=groups)), quota=False, graph_page_size=3) as replica:
        client = client_of(replica, 0)
        answer = client.graph(f"/v1.0/groups/{TEAM}/transitiveMembers", **{"$select": "id"}).json()
        found = answer["value"]
        while "@odata.nextLink" in answer:
            assert answer["@odata.nextLink"].startswith(replica.graph_endpoint + "/v1.0/groups/")
            answer = client.graph(answer["@odata.nextLink"]).json()
            found += answer["value"]
    assert [row["id"] for row in found] == members


ERRORS = {
    "unknown principal": (
        "/v1.0/servicePrincipals/0b300000-0000-4000-8000-00000000dead",
        404,
        "Request_ResourceNotFound",
    ),
    "unknown application": ("/v1.0/servicePrincipals(appId='nobody')", 404, "Request_ResourceNotFound"),
    "unknown group": (f"/v1.0/groups/{CLUSTER_OBJECT}/transitiveMembers", 404, "Request_ResourceNotFound"),
    "unknown segment": ("/v1.0/users", 400, "BadRequest"),
    "unknown version": ("/v2.0/groups", 400, "BadRequest"),
    "broken page": (f"/v1.0/groups/{TEAM}/members?$skiptoken=%%%", 400, "BadRequest"),
}


@pytest.mark.parametrize(("path", "status", "code"), ERRORS.values(), ids=ERRORS)
def test_error(client: Client, path: str, status: int, code: str) -> None:
    answer = client.graph(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_an_application_without_graph_permissions(narrow: Client) -> None:
    answer = narrow.graph(f"/v1.0/servicePrincipals/{CLUSTER_OBJECT}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Authorization_RequestDenied")


def test_arms_token_is_no_good_here(client: Client, contoso: Replica) -> None:
    url = f"{contoso.graph_endpoint}/v1.0/groups/{TEAM}"
    answer = client.session.get(url, headers={"Authorization": f"Bearer {client.token()}"}, timeout=30)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationTokenAudience")
