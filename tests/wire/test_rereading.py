"""Reading single resources again: each type by the client that knows it, one request each, reduced as a scan does."""

from __future__ import annotations

import json

from auditor.collect.failures import Failure
from auditor.confirm import linked
from auditor.confirm.reading import read
from auditor.confirm.targets import AssignmentsOf, One
from auditor.inventory.allowlist import keep_allowed
from tests.wire import estate as e
from tests.wire.conftest import Azure

NIC = e.ENDPOINT_NIC
ROLE = f"/subscriptions/{e.ML}/providers/Microsoft.Authorization/roleDefinitions/{e.NETWORK_CONTRIBUTOR}"
BY_NAME = (e.VNET, e.NSG, e.ROUTES, e.FIREWALL, e.FIREWALL_IP, e.BALANCER, e.ENDPOINT, NIC, e.CLUSTER, e.GRANT,
           e.GROUP_GRANT, e.SUBNET_GRANT, ROLE)  # fmt: skip
BY_URL = (e.WORKSPACE, e.COMPUTE, e.REGISTRY, e.STORAGE, e.VAULT, e.ZONE, e.ZONE_LINK, e.RECORD, e.CONTAINERS,
          e.IDENTITY, e.EXTENSION)  # fmt: skip


def test_every_type_is_read_as_the_scan_reads_it(azure: Azure) -> None:
    bodies = {body["id"]: body for body in e.estate()["resources"]}
    targets = [One.of(each) for each in (*BY_NAME, *BY_URL)]
    with linked(azure.request(), azure.waiting.clock, lambda: False) as link:
        answers = read(link, list(targets))
        counted = link.requests()
    for target in targets:
        answer = answers[target]
        assert not isinstance(answer, Failure), (target, answer)
        [(asked, row)] = answer.items()
        assert asked == target.id
        assert row is not None
        wanted = keep_allowed(
            bodies[target.id.removeprefix(f"/subscriptions/{e.ML}") if target.id == ROLE else target.id]
        )
        assert wanted is not None
        assert row == {**wanted, "id": target.id, "type": wanted["type"].casefold()}
    assert "hidden" not in json.dumps([answers[each] for each in targets])
    sent = [one for one in azure.replica.requests if one.operation in ("arm-get", "arm-list")]
    assert len(sent) == len(targets) == counted.total
    assert {one.method for one in azure.replica.requests if one.operation != "token"} == {"GET"}
    assert sum(one.operation == "token" for one in azure.replica.requests) == 1


def test_what_does_not_exist_is_gone_and_what_may_not_be_seen_is_not(azure: Azure) -> None:
    gone, hidden = One.of(e.CLUSTER + "-gone"), One.of(e.CLUSTER.replace(e.ML, "99999999-0000-4000-8000-000000000009"))
    with linked(azure.request(), azure.waiting.clock, lambda: False) as link:
        answers = read(link, [gone, hidden])
    assert answers[gone] == {gone.id: None}
    refused = answers[hidden]
    assert isinstance(refused, Failure)
    assert (refused.reason, refused.code) == ("not-found", "SubscriptionNotFound")


def test_assignments_of_a_principal_follow_its_groups_and_what_is_inherited(azure: Azure) -> None:
    own, by_group = AssignmentsOf.at(e.NODES, e.CONTROL_PLANE), AssignmentsOf.at(e.NODES, e.OLD_OBJECT)
    with linked(azure.request(), azure.waiting.clock, lambda: False) as link:
        answers = read(link, [own, by_group])
    assert {target: set(answer) for target, answer in answers.items() if not isinstance(answer, Failure)} == {
        own: {e.GRANT},
        by_group: {e.GROUP_GRANT},
    }


def test_a_link_that_is_not_used_asks_nothing(azure: Azure) -> None:
    with linked(azure.request(), azure.waiting.clock, lambda: False) as link:
        assert read(link, []) == {}
        assert link.requests().total == 0
    assert azure.replica.requests == []
