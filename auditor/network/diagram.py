"""Sets and partitions of packets as decision diagrams: one level a dimension, each node a partition by interval lists.

A node's parts are disjoint, non-empty, ascending, and lead to pairwise different nodes: a function from packets to
leaves has exactly one diagram, so equality of sets is equality of values. Prefixes are never split into boxes: all
addresses for which the rest of the question has one answer stand in one part, however many intervals they are.

`classify` builds the diagram of "which boxes hold this packet" in one sweep a level. The boxes alive at a point are a
bit mask, and each mask is solved once, so 4,000 rules over a tag of 10,000 prefixes cost about as many steps as there
are interval ends.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Sequence
from typing import TypeAlias

from auditor.network import intervals
from auditor.network.intervals import Intervals

Box: TypeAlias = tuple[Intervals, ...]
Path: TypeAlias = tuple[Intervals, ...]


class Node:
    """Either a leaf, which carries an answer, or a partition of one dimension. Values that are absent lead nowhere."""

    __slots__ = ("_hash", "answer", "parts")

    def __init__(self, parts: tuple[tuple[Intervals, Node], ...] = (), answer: Hashable = None) -> None:
        self.parts = parts
        self.answer = answer
        self._hash = hash((parts, answer))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Node) or self._hash != other._hash:
            return False
        return self.answer == other.answer and self.parts == other.parts

    def __bool__(self) -> bool:
        return bool(self.parts) or self.answer is not None


NOWHERE = Node()


def classify(boxes: Sequence[Box], within: Box, final: int, answer: Callable[[int], Hashable]) -> Node:
    """The diagram over `within` whose leaf at a packet is `answer(mask)`, where bit i says that boxes[i] holds it.

    `final` masks the boxes behind which no other is of interest: once such a box holds everything that is left, the
    bits above it are dropped. An answer of None means nowhere. Every box must lie inside `within`.
    """
    return _Sweep(boxes, within, final, answer).solve(0, (1 << len(boxes)) - 1)


class _Sweep:
    """One `classify`. An object and no closures that call each other: those would be garbage in cycles, and a scan
    makes ten thousand of them.
    """

    __slots__ = ("answer", "boxes", "depth", "leaves", "solved", "wholly", "within")

    def __init__(self, boxes: Sequence[Box], within: Box, final: int, answer: Callable[[int], Hashable]) -> None:
        self.boxes, self.within, self.answer, self.depth = boxes, within, answer, len(within)
        # wholly[level]: the final boxes that hold all of `within` from that level on
        self.wholly = [
            sum(1 << i for i, box in enumerate(boxes) if final >> i & 1 and box[level:] == within[level:])
            for level in range(self.depth)
        ] + [final]
        self.solved: dict[tuple[int, int], Node] = {}
        self.leaves: dict[Hashable, Node] = {}

    def solve(self, level: int, mask: int) -> Node:
        ends = mask & self.wholly[level]
        if ends:
            lowest = ends & -ends
            mask &= (lowest << 1) - 1
        key = (level, mask)
        found = self.solved.get(key)
        if found is None:
            found = self.solved[key] = self.leaf(mask) if level == self.depth else self.split(level, mask)
        return found

    def leaf(self, mask: int) -> Node:
        value = self.answer(mask)
        if value is None:
            return NOWHERE
        return self.leaves.setdefault(value, Node(answer=value))

    def split(self, level: int, mask: int) -> Node:
        within = self.within[level]
        everywhere, toggles = 0, dict.fromkeys((low for low, _ in within), 0)
        rest = mask
        while rest:
            bit = rest & -rest
            rest ^= bit
            dimension = self.boxes[bit.bit_length() - 1][level]
            if dimension == within:
                everywhere |= bit
                continue
            for low, high in dimension:
                toggles[low] = toggles.get(low, 0) ^ bit
                toggles[high + 1] = toggles.get(high + 1, 0) ^ bit
        found: dict[Node, list[tuple[int, int]]] = {}
        points = sorted(toggles)
        alive, at = 0, 0
        for low, high in within:
            while at < len(points) and points[at] <= high:
                alive ^= toggles[points[at]]
                begin = max(points[at], low)
                end = min(points[at + 1] - 1, high) if at + 1 < len(points) else high
                at += 1
                if begin <= end:
                    child = self.solve(level + 1, alive | everywhere)
                    if child:
                        found.setdefault(child, []).append((begin, end))
        return _node(found)


def combine(a: Node, b: Node, answer: Callable[[Hashable, Hashable], Hashable]) -> Node:
    """The diagram whose leaf at a packet is `answer(leaf of a or None, leaf of b or None)`; None means nowhere.

    `answer(None, None)` is never asked and counts as None.
    """
    return _Combining(answer).both(a, b)


class _Combining:
    """One `combine`; like `_Sweep` an object."""

    __slots__ = ("answer", "known")

    def __init__(self, answer: Callable[[Hashable, Hashable], Hashable]) -> None:
        self.answer = answer
        self.known: dict[tuple[int, int], Node] = {}

    def both(self, x: Node, y: Node) -> Node:
        key = (id(x), id(y))
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self.solve(x, y)
        return found

    def solve(self, x: Node, y: Node) -> Node:
        if not x and not y:
            return NOWHERE
        if not x.parts and not y.parts:
            value = self.answer(x.answer, y.answer)
            return NOWHERE if value is None else Node(answer=value)
        found: dict[Node, list[tuple[int, int]]] = {}
        for low, high, i, j in _overlay(x, y):
            child = self.both(x.parts[i][1] if i >= 0 else NOWHERE, y.parts[j][1] if j >= 0 else NOWHERE)
            if child:
                found.setdefault(child, []).append((low, high))
        return _node(found)


def _overlay(x: Node, y: Node) -> list[tuple[int, int, int, int]]:
    """Elementary segments with the index of the part of x and of y that holds them; -1 where none does."""
    if len(x.parts) == len(y.parts) == 1 and x.parts[0][0] == y.parts[0][0]:
        return [(low, high, 0, 0) for low, high in x.parts[0][0]]
    events: list[tuple[int, int, int]] = []  # position, which operand, index or -1
    for side, node in enumerate((x, y)):
        owned = sorted((low, high, index) for index, (pairs, _) in enumerate(node.parts) for low, high in pairs)
        for low, high, index in owned:
            if events and events[-1][0] == low and events[-1][1] == side:
                events.pop()  # the part that ends here is followed at once by another
            events.append((low, side, index))
            events.append((high + 1, side, -1))
    events.sort(key=lambda event: event[0])
    segments: list[tuple[int, int, int, int]] = []
    owner = [-1, -1]
    previous = 0
    for position, side, index in events:
        if position > previous and (owner[0] >= 0 or owner[1] >= 0):
            segments.append((previous, position - 1, owner[0], owner[1]))
        owner[side] = index
        previous = position
    return segments


def relabel(node: Node, answer: Callable[[Hashable], Hashable]) -> Node:
    """The diagram with each leaf's answer replaced; None means nowhere. Keeps the partition where it can."""
    return _Renaming(answer).renamed(node)


