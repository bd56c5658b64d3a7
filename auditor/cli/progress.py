"""How far long work is: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


class Display(Protocol):
    """A context within which progress is shown; itself the `auditor.values.Progress` to hand down."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __call__(self, stage: str, done: int, total: int | None) -> None: ...


def display(*, quiet: bool, bars: bool) -> Display:
    """The display for this terminal."""
    if quiet:
        return Silence()
    return Bars() if bars else Lines()


class Silence:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        return None


class Lines(Silence):
    """A line when a stage begins and one when it is done: little enough for a build's log."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._finished: dict[str, bool] = {}

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        finished = total is not None and done >= total
        with self._lock:
            before = self._finished.get(stage)
            self._finished[stage] = finished
        if finished and before is not True:
            print(f"{stage}: done ({done})", file=sys.stderr)
        elif before is None:
            print(f"{stage} …", file=sys.stderr)


class Bars(Silence):
    """A bar a stage."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stages: dict[str, TaskID] = {}
        self._rich: RichProgress | None = None

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        # NO_COLOR is honoured by rich itself.
        self._rich = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._rich is not None:
            self._rich.stop()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        if self._rich is None:
            return
        with self._lock:
            if stage not in self._stages:
                self._stages[stage] = self._rich.add_task(stage, total=total)
        self._rich.update(self._stages[stage], completed=done, total=total)
