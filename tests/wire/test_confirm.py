"""Confirmation and authorship over the wire: two scans of a replica whose index lags, with the real SDK clients."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.collect import Clock
from auditor.config import load_settings
from auditor.confirm import MOST_READS, MOST_READS_OF_ONE
from auditor.findings import Finding, Report
from auditor.scan import scan
from auditor.values import fold
from tests.wire import estate as e
from tests.wire.conftest import Azure

Body = dict[str, Any]
PRIVATE = "aks-private-api-server"
ACR = "nsg-acr-outbound"
DELEGATED = "aci-subnet-delegated"
JOIN = "aks-identity-subnet-join-effective"
FIRST, SECOND = datetime(2026, 11, 24, 2, tzinfo=UTC), datetime(2026, 11, 25, 2, tzinfo=UTC)


@dataclass
class Nights:
    """Scans one night after the other, each compared with the one before."""

    azure: Azure
    folder: Path
    at: datetime = FIRST
    checks: tuple[str, ...] = (PRIVATE, ACR, DELEGATED, JOIN)

    def scanned(self, body: Body | None = None) -> Report:
        """The report of the next night."""
        if body is not None:
            self.azure.holds(body)
        self.azure.replica.forget_requests()
        settings = load_settings(
            {
                "cloud": "china",
                "management_group": ("platform",),
                "check": self.checks,
                "history": f"sqlite:///{self.folder / 'history.sqlite'}",
            },
            {},
            self.folder,
        )
        at, self.at = self.at, self.at + timedelta(days=1)
        clock = Clock(now=lambda: at, monotonic=lambda: 1000.0, sleep=lambda seconds: None)
        report = scan(settings, environment=self.azure.replica.environment(), clock=lambda: at, waiting=clock).report
        assert not [record for record in self.azure.replica.requests if record.operation == "write"]
        assert not [record for record in self.azure.replica.requests if "useresourcegraph" in record.query.lower()]
        return report


@pytest.fixture
def nights(azure: Azure, tmp_path: Path) -> Nights:
    return Nights(azure, tmp_path)


def private(body: Body, *clusters: str, yes: bool = True) -> Body:
    """The estate with private (or public) API servers."""
    for one in body["resources"]:
        if one["id"] in (clusters or (e.CLUSTER, e.OLD_CLUSTER)):
            one["properties"]["apiServerAccessProfile"] = {"enablePrivateCluster": yes}
    return body


def changed(body: Body, resource_id: str, **properties: Any) -> Body:
    """The estate with other properties of one resource."""
    for one in body["resources"]:
        if one["id"] == resource_id:
            one["properties"] |= properties
    return body


def found(report: Report, check: str, resource_id: str) -> list[Finding]:
    return [each for each in report.findings if each.check == check and fold(each.resource.id) == fold(resource_id)]


def only(report: Report, check: str, resource_id: str) -> Finding:
    [finding] = found(report, check, resource_id)
    return finding


def notes(report: Report, kind: str) -> list[str]:
    return [note.text for note in report.run.notes if note.kind == kind]


def rereads(report: Report) -> dict[str, int]:
    """The re-reads of a run by type."""
    counted = report.run.requests.by_operation
    return {name.split("/")[1]: count for name, count in counted.items() if name.startswith("Confirm/")}


def test_a_failure_that_arm_agrees_to_is_confirmed(nights: Nights) -> None:
    nights.scanned(private(e.estate()))
    report = nights.scanned(private(private(e.estate()), e.CLUSTER, yes=False))
    finding = only(report, PRIVATE, e.CLUSTER)
    assert (finding.outcome, finding.confirmed) == ("fail", True)
    assert finding.drift is not None
    assert finding.drift.state == "new"
    assert notes(report, "index-lag") == []
    assert rereads(report) == {"managedclusters": 1}
    assert only(report, PRIVATE, e.OLD_CLUSTER).confirmed is None


def test_the_requests_of_the_confirmation_are_counted(nights: Nights) -> None:
    nights.scanned(private(e.estate()))
    report = nights.scanned(private(private(e.estate()), e.CLUSTER, yes=False))
    sent = [
        one
        for one in nights.azure.replica.requests
        if one.operation in ("arm-get", "arm-list", "resource-graph", "graph")
    ]
    assert report.run.requests.total == len(sent) == sum(report.run.requests.by_operation.values())


def test_a_failure_of_the_index_only_takes_arms_verdict(nights: Nights) -> None:
    nights.scanned(private(e.estate()))
    lag = {"id": e.CLUSTER, "merge": {"properties": {"apiServerAccessProfile": {"enablePrivateCluster": False}}}}
    report = nights.scanned(private(e.estate(indexLag=[lag])))
    finding = only(report, PRIVATE, e.CLUSTER)
    assert (finding.outcome, finding.confirmed) == ("pass", True)
    assert finding.drift is not None
    assert finding.drift.state == "unchanged"
    [note] = notes(report, "index-lag")
    assert finding.id in note
    assert report.summary.drift is not None
    assert report.summary.drift["new"] == 0


def test_a_failure_that_the_index_hides_shows_once_its_resource_is_read(nights: Nights) -> None:
    """The index still has last night's rule, ARM another one: another registry's packets are denied."""
    deny = {"access": "Deny", "direction": "Outbound", "priority": 100, "protocol": "*", "sourceAddressPrefix": "*",
            "sourcePortRange": "*", "destinationPortRange": "*"}  # fmt: skip

    def denying(destination: str) -> list[Body]:
        rule = {"id": f"{e.NSG}/securityRules/deny", "name": "deny"}
        return [rule | {"properties": deny | {"destinationAddressPrefix": destination}}]

    nights.scanned(e.estate())
    lag = {"id": e.NSG, "merge": {"properties": {"securityRules": denying("203.0.113.0/25")}}}
    report = nights.scanned(changed(e.estate(indexLag=[lag]), e.NSG, securityRules=denying("203.0.113.0/24")))
    finding = only(report, ACR, e.NODES)
    assert (finding.outcome, finding.reason, finding.confirmed) == ("fail", "denied", True)
    [note] = notes(report, "index-lag")
    assert finding.id in note
    assert "203.0.113.0/24" in str(finding.evidence)
    assert rereads(report) == {"networksecuritygroups": 1}


def test_a_resource_that_arm_no_longer_knows_is_gone(nights: Nights) -> None:
    first = private(e.estate())
    nights.scanned(first)
    # The index of the second night still shows a public cluster that was deleted meanwhile.
    second = private(private(e.estate()), e.CLUSTER, yes=False)
    nights.azure.holds(second)
    nights.azure.replica.set_faults(
        [{"match": {"type": "microsoft.containerservice/managedclusters"}, "fault": 404, "code": "ResourceNotFound"}]
    )
    report = nights.scanned()
    assert found(report, PRIVATE, e.CLUSTER) == []
    [note] = notes(report, "index-lag")
    assert "no such finding any more" in note
    assert e.CLUSTER in {each.id for each in report.resources.disappeared}


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": 403, "code": "AuthorizationFailed"},
        {"fault": 404, "code": "InvalidResourceType"},
        {"fault": 404, "code": "SubscriptionNotFound"},
        {"fault": 500},
        {"fault": "truncate"},
        {"fault": "wrong-json"},
        {"fault": 429, "retryAfter": "3600"},
    ],
    ids=lambda fault: f"{fault['fault']} {fault.get('code', '')}",
)
def test_what_cannot_be_read_again_still_alarms(nights: Nights, fault: Body) -> None:
    nights.scanned(private(e.estate()))
    nights.azure.holds(private(private(e.estate()), e.CLUSTER, yes=False))
    nights.azure.replica.set_faults([{"match": {"type": "microsoft.containerservice/managedclusters"}, **fault}])
    report = nights.scanned()
    finding = only(report, PRIVATE, e.CLUSTER)
    assert (finding.outcome, finding.confirmed) == ("fail", False)
    assert finding.drift is not None
    assert finding.drift.state == "new"
    [note] = notes(report, "confirm")
    assert "could not be read again" in note
    assert report.run.complete


def test_without_a_second_sign_in_everything_alarms_as_it_was_found(nights: Nights) -> None:
    nights.scanned(private(e.estate()))
    nights.azure.holds(private(private(e.estate()), e.CLUSTER, yes=False))
    nights.azure.replica.set_faults([{"match": {"operation": "token"}, "fault": 400, "after": 2}])
    report = nights.scanned()
    assert only(report, PRIVATE, e.CLUSTER).confirmed is False
    assert any("who changed what is not known" in text for text in notes(report, "changes"))


def test_a_right_that_is_missing_is_confirmed_by_the_assignments_at_its_scope(nights: Nights) -> None:
    nights.scanned(e.estate())
    body = e.estate()
    body["resources"] = [one for one in body["resources"] if one["id"] != e.GRANT]
    report = nights.scanned(body)
    finding = only(report, JOIN, e.CLUSTER)
    assert (finding.outcome, finding.confirmed) == ("fail", True)
    [asked] = [one for one in nights.azure.replica.requests if "assignedTo" in one.query]
    assert e.CONTROL_PLANE in asked.query
    assert f"{e.NODES}/providers/Microsoft.Authorization/roleAssignments".lower() in asked.path.lower()


def test_a_right_that_the_index_does_not_show_yet_is_found(nights: Nights) -> None:
    """Moved from the group to the subnet: the index has dropped the old assignment and not yet got the new one."""
    nights.scanned(e.estate())
    body = e.estate()
    moved = f"{e.NODES}/providers/Microsoft.Authorization/roleAssignments/a7"
    for one in body["resources"]:
        if one["id"] == e.GRANT:
            one |= {"id": moved, "name": "a7", "properties": one["properties"] | {"scope": e.NODES}}
    lag = {"id": moved, "merge": {"properties": {"principalId": "88888888-0000-4000-8000-000000000001"}}}
    report = nights.scanned(body | {"indexLag": [lag]})
    finding = only(report, JOIN, e.CLUSTER)
    assert (finding.outcome, finding.confirmed) == ("pass", True)
    assert len(notes(report, "index-lag")) == 1


def test_an_assignment_that_was_taken_back_grants_nothing_any_more(nights: Nights) -> None:
    """The index shows that the group's network changed hands: fails; ARM says that even the rest is gone."""
    nights.scanned(e.estate())
    body = e.estate()
    body["resources"] = [one for one in body["resources"] if one["id"] not in (e.GRANT, e.SUBNET_GRANT)]
    report = nights.scanned(body)
    assert {each.outcome for each in found(report, JOIN, e.CLUSTER)} == {"fail"}
    assert {each.confirmed for each in found(report, JOIN, e.CLUSTER)} == {True}


