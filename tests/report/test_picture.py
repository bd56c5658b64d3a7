"""Pictures of networks: nothing lies on anything, and a line's colour is the worst that was found on it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.derive.attribution import topologies
from auditor.findings import Finding, Topology, TopologyEdge, TopologyNode, Waiver
from auditor.report import render_html
from auditor.report.picture import COLUMN, HEAD, SHOWN, WIDTH, Box, Picture, cut, picture, pictures
from auditor.values import Outcome
from tests.derive.test_topology import sample
from tests.report import factory, networks

CURVE = re.compile(r"([MHVC])([^MHVC]+)")


def overlaps(one: Box, other: Box) -> bool:
    """Whether two rectangles share any area."""
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def inside(inner: Box, outer: Box) -> bool:
    return (
        outer.x <= inner.x
        and inner.x + inner.width <= outer.x + outer.width
        and outer.y + HEAD <= inner.y
        and inner.y + inner.height <= outer.y + outer.height
    )


def collisions(drawn: Picture) -> list[tuple[str, str]]:
    """Pairs of boxes that lie on one another, other than a subnet in its network; and what leaves the sheet."""
    found = []
    for one, other in itertools.combinations(drawn.boxes, 2):
        held = {one.kind, other.kind} == {"network", "subnet"}
        network, subnet = (one, other) if one.kind == "network" else (other, one)
        if overlaps(one, other) and not (held and inside(subnet, network)):
            found.append((one.key, other.key))
    for box in drawn.boxes:
        if box.x < 0 or box.y < 0 or box.x + box.width > drawn.width or box.y + box.height > drawn.height:
            found.append((box.key, "the edge of the sheet"))
    return found


def points(path: str) -> Iterable[tuple[float, float]]:
    """Points along an SVG path of M, H, V and C."""
    at = (0.0, 0.0)
    for command, numbers in CURVE.findall(path):
        values = [float(each) for each in numbers.split()]
        match command:
            case "M":
                at = (values[0], values[1])
            case "H":
                yield from ((at[0] + (values[0] - at[0]) * t / 20, at[1]) for t in range(21))
                at = (values[0], at[1])
            case "V":
                at = (at[0], values[0])
            case _:
                x, y = at
                for step in range(41):
                    t = step / 40
                    weights = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3)
                    xs, ys = (x, values[0], values[2], values[4]), (y, values[1], values[3], values[5])
                    yield sum(map(float.__mul__, weights, xs)), sum(map(float.__mul__, weights, ys))
                at = (values[4], values[5])


def crossed(drawn: Picture) -> list[tuple[str, str, str]]:
    """Lines that run through a box which is not one of their ends (or the network around an end)."""
    found = []
    for wire in drawn.wires:
        for box in drawn.boxes:
            if box.kind == "network" or box in (wire.source, wire.target):
                continue
            for x, y in points(wire.path):
                if box.x + 1 < x < box.x + box.width - 1 and box.y + 1 < y < box.y + box.height - 1:
                    found.append((wire.source.key, wire.target.key, box.key))
                    break
    return found


LARGE = {
    "thirty subnets, all of them used": networks.network(30, used=30),
    "thirty subnets, three of them used": networks.network(30, used=3),
    "thirty subnets, four registries, three hops each": networks.network(30, used=12, registries=4, hops=3),
    "no subnet": networks.network(0, used=0),
}


@pytest.mark.parametrize("topology", LARGE.values(), ids=LARGE)
def test_no_box_lies_on_another_and_no_line_runs_through_one(topology: Topology) -> None:
    drawn = picture(topology, {})
    assert len(drawn.boxes) == len(topology.nodes)
    assert len(drawn.wires) == len(topology.edges)
    assert collisions(drawn) == []
    assert crossed(drawn) == []


@pytest.mark.parametrize("night", ["night-1", "night-2", "night-3"])
def test_nothing_overlaps_in_the_sample_estate(night: str) -> None:
    for topology in topologies(sample(night), ()):
        drawn = picture(topology, {})
        assert len(drawn.boxes) == len(topology.nodes)
        assert (collisions(drawn), crossed(drawn)) == ([], []), topology.cluster


KINDS = st.sampled_from(sorted(COLUMN))


@st.composite
def anything(draw: st.DrawFn) -> Topology:
    """What a report file may say: nodes of any kind, edges between any keys, known or not."""
    keys = [f"n{number}" for number in range(draw(st.integers(0, 14)))]
    parents = st.sampled_from([*keys, None])
    nodes = tuple(
        TopologyNode(key=key, kind=draw(KINDS), name=draw(st.text(max_size=4)), parent=draw(parents)) for key in keys
    )
    ends = st.sampled_from([*keys, "nowhere"])
    edges = tuple(
        TopologyEdge(source=draw(ends), target=draw(ends), relation="uses") for _ in range(draw(st.integers(0, 20)))
    )
    return Topology(cluster="c", nodes=nodes, edges=edges)


@given(anything())
@settings(max_examples=150, deadline=None)
def test_whatever_a_file_says_nothing_overlaps(topology: Topology) -> None:
    drawn = picture(topology, {})
    assert collisions(drawn) == []


# ---- colours ---------------------------------------------------------------------------------------------------

WAIVED = Waiver(owner="net", reason="agreed", expires="2027-01-01")
FAIL = factory.finding("a", outcome=Outcome.FAIL)
ACCEPTED = factory.finding("b", outcome=Outcome.FAIL, waiver=WAIVED)
WARN = factory.finding("c", outcome=Outcome.WARN)
UNKNOWN = factory.finding("d", outcome=Outcome.UNKNOWN)
PASS = factory.finding("e")
APART = factory.finding("f", outcome=Outcome.NOT_APPLICABLE)
COLOURS: dict[str, tuple[tuple[Finding, ...], str]] = {
    "nothing asked": ((), "none"),
    "a pass": ((PASS,), "pass"),
    "a pass, and what does not apply": ((APART, PASS), "pass"),
    "only what does not apply": ((APART,), "not-applicable"),
    "unknown is worse than a warning": ((WARN, UNKNOWN, PASS), "unknown"),
    "a failure is the worst": ((PASS, UNKNOWN, FAIL), "fail"),
    "an accepted failure does not hide a warning": ((ACCEPTED, WARN), "warn"),
    "an accepted failure beside a pass": ((ACCEPTED, PASS), "pass"),
    "only an accepted failure": ((ACCEPTED, APART), "waived"),
}


@pytest.mark.parametrize(("findings", "verdict"), COLOURS.values(), ids=COLOURS)
def test_an_edge_has_the_colour_of_the_worst_finding_on_it(findings: tuple[Finding, ...], verdict: str) -> None:
    topology = networks.network(1, used=1)
    edges = tuple(
        msgspec.structs.replace(edge, findings=tuple(finding.id for finding in findings))
        if edge.relation == "filtered-by"
        else edge
        for edge in topology.edges
    )
    drawn = picture(msgspec.structs.replace(topology, edges=edges), {finding.id: finding for finding in findings})
    assert {wire.verdict for wire in drawn.wires if wire.relation == "filtered-by"} == {verdict}
    assert {wire.verdict for wire in drawn.wires if wire.relation != "filtered-by"} == {"none"}


def test_the_clusters_with_the_worst_verdicts_come_first_and_the_rest_is_counted() -> None:
    bad = networks.network(1, used=1)
    bad = msgspec.structs.replace(
        bad, cluster="/z", edges=(msgspec.structs.replace(bad.edges[0], findings=(FAIL.id,)),)
    )
    fine = [msgspec.structs.replace(networks.network(1, used=1), cluster=f"/c{number:02}") for number in range(SHOWN)]
    report = msgspec.structs.replace(factory.report(FAIL), topologies=(*fine, bad))
    drawn = pictures(report)
    assert len(drawn) == SHOWN
    assert drawn[0].cluster == "/z"
    assert "Left out:</span> 1<" in render_html(report)


# ---- text ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "room", "shown"),
    [
        ("snet-nodes", 10, "snet-nodes"),
        ("snet-nodes!", 10, "snet-node…"),
        ("推理子网", 8, "推理子网"),
        ("推理子网", 7, "推理子…"),
        ("推理子网", 6, "推理…"),
        ("e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"),
    ],
)
def test_a_name_is_cut_to_its_box(text: str, room: float, shown: str) -> None:
    assert cut(text, room) == shown


def test_names_are_text_and_invisible_characters_are_spelled_out() -> None:
    nodes = tuple(
        TopologyNode(key=f"n{at}", kind="cluster", name=name, id=f"/x/{name}", note=name)
        for at, name in enumerate(factory.HOSTILE_NAMES.values())
    )
    topology = Topology(cluster="/subscriptions/\u202e<img src=x>", nodes=nodes, edges=())
    page = render_html(msgspec.structs.replace(factory.report(), topologies=(topology,)))
    drawing = page[page.index('<section class="wide networks"') : page.index('<section class="wide findings"')]
    assert "<img" not in drawing
    assert "<script" not in drawing
    assert "\u202e" not in drawing
    assert drawing.count("⟨U+202E⟩") >= 1


def test_what_could_not_be_read_is_said_in_words() -> None:
    topology = Topology(
        cluster="/c",
        nodes=(TopologyNode(key="g", kind="security-group", name="fence", note="403 on fence", read=False),),
        edges=(),
    )
    page = render_html(msgspec.structs.replace(factory.report(), topologies=(topology,)))
    words = page[page.index('<ul class="net-words">') :]
    assert "403 on fence" in words[: words.index("</ul>")]


def test_the_sheet_is_as_wide_as_its_columns() -> None:
    assert picture(networks.network(3, used=1), {}).width == WIDTH
