"""route-kubenet-table: the pod routes of a kubenet cluster lie in the one table that its node subnets carry."""

from typing import Any

import pytest

from tests.estate import SUB, Thing, audit, cluster, gap, outcomes, pool, rg, route, subnet, table

CHECK = "route-kubenet-table"
PODS = "192.168.0.0/16"
POD_ROUTES = (
    route("192.168.0.0/24", "VirtualAppliance", "10.0.0.4", "aks-pool-0"),
    route("192.168.1.0/24", "VirtualAppliance", "10.0.0.5", "aks-pool-1"),
)
DEFAULT = route("0.0.0.0/0", "VirtualAppliance", "10.9.0.4")


def kubenet(nodes: Any, name: str = "ml", node_group: str = "mc", **more: Any) -> Thing:
    network = {"networkPlugin": "kubenet", "networkPluginMode": None, **more.pop("network", {})}
    return cluster(name, nodes=nodes, node_group=node_group, network=network, **more)


def nodes(on: Thing | None, name: str = "nodes", prefix: str = "10.0.0.0/22") -> Any:
    return subnet(name, prefix, table=on)


def own(*routes: Any, name: str = "own", group: str = "net") -> Thing:
    return table(name, *routes, group=group)


def broken() -> Thing:
    made = own()
    made.rows[0]["properties"]["routes"] = [{"name": "bad", "id": f"{made.id}/routes/bad", "properties": "no object"}]
    return made


IN_NODE_GROUP = own(*POD_ROUTES, name="aks-agentpool-1-routetable", group="mc")
FULL = own(*POD_ROUTES, DEFAULT)
TWO = [pool(nodes(FULL), name="a"), pool(nodes(own(name="b"), "more", "10.0.8.0/22"), name="b")]
SECOND = nodes(None, "more", "10.0.8.0/22")