def many(count: int) -> Body:
    """The estate with many more clusters on its subnet."""
    body = e.estate()
    [cluster] = [one for one in body["resources"] if one["id"] == e.CLUSTER]
    for number in range(count):
        more = copy.deepcopy(cluster)
        more |= {"id": f"{e.CLUSTER}-{number:03}", "name": f"score-{number:03}"}
        more["properties"]["apiServerAccessProfile"] = {"enablePrivateCluster": True}
        body["resources"].append(more)
    return body


def test_reads_are_capped_and_the_rest_is_said_to_be_untried(nights: Nights) -> None:
    nights.checks = (PRIVATE,)
    nights.scanned(many(MOST_READS + 3))
    body = many(MOST_READS + 3)
    for one in body["resources"]:
        if one["id"].startswith(f"{e.CLUSTER}-"):
            one["properties"]["apiServerAccessProfile"] = {"enablePrivateCluster": False}
    report = nights.scanned(body)
    fresh = [each.confirmed for each in report.findings if each.drift and each.drift.state == "new"]
    assert (fresh.count(True), fresh.count(None), len(fresh)) == (MOST_READS, 3, MOST_READS + 3)
    assert rereads(report) == {"managedclusters": MOST_READS}
    assert any("3 new or changed failures not tried" in text for text in notes(report, "confirm"))


