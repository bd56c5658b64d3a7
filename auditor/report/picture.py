"""A cluster's network as a drawing: where each box stands and how each line runs, so that no box covers another.

Four columns: the cluster with its identities; virtual networks around their subnets; what governs or fronts a subnet;
where packets end. A line that skips a column runs through a lane of its own there, so no line crosses a box.
Plain values in, plain values out: the template turns them into SVG.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from msgspec.structs import replace as replaced

from auditor.findings import Finding, NodeKind, Relation, Report, Topology, TopologyNode
from auditor.report.legible import one_line
from auditor.values import Outcome

SHOWN = 40  # pictures in one page; the clusters with the worst verdicts come first when there are more
COLUMN: dict[NodeKind, int] = {
    "cluster": 0,
    "identity": 0,
    "kubelet-identity": 0,
    "network": 1,
    "subnet": 1,
    "security-group": 2,
    "route-table": 2,
    "private-endpoint": 2,
    "frontend": 2,
    "api-server": 2,
    "next-hop": 3,
    "registry": 3,
}
WIDTHS = (184, 262, 212, 188)
BETWEEN = 92  # between columns, for the lines
MARGIN, GAP, PADDING = 10, 14, 14
NAME, NOTE = 8.1, 6.6  # width of a character in the widest of the page's fonts, in a name and in a note
TALL, LOW, HEAD, LANE = 58, 28, 58, 14  # heights: a box, a subnet of others, a network's head, a lane
_WORST_FIRST = ("fail", "unknown", "warn", "waived", "pass", "not-applicable", "none")
_LEFT = [MARGIN + sum(WIDTHS[:at]) + BETWEEN * at for at in range(4)]
WIDTH = _LEFT[3] + WIDTHS[3] + MARGIN


@dataclass(frozen=True, slots=True)
class Box:
    """A node in its place. `name` and `note` are cut to its width, `full` is both; `verdict` picks its colour."""

    key: str
    kind: NodeKind
    x: float
    y: float
    width: float
    height: float
    name: str
    note: str
    full: str
    verdict: str
    read: bool
    number: int
    used: bool = True
    findings: tuple[Finding, ...] = ()

    @property
    def middle(self) -> float:
        """The height at which a line meets the box, if it is the only one."""
        return self.y + (HEAD / 2 if self.kind == "network" else self.height / 2)


@dataclass(frozen=True, slots=True)
class Wire:
    """A line: its SVG path, and the point where its verdict is shown."""

    path: str
    x: float
    y: float
    source: Box
    target: Box
    relation: Relation
    verdict: str
    number: int
    findings: tuple[Finding, ...] = ()

    @property
    def rank(self) -> int:
        """The order of drawing: what matters most comes last, on top of the others."""
        return -_WORST_FIRST.index(self.verdict)


@dataclass(frozen=True, slots=True)
class Picture:
    """The drawing of one cluster's network; `verdict` is the worst in it, `counts` its lines and boxes by verdict."""

    cluster: str
    name: str
    width: float
    height: float
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]
    verdict: str
    counts: tuple[tuple[str, int], ...]

    @property
    def parts(self) -> tuple[tuple[Box | Wire, ...], tuple[Box | Wire, ...]]:
        """What the picture says, for those who read it: what is wrong or unknown, the worst first; then the rest."""
        said: list[Box | Wire] = [*self.wires, *(box for box in self.boxes if box.findings or not box.read)]
        said.sort(key=lambda part: _WORST_FIRST.index(part.verdict))
        wrong = [part for part in said if part.verdict in _WORST_FIRST[:4]]
        return tuple(wrong), tuple(said[len(wrong) :])


def pictures(report: Report) -> tuple[Picture, ...]:
    """The pictures of a report, the worst first, at most `SHOWN`."""
    known = {finding.id: finding for finding in report.findings}
    ranked = sorted(report.topologies, key=lambda each: (*_badness(each, known), each.cluster.casefold()))
    return tuple(picture(each, known) for each in ranked[:SHOWN])


