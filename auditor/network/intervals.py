"""Sorted lists of closed integer intervals, and their algebra: what every set of this package is made of.

`Intervals` are ascending, disjoint and never adjacent, so two equal sets are equal tuples. Every operation looks its
place up by bisection and copies whole slices: taking one prefix out of a tag of 10,000 costs a copy, not a walk.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import TypeAlias

Interval: TypeAlias = tuple[int, int]
Intervals: TypeAlias = tuple[Interval, ...]


def normal(pairs: Iterable[Interval]) -> Intervals:
    """The one list that holds exactly the integers of `pairs`, in whatever order and overlap they come."""
    ordered = sorted(pairs)
    if len(ordered) == 1:
        return (ordered[0],)
    merged: list[Interval] = []
    for low, high in ordered:
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def union(a: Intervals, b: Intervals) -> Intervals:
    """What is in either."""
    if not a or not b or a == b:
        return a or b
    return normal(a + b)


def intersection(a: Intervals, b: Intervals) -> Intervals:
    """What is in both."""
    if a is b:
        return a
    if len(a) == len(b) == 1:
        low, high = max(a[0][0], b[0][0]), min(a[0][1], b[0][1])
        return ((low, high),) if low <= high else ()
    if len(b) > len(a):
        a, b = b, a
    found: list[Interval] = []
    at = 0
    for low, high in b:
        at = _reaching(a, low, at)
        index = at
        while index < len(a) and a[index][0] <= high:
            found.append((max(low, a[index][0]), min(high, a[index][1])))
            index += 1
        at = max(at, index - 1)  # the last one may reach into the next interval of b
    return tuple(found)


def difference(a: Intervals, b: Intervals) -> Intervals:
    """What is in `a` and not in `b`."""
    if not a or not b:
        return a
    left: list[Interval] = []
    at, start = 0, a[0][0]  # what remains of `a` begins at `start`, inside a[at]
    for low, high in b:
        reach = _reaching(a, low, at)
        if reach > at:
            left.append((start, a[at][1]))
            left.extend(a[at + 1 : reach])
            at = reach
            start = a[at][0] if at < len(a) else 0
        while at < len(a) and start <= high:
            if start < low:
                left.append((start, low - 1))
            if a[at][1] > high:
                start = high + 1
                break
            at += 1
            start = a[at][0] if at < len(a) else 0
        if at >= len(a):
            return tuple(left)
    left.append((start, a[at][1]))
    left.extend(a[at + 1 :])
    return tuple(left)


def overlap(a: Intervals, b: Intervals) -> bool:
    """Whether any integer is in both."""
    if len(a) == len(b) == 1:
        return a[0][0] <= b[0][1] and b[0][0] <= a[0][1]
    if len(b) > len(a):
        a, b = b, a
    at = 0
    for low, high in b:
        at = _reaching(a, low, at)
        if at == len(a):
            return False
        if a[at][0] <= high:
            return True
    return False


def covers(a: Intervals, b: Intervals) -> bool:
    """Whether all of `b` is in `a`."""
    at = 0
    for low, high in b:
        at = _reaching(a, low, at)
        if at == len(a) or a[at][0] > low or a[at][1] < high:
            return False
    return True


def contains(a: Intervals, value: int) -> bool:
    """Whether `value` is in `a`."""
    at = _reaching(a, value, 0)
    return at < len(a) and a[at][0] <= value


def count(a: Intervals) -> int:
    """How many integers are in `a`."""
    return sum(high - low + 1 for low, high in a)


def _reaching(a: Intervals, value: int, at: int) -> int:
    """The index, from `at` on, of the first interval that ends at `value` or later."""
    index = bisect_left(a, (value,), at)
    return index - 1 if index > at and a[index - 1][1] >= value else index