def test_no_finding_costs_more_than_two_reads(nights: Nights) -> None:
    nights.scanned(e.estate())
    body = e.estate()
    body["resources"] = [one for one in body["resources"] if one["id"] != e.GRANT]
    report = nights.scanned(private(body, yes=False))
    asked = [each for each in report.findings if each.confirmed is not None]
    assert asked
    assert sum(rereads(report).values()) <= MOST_READS_OF_ONE * len(asked)


def test_a_first_night_has_nothing_to_confirm(nights: Nights) -> None:
    report = nights.scanned(private(e.estate(), yes=False))
    assert report.summary.outcomes["fail"] > 0
    assert {each.confirmed for each in report.findings} == {None}
    assert rereads(report) == {}


# ---------------------------------------------------------------- who and when


def change(target: str, path: str, before: Any, after: Any, *, at: str = "2026-11-24T15:00:00Z", **more: Any) -> Body:
    """A row of the change feed."""
    attributes = {"timestamp": at, "changedBy": "wei@contoso.example", "changedByType": "User", "clientType": "CLI",
                  "operation": "some/write", **more}  # fmt: skip
    return {
        "id": f"{target}/providers/Microsoft.Resources/changes/{abs(hash((target, path, at)))}",
        "type": "Microsoft.Resources/changes",
        "name": "c",
        "properties": {
            "changeType": "Update",
            "targetResourceId": target,
            "targetResourceType": "microsoft.network/virtualnetworks",
            "changeAttributes": attributes,
            "changes": {path: {"propertyChangeType": "Update", "previousValue": before, "newValue": after}},
        },
    }