def _badness(topology: Topology, known: Mapping[str, Finding]) -> tuple[int, int, int]:
    """Minus how many parts of it fail, are unknown, warn."""
    ids = [*(node.findings for node in topology.nodes), *(edge.findings for edge in topology.edges)]
    verdicts = [_verdict(each, known)[0] for each in ids]
    return -verdicts.count("fail"), -verdicts.count("unknown"), -verdicts.count("warn")


def _verdict(ids: Iterable[str], known: Mapping[str, Finding]) -> tuple[str, tuple[Finding, ...]]:
    """The worst outcome among findings, as a class of colour, and the findings from the worst on.

    Deviations that a waiver accepts count only where nothing else stands; `none` where nothing was asked.
    """
    found = sorted(
        (known[each] for each in ids if each in known),
        key=lambda each: (each.outcome.rank, each.severity.rank, each.check, each.id),
    )
    open_ = [each for each in found if each.waiver is None or not each.outcome.deviating]
    if any(each.outcome is not Outcome.NOT_APPLICABLE for each in open_):
        return open_[0].outcome.value, tuple(found)
    if len(open_) < len(found):
        return "waived", tuple(found)
    return ("not-applicable" if found else "none"), tuple(found)


def picture(topology: Topology, known: Mapping[str, Finding]) -> Picture:
    """Lay one topology out."""
    plan = _Plan(_drawable(topology), known)
    plan.place()
    wires = plan.wires()
    boxes = tuple(plan.boxes.values())
    verdicts = [*(box.verdict for box in boxes), *(wire.verdict for wire in wires)]
    counts = tuple((each, verdicts.count(each)) for each in _WORST_FIRST[:5] if each in verdicts)
    return Picture(
        cluster=topology.cluster,
        name=one_line(topology.cluster.rpartition("/")[2]),
        width=WIDTH,
        height=plan.height,
        boxes=boxes,
        wires=wires,
        verdict=counts[0][0] if counts else "none",
        counts=counts,
    )


def _drawable(topology: Topology) -> Topology:
    """Without what has no place: a report that was read from a file may say anything."""
    nodes = {node.key: node for node in topology.nodes}
    networks = {key for key, node in nodes.items() if node.kind == "network"}
    kept = {key: node for key, node in nodes.items() if node.kind != "subnet" or node.parent in networks}
    column = {key: COLUMN[node.kind] for key, node in kept.items()}
    edges = (
        edge
        for edge in topology.edges
        if edge.source in kept
        and edge.target in kept
        and (column[edge.source] < column[edge.target] or (column[edge.target] == 0 and edge.source != edge.target))
    )
    return replaced(topology, nodes=tuple(kept.values()), edges=tuple(edges))