class _Renaming:
    """One `relabel`; like `_Sweep` an object."""

    __slots__ = ("answer", "known", "leaves")

    def __init__(self, answer: Callable[[Hashable], Hashable]) -> None:
        self.answer = answer
        self.known: dict[int, Node] = {}
        self.leaves: dict[Hashable, Node] = {}

    def renamed(self, x: Node) -> Node:
        found = self.known.get(id(x))
        if found is None:
            found = self.known[id(x)] = self.inner(x) if x.parts else self.leaf(x)
        return found

    def leaf(self, x: Node) -> Node:
        value = self.answer(x.answer) if x else None
        return NOWHERE if value is None else self.leaves.setdefault(value, Node(answer=value))

    def inner(self, x: Node) -> Node:
        grouped: dict[Node, list[Intervals]] = {}
        for pairs, child in x.parts:
            following = self.renamed(child)
            if following:
                grouped.setdefault(following, []).append(pairs)
        parts = ((p[0] if len(p) == 1 else intervals.normal(itertools.chain(*p)), n) for n, p in grouped.items())
        return Node(tuple(parts)) if grouped else NOWHERE  # ascending, as the first pairs of x's parts are


def merged(a: Node, b: Node) -> Node:
    """Two diagrams that have no packet in common, as one."""
    if not a or not b:
        return a or b
    if _apart(a, b):
        found: dict[Node, list[tuple[int, int]]] = {}
        for pairs, child in (*a.parts, *b.parts):
            found.setdefault(child, []).extend(pairs)
        return _node(found)
    return combine(a, b, lambda x, y: y if x is None else x)


def _apart(a: Node, b: Node) -> bool:
    """Whether no value of the first dimension is in both: then their parts need only be put side by side."""
    return not any(intervals.overlap(mine, theirs) for mine, _ in a.parts for theirs, _ in b.parts)


def paths(node: Node) -> list[tuple[Path, Hashable]]:
    """Every box of the diagram with its answer, in ascending order; the boxes are disjoint."""
    if not node.parts:
        return [((), node.answer)] if node else []
    return [((pairs, *rest), leaf) for pairs, child in node.parts for rest, leaf in paths(child)]


def firsts(
    node: Node, pick: Callable[[int, Intervals], int] = lambda _, pairs: pairs[0][0]
) -> dict[Hashable, tuple[int, ...]]:
    """For each answer the smallest packet that leads to it, dimension by dimension from the first.

    `pick` chooses the value within a part, given the level.
    """
    return _smallest(node, 0, pick, {})


def _smallest(
    at: Node, level: int, pick: Callable[[int, Intervals], int], known: dict[int, dict[Hashable, tuple[int, ...]]]
) -> dict[Hashable, tuple[int, ...]]:
    if not at.parts:
        return {at.answer: ()} if at else {}
    if id(at) not in known:
        best: dict[Hashable, tuple[int, ...]] = {}
        for pairs, child in at.parts:
            for leaf, rest in _smallest(child, level + 1, pick, known).items():
                best.setdefault(leaf, (pick(level, pairs), *rest))
        known[id(at)] = best
    return known[id(at)]


def box_node(box: Box, answer: Hashable) -> Node:
    """The diagram of a single box; nowhere if a dimension is empty."""
    if not all(box):
        return NOWHERE
    node = Node(answer=answer)
    for pairs in reversed(box):
        node = Node(((pairs, node),))
    return node


def _node(found: dict[Node, list[tuple[int, int]]]) -> Node:
    if not found:
        return NOWHERE
    grouped = [(intervals.normal(pairs), child) for child, pairs in found.items()]
    grouped.sort(key=lambda part: part[0][0])
    return Node(tuple(grouped))