DELEGATION = 'properties.subnets["aci"].properties.delegations["d"]'


def undelegated(*changes: Body) -> Body:
    """The estate after the container subnet lost its delegation."""
    body = e.estate(changes=list(changes))
    for one in body["resources"]:
        if one["id"] == e.VNET:
            one["properties"]["subnets"][1]["properties"]["delegations"] = []
    return body


def test_the_change_of_the_evidence_is_told_with_its_author(nights: Nights) -> None:
    nights.scanned(e.estate())
    other = change(e.VNET, 'properties.subnets["nodes"].properties.routeTable.id', "a", "b", at="2026-11-24T16:00:00Z")
    old = change(e.VNET, DELEGATION, "x", "y", at="2026-11-23T16:00:00Z")
    report = nights.scanned(undelegated(change(e.VNET, DELEGATION, e.CONTAINERS, None), other, old))
    finding = only(report, DELEGATED, e.ACI)
    assert finding.drift is not None
    [told] = finding.drift.changes
    assert (told.at, told.by, told.client) == ("2026-11-24T15:00:00Z", "wei@contoso.example", "CLI")
    assert (told.property, told.before, told.after) == (DELEGATION, e.CONTAINERS, None)
    assert finding.drift.unrecorded is None
    assert report.run.requests.by_operation["ResourceGraph/resourcechanges"] == 1


def test_without_a_record_the_two_runs_are_named(nights: Nights) -> None:
    nights.scanned(e.estate())
    report = nights.scanned(undelegated())
    finding = only(report, DELEGATED, e.ACI)
    assert finding.drift is not None
    assert finding.drift.changes == ()
    assert finding.drift.unrecorded is not None
    assert (finding.drift.unrecorded.after, finding.drift.unrecorded.until) == (
        "2026-11-24T02:00:00Z", "2026-11-25T02:00:00Z",
    )  # fmt: skip


def test_where_the_feed_cannot_be_read_the_report_says_so(nights: Nights) -> None:
    nights.scanned(e.estate())
    nights.azure.holds(undelegated(change(e.VNET, DELEGATION, e.CONTAINERS, None)))
    nights.azure.replica.set_faults([{"match": {"table": "resourcechanges"}, "fault": 403}])
    report = nights.scanned()
    finding = only(report, DELEGATED, e.ACI)
    assert finding.outcome == "fail"
    assert finding.drift is not None
    assert finding.drift.unrecorded is not None
    [note] = notes(report, "changes")
    assert note.startswith("who changed what is not known from resourcechanges: forbidden")
    assert report.run.complete


def test_a_removed_assignment_is_told_by_the_activity_log(nights: Nights) -> None:
    nights.scanned(e.estate())
    event = {
        "id": f"{e.GRANT}/events/1",
        "eventTimestamp": "2026-11-24T17:26:48.123Z",
        "caller": "jonas@contoso.example",
        "operationName": {"value": "Microsoft.Authorization/roleAssignments/delete"},
        "status": {"value": "Succeeded"},
        "resourceId": e.GRANT,
        "resourceProviderName": {"value": "Microsoft.Authorization"},
        "properties": {},
    }
    body = e.estate(activity=[event, event | {"status": {"value": "Started"}}])
    body["resources"] = [one for one in body["resources"] if one["id"] != e.GRANT]
    report = nights.scanned(body)
    finding = only(report, JOIN, e.CLUSTER)
    assert finding.drift is not None
    [told] = finding.drift.changes
    assert (told.at, told.by) == ("2026-11-24T17:26:48Z", "jonas@contoso.example")
    assert (told.property, told.before, told.after) == ("properties.roleDefinitionId", "Network Contributor", None)
    assert report.run.requests.by_operation["ARM/activityLog"] == 1


def test_nothing_drifted_nothing_is_asked(nights: Nights) -> None:
    nights.scanned(e.estate())
    report = nights.scanned(e.estate())
    asked = report.run.requests.by_operation
    assert not {"ResourceGraph/resourcechanges", "ARM/activityLog"} & set(asked)
    assert sum(one.operation == "token" for one in nights.azure.replica.requests) <= 2