@dataclass(slots=True)
class _Plan:
    """The layout while it is made. A lane is a stretch of a line through a column that it skips."""

    topology: Topology
    known: Mapping[str, Finding]
    boxes: dict[str, Box] = field(default_factory=dict)
    lanes: dict[tuple[int, int], float] = field(default_factory=dict)  # (number of the edge, column) to its height
    height: float = 0
    columns: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.columns = {node.key: COLUMN[node.kind] for node in self.topology.nodes}

    def place(self) -> None:
        """Column by column from the left, each box as near as may be to what it is joined with."""
        first = [node for node in self.topology.nodes if COLUMN[node.kind] == 0]
        above, below = self._passing_networks()
        top = MARGIN + LANE * len(above)
        for lane, number in enumerate(above):
            self.lanes[number, 1] = MARGIN + LANE * lane + LANE / 2
        bottom = self._place_networks(top)
        for lane, number in enumerate(below):
            self.lanes[number, 1] = bottom + LANE * lane + LANE / 2
        bottom += LANE * len(below)
        self._place_first(first, top, bottom)
        self.height = max([bottom, *(box.y + box.height for box in self.boxes.values())]) + MARGIN
        for column in (2, 3):
            self._place_column(column)

    def _passing_networks(self) -> tuple[list[int], list[int]]:
        """The edges that go past the column of networks: above it, and (who pulls images) below."""
        kinds = {node.key: node.kind for node in self.topology.nodes}
        past = [
            number
            for number, edge in enumerate(self.topology.edges)
            if self.columns[edge.source] == 0 and self.columns[edge.target] > 1
        ]
        below = [number for number in past if kinds[self.topology.edges[number].source] == "kubelet-identity"]
        return [number for number in past if number not in below], below

    def _box(self, node: TopologyNode, x: float, y: float, width: float, height: float, *, used: bool = True) -> None:
        verdict, findings = _verdict(node.findings, self.known)
        name, note = one_line(node.name) or "?", one_line(node.note)
        room = (width - 2 * 12) / NAME
        if not used:  # both in one row, in small letters
            room *= NAME / NOTE
            name, note = cut(name, room * 0.54), cut(note, room * 0.45)
        self.boxes[node.key] = Box(
            key=node.key,
            kind=node.kind,
            x=x,
            y=y,
            width=width,
            height=height,
            name=cut(name, room),
            note=cut(note, room * NAME / NOTE),
            full=" · ".join(text for text in (one_line(node.id) or one_line(node.name), one_line(node.note)) if text),
            verdict=verdict,
            read=node.read,
            number=len(self.boxes),
            used=used,
            findings=findings,
        )

    def _place_first(self, nodes: Sequence[TopologyNode], top: float, bottom: float) -> None:
        """Identity, cluster and kubelet identity, one under the other, beside the middle of what is not too tall."""
        order = {"identity": 0, "cluster": 1, "kubelet-identity": 2}
        stack = sorted(nodes, key=lambda node: order[node.kind])
        whole = len(stack) * TALL + (len(stack) - 1) * 2 * GAP
        y = max(top, min(top + 160, (top + bottom - whole) / 2))
        for node in stack:
            self._box(node, _LEFT[0], y, WIDTHS[0], TALL)
            y += TALL + 2 * GAP

    def _place_networks(self, top: float) -> float:
        """Each network around its subnets; answers where the column ends."""
        drawn = {edge.target for edge in self.topology.edges} | {edge.source for edge in self.topology.edges}
        y = top
        for network in (node for node in self.topology.nodes if node.kind == "network"):
            inner = [node for node in self.topology.nodes if node.kind == "subnet" and node.parent == network.key]
            at = y + HEAD
            placed = []
            for node in inner:
                used = node.key in drawn
                placed.append((node, at, used))
                at += (TALL if used else LOW) + (GAP if used else GAP / 2)
            height = at - y + (PADDING - GAP / 2 if inner else 0)
            self._box(network, _LEFT[1], y, WIDTHS[1], height)
            for node, where, used in placed:
                width = WIDTHS[1] - 2 * PADDING
                self._box(node, _LEFT[1] + PADDING, where, width, TALL if used else LOW, used=used)
            y += height + GAP
        return y

    def _place_column(self, column: int) -> None:
        """Boxes and lanes of a column, each towards the middle of its neighbours to the left, none on another."""
        things: list[tuple[float, int, str | int, float]] = []  # wanted middle, rank among equals, which, height
        for rank, node in enumerate(self.topology.nodes):
            if COLUMN[node.kind] == column:
                things.append((self._wanted(node.key), rank, node.key, TALL))
        for number, edge in enumerate(self.topology.edges):
            ends = [self.columns[edge.source], self.columns[edge.target]]
            if ends[0] < column < ends[1]:
                middle = self.lanes.get((number, column - 1), self.boxes[edge.source].middle)
                things.append((middle, len(self.topology.nodes) + number, number, LANE))
        nodes = {node.key: node for node in self.topology.nodes}
        free = float(MARGIN)
        for wanted, _, which, height in sorted(things, key=lambda thing: thing[:2]):
            y = max(free, wanted - height / 2)
            if isinstance(which, int):
                self.lanes[which, column] = y + height / 2
                free = y + height
            else:
                self._box(nodes[which], _LEFT[column], y, WIDTHS[column], height)
                free = y + height + GAP
            self.height = max(self.height, free + MARGIN)

    def _wanted(self, key: str) -> float:
        """The middle of what a node is joined with in the columns before its own."""
        found = [
            self.lanes.get((number, self.columns[key] - 1), self.boxes[edge.source].middle)
            for number, edge in enumerate(self.topology.edges)
            if edge.target == key and edge.source in self.boxes
        ]
        return sum(found) / len(found) if found else float(MARGIN)

    def wires(self) -> tuple[Wire, ...]:
        """The lines, each from its own point on a box's side to its own point on the other's."""
        ports = self._ports()
        made = []
        for number, edge in enumerate(self.topology.edges):
            source, target = self.boxes[edge.source], self.boxes[edge.target]
            verdict, findings = _verdict(edge.findings, self.known)
            wire = Wire("", 0, 0, source, target, edge.relation, verdict, number, findings)
            if source.x == target.x:
                made.append(_upright(wire))
                continue
            stops = [(source.x + source.width, ports[number, True])]
            for column in range(COLUMN[source.kind] + 1, COLUMN[target.kind]):
                y = self.lanes[number, column]
                stops += [(_LEFT[column], y), (_LEFT[column] + WIDTHS[column], y)]
            stops.append((target.x, ports[number, False]))
            made.append(_curved(wire, stops))
        return tuple(made)

    def _ports(self) -> dict[tuple[int, bool], float]:
        """The heights at which an edge leaves its source (True) and meets its target (False), spread over the sides."""
        sides: dict[tuple[str, bool], list[tuple[float, int]]] = {}
        for number, edge in enumerate(self.topology.edges):
            source, target = self.boxes[edge.source], self.boxes[edge.target]
            if source.x == target.x:
                continue
            first, last = COLUMN[source.kind] + 1, COLUMN[target.kind] - 1
            sides.setdefault((edge.source, True), []).append((self.lanes.get((number, first), target.middle), number))
            sides.setdefault((edge.target, False), []).append((self.lanes.get((number, last), source.middle), number))
        ports = {}
        for (key, leaving), ends in sides.items():
            box = self.boxes[key]
            height = HEAD if box.kind == "network" else box.height
            for at, (_, number) in enumerate(sorted(ends)):
                ports[number, leaving] = round(box.y + height * (at + 1) / (len(ends) + 1), 1)
        return ports


