"""The last runs as a small picture: counts a run, and the polyline that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One earlier run: when it started (RFC 3339) and how many findings failed, were unknown, and drifted."""

    started_at: str
    failing: int
    unknown: int
    drifted: int
    complete: bool = True


WIDTH, HEIGHT, MARGIN = 240, 56, 4  # of the drawing, in its own units


@dataclass(frozen=True, slots=True)
class Line:
    """A series as SVG: the `points` of a polyline, and its last point for a mark."""

    points: str
    last_x: float
    last_y: float


def line(values: Sequence[int]) -> Line:
    """Values from the oldest to the newest as a line; the lowest stands on the floor only if it is zero."""
    top = max([*values, 1])
    step = (WIDTH - 2 * MARGIN) / max(len(values) - 1, 1)
    spots = [
        (round(MARGIN + index * step, 1), round(HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * value / top, 1))
        for index, value in enumerate(values)
    ]
    return Line(" ".join(f"{x},{y}" for x, y in spots), *spots[-1])