CASES: dict[str, tuple[Any, list[tuple[str, str]]]] = {
    "own table with pod routes": (kubenet(nodes(FULL)), [("pass", "pod-routes")]),
    "AKS's own table": (kubenet(nodes(IN_NODE_GROUP)), [("pass", "pod-routes")]),
    "odd casing of plugin and hop": (
        kubenet(nodes(own(route("192.168.0.0/24", "virtualappliance", "10.0.0.4"))),
                network={"networkPlugin": "Kubenet"}), [("pass", "pod-routes")]),
    "other clusters unread": (
        [kubenet(nodes(FULL)), gap(f"/subscriptions/{SUB}", "microsoft.containerservice/managedclusters")],
        [("unknown", "clusters-unread")]),
    "a neighbour of unknown plugin on the table": (
        [kubenet(nodes(FULL)), cluster("twin", nodes=nodes(FULL), node_group="mc2", network={"networkPlugin": None})],
        [("unknown", "clusters-unread")]),
    "a neighbour whose pools are not in the data": (
        [kubenet(nodes(FULL)), kubenet(None, "twin", "mc2", agentPoolProfiles=None)],
        [("unknown", "clusters-unread")]),
    "an overlay neighbour": (
        [kubenet(nodes(FULL)), cluster("twin", nodes=nodes(FULL), node_group="mc2")], [("pass", "pod-routes")]),
    "no table": (kubenet(nodes(None)), [("fail", "no-table")]),
    "the table lies in the node group": (
        [kubenet(nodes(own(DEFAULT))), IN_NODE_GROUP], [("fail", "table-elsewhere")]),
    "an old table in the node group does not matter": ([kubenet(nodes(FULL)), IN_NODE_GROUP], [("pass", "pod-routes")]),
    "routes of other ranges are no pod routes": (
        kubenet(nodes(own(DEFAULT, route("10.8.0.0/24", "VirtualAppliance", "10.0.0.4")))),
        [("fail", "no-pod-routes")]),
    "routes to nowhere are no pod routes": (
        kubenet(nodes(own(route("192.168.0.0/24", "None")))), [("fail", "no-pod-routes")]),
    "no nodes yet": (kubenet(None, pools=[pool(nodes(own()), count=0)], parts=[nodes(own())]),
                     [("pass", "pod-routes")]),
    "stopped": (kubenet(nodes(own()), powerState={"code": "Stopped"}), [("pass", "pod-routes")]),
    "a single node": (kubenet(None, pools=[pool(nodes(own()), count=1)], parts=[nodes(own())]),
                      [("fail", "no-pod-routes")]),
    "nodes in one pool, another's number unread": (
        kubenet(None, pools=[pool(nodes(own()), name="a", count=2), {**pool(nodes(own()), name="b"), "count": None}],
                parts=[nodes(own())]), [("fail", "no-pod-routes")]),
    "number of nodes unread": (
        kubenet(None, pools=[{**pool(nodes(own())), "count": None}], parts=[nodes(own())]),
        [("unknown", "node-count-unread")]),
    "a route unread": (kubenet(nodes(broken())), [("unknown", "table-unread")]),
    "table unread": (kubenet(nodes(own().unread())), [("unknown", "table-unread")]),
    "pod range unread": (
        kubenet(nodes(FULL), network={"podCidr": None, "podCidrs": None}), [("unknown", "pod-range-unread")]),
    "pod range unparsable": (
        kubenet(nodes(FULL), network={"podCidr": "x", "podCidrs": None}), [("unknown", "pod-range-unread")]),
    "plugin unread": (cluster(nodes=nodes(FULL), network={"networkPlugin": None}), [("unknown", "plugin-unread")]),
    "overlay": (cluster(nodes=nodes(None)), [("not-applicable", "not-kubenet")]),
    "subnet unread": (kubenet(subnet(readable=False)), [("unknown", "subnet-unread")]),
    "two kubenet clusters on one table": (
        [kubenet(nodes(FULL)), kubenet(nodes(FULL, "more", "10.0.8.0/22"), "other", "mc2")],
        [("fail", "table-shared"), ("fail", "table-shared")]),
    "an overlay cluster on the same table": (
        [kubenet(nodes(FULL)), cluster("other", nodes=nodes(FULL, "more", "10.0.8.0/22"), node_group="mc2")],
        [("not-applicable", "not-kubenet"), ("pass", "pod-routes")]),
    "two kubenet clusters, a table each": (
        [kubenet(nodes(FULL)), kubenet(nodes(own(*POD_ROUTES, name="b"), "more", "10.0.8.0/22"), "other", "mc2")],
        [("pass", "pod-routes"), ("pass", "pod-routes")]),
    "pools with different tables": (
        [kubenet(None, pools=TWO), nodes(FULL), nodes(own(*POD_ROUTES, name="b"), "more", "10.0.8.0/22")],
        [("fail", "tables-differ"), ("fail", "tables-differ")]),
    "pools with one table": (
        [kubenet(None, pools=[pool(nodes(FULL), name="a"), pool(SECOND, name="b")]), nodes(FULL),
         nodes(FULL, "more", "10.0.8.0/22")],
        [("pass", "pod-routes"), ("pass", "pod-routes")]),
    "a second subnet that is not there": (
        [kubenet(None, pools=[pool(nodes(FULL), name="a"), pool(SECOND, name="b")]), nodes(FULL)],
        [("unknown", "other-subnet-unread"), ("unknown", "subnet-unread")]),
}  # fmt: skip


@pytest.mark.parametrize(("estate", "wanted"), CASES.values(), ids=CASES)
def test_outcome(estate: Any, wanted: list[tuple[str, str]]) -> None:
    assert outcomes(audit(CHECK, estate)) == wanted


def test_the_table_with_the_routes_is_proposed() -> None:
    [finding] = audit(CHECK, [kubenet(nodes(None)), IN_NODE_GROUP])
    assert finding.reason == "no-table"
    [command] = finding.remediation.commands
    assert command.text.endswith(f"--route-table {IN_NODE_GROUP.id}")


def test_a_gap_elsewhere_does_not_matter_to_what_is_proved() -> None:
    assert outcomes(audit(CHECK, kubenet(nodes(None)), gap(rg("other")))) == [("fail", "no-table")]


def test_the_effect_is_the_pod_routes() -> None:
    [finding] = audit(CHECK, kubenet(nodes(FULL)))
    assert finding.effect is not None
    assert finding.effect.items == ("192.168.0.0/24 -> 10.0.0.4", "192.168.1.0/24 -> 10.0.0.5")