def _upright(wire: Wire) -> Wire:
    """Between two boxes of one column, the one right above the other."""
    upper, lower = sorted((wire.source, wire.target), key=lambda box: box.y)
    x, top, bottom = upper.x + upper.width / 2, upper.y + upper.height, lower.y
    return replace(wire, path=f"M{_n(x)} {_n(top)}V{_n(bottom)}", x=x, y=(top + bottom) / 2)


def _curved(wire: Wire, stops: Sequence[tuple[float, float]]) -> Wire:
    """Through its stops: curves between columns, straight through a lane. The verdict stands in the last curve."""
    path = f"M{_n(stops[0][0])} {_n(stops[0][1])}"
    for (x, y), (to_x, to_y) in zip(stops[::2], stops[1::2], strict=True):
        middle = (x + to_x) / 2
        if (x, y) != stops[0]:
            path += f"H{_n(x)}"
        path += f"C{_n(middle)} {_n(y)} {_n(middle)} {_n(to_y)} {_n(to_x)} {_n(to_y)}"
    (x, y), (to_x, to_y) = stops[-2:]
    # Three quarters along, where the lines that come from one box have parted: B(t) of the cubic above at t = 3/4.
    return replace(wire, path=path, x=round((x * 19 + to_x * 45) / 64, 1), y=round((y * 10 + to_y * 54) / 64, 1))


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def cut(text: str, room: float) -> str:
    """The text in a width of `room` ordinary characters; wide ones (Chinese, full-width, emoji) count twice."""
    if sum(map(_wide, text)) <= room:
        return text
    left, kept = room - 1, ""
    for character in text:
        left -= _wide(character)
        if left < 0:
            break
        kept += character
    return kept + "…"


def _wide(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
