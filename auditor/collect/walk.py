"""The state of one collection: its connection, the rows kept so far, its gaps, its threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from auditor.collect import graph, splitting
from auditor.collect.arm import API_VERSIONS, list_all
from auditor.collect.failures import Failure
from auditor.collect.gaps import Gaps
from auditor.collect.graph import Reach
from auditor.collect.queries import Query
from auditor.collect.references import Row, type_of
from auditor.collect.request import CollectRequest, Stopped
from auditor.collect.splitting import Tree
from auditor.collect.wire import Wire
from auditor.inventory.allowlist import keep_allowed
from auditor.values import Progress, ResourceId, fold

T = TypeVar("T")

SUBSCRIPTIONS = "microsoft.resources/subscriptions"


class Walk:
    """What the steps of a collection share. Rows are reduced to the reviewed allow-list as they arrive."""

    def __init__(
        self,
        request: CollectRequest,
        wire: Wire,
        *,
        progress: Progress,
        stop: Callable[[], bool],
        pool: ThreadPoolExecutor,
        beside: ThreadPoolExecutor,
    ) -> None:
        self.request, self.wire = request, wire
        self.gaps = Gaps()
        self.notes: list[str] = []
        self.extensions_by_arm = False
        """Whether the table of extensions does not exist in this cloud."""
        self._rows: dict[str, Row] = {}
        self._progress, self._stop, self._pool, self._beside = progress, stop, pool, beside
        self._pending: list[Future[object]] = []
        self._lock = threading.Lock()
        self._lists = threading.Lock()
        """Held while ARM's lists of subscriptions are read: whoever needs one meanwhile waits for it."""
        self._stage = ""
        self._split: dict[Reach, list[Reach]] = {}
        self._trees: dict[str, Tree | None] = {}
        self._visible: set[str] | None = None
        self._visible_asked = False

    def stopped(self) -> None:
        """Raise Stopped if somebody asked the collection to end; called between pages."""
        if self._stop():
            raise Stopped("stopped before everything was read")

    def stage(self, name: str) -> None:
        """Tell the progress what is being read now."""
        self.stopped()
        self._stage = name
        self._progress(name, len(self._rows), None)

    def waits(self, seconds: float) -> None:
        """Tell the progress that Azure's quota is waited for."""
        self._progress(f"{self._stage} (waiting {seconds:.0f} s for Azure's quota)", len(self._rows), None)

    def read(self, query: Query, reach: Reach) -> list[Row]:
        """A query's rows. A scope that Resource Graph cuts at its limit is asked for in parts, or is a required gap."""
        rows: list[Row] = []
        todo = [reach]
        while todo:
            part = todo.pop(0)
            smaller = self._split.get(part)
            if smaller is None:
                answer = graph.read(self.wire, query, part, self.stopped)
                smaller = self._smaller(part) if answer.scope_cut else []
                if not smaller:
                    self._note_cut(query, part, answer.scope_cut)
                    rows += answer.rows
            todo = [*smaller, *todo]
        return rows

    def peek(self, query: Query, reach: Reach) -> tuple[list[Row], int]:
        """A query's rows if one page (of each part) holds them all, else none; and how many there are."""
        rows: list[Row] = []
        number, whole = 0, True
        todo = [reach]
        while todo:
            part = todo.pop(0)
            smaller = self._split.get(part)
            if smaller is None:
                answer, total = graph.peek(self.wire, query, part, self.stopped)
                smaller = self._smaller(part) if answer.scope_cut else []
                if not smaller:
                    self._note_cut(query, part, answer.scope_cut)
                    rows += answer.rows
                    number += total
                    whole = whole and len(answer.rows) == total
            todo = [*smaller, *todo]
        return (rows if whole else []), number

    def _smaller(self, reach: Reach) -> list[Reach]:
        """The parts of a scope that was cut, remembered; none if ARM does not tell what lies in it."""
        with self._lock:
            if reach in self._split:
                return self._split[reach]
        found: list[Reach] = []
        if reach == graph.EVERYTHING:
            names = self.visible_subscriptions()
            found = [Reach(subscriptions=tuple(sorted(names)))] if names else []
        for group in reach.management_groups:
            tree = self.below(group)
            if tree is None:
                return []
            found += splitting.parts(tree)
        if found:
            with self._lock:
                self._split[reach] = found
            self.note("a scope holds more subscriptions than Resource Graph looks at; it was read in parts")
        return found

    def below(self, group: str) -> Tree | None:
        """What ARM lists below a management group, asked once; None (and a gap) if it does not."""
        with self._lists:
            if fold(group) not in self._trees:
                self._trees[fold(group)] = self._tree(group)
            return self._trees[fold(group)]

    def _tree(self, group: str) -> Tree | None:
        scope = group_scope(group)
        url = f"{scope}/descendants?api-version={API_VERSIONS['managementGroups']}"
        try:
            return Tree.of(group, list_all(self.wire, url, "ARM/descendants", self.stopped))
        except Failure as failure:
            operation = "Microsoft.Management/managementGroups/descendants/read"
            self.gaps.add(scope, SUBSCRIPTIONS, failure, required=True, operation=operation)
            return None

    def visible_subscriptions(self) -> set[str] | None:
        """The subscriptions that ARM lists for us, asked once; None (and a gap) if it does not."""
        with self._lists:
            if not self._visible_asked:
                self._visible, self._visible_asked = self._listed_for_us(), True
            return self._visible

    def _listed_for_us(self) -> set[str] | None:
        try:
            url = f"/subscriptions?api-version={API_VERSIONS['subscriptions']}"
            listed = list_all(self.wire, url, "ARM/subscriptions", self.stopped)
            return {fold(str(each.get("subscriptionId") or "")) for each in listed} - {""}
        except Failure as failure:
            self.gaps.add("/", SUBSCRIPTIONS, failure, required=True, operation="*/read")
            return None

    def _note_cut(self, query: Query, reach: Reach, cut: bool) -> None:
        if cut:
            limit = Failure("scope-cut", "Resource Graph left out subscriptions beyond its limit of 10,000")
            for scope in scopes_of(reach):
                self.gaps.add(
                    scope, query.table, limit, required=True, hint="scan smaller management groups, one after another"
                )

    def read_apart(self, query: Query, reach: Reach) -> tuple[list[Row], list[tuple[Reach, Failure]]]:
        """A query's rows over a reach; where it is refused, over its halves, so that one scope spoils no other."""
        try:
            return self.read(query, reach), []
        except Failure as failure:
            halves = _halves(reach)
            if failure.reason not in ("forbidden", "not-found", "refused") or not halves or _about_query(failure):
                return [], [(reach, failure)]
        rows: list[Row] = []
        failed: list[tuple[Reach, Failure]] = []
        for half in halves:
            some, wrong = self.read_apart(query, half)
            rows += some
            failed += wrong
        return rows, failed

    def keep(self, rows: Iterable[Any]) -> list[Row]:
        """Store rows, reduced to what the inventory reads; the later reading of a resource stands. The reduced rows."""
        kept: list[Row] = []
        for row in rows:
            if not isinstance(row, dict) or not isinstance(row.get("id"), str):
                continue
            reduced = keep_allowed(row)
            if reduced is not None:
                kept.append(reduced)
        with self._lock:
            for each in kept:
                self._rows[fold(each["id"])] = each
            count = len(self._rows)
        self._progress(self._stage, count, None)
        return kept

    def keep_own(self, row: Row, key: str) -> None:
        """Store a row that is no ARM resource (`auditor/…`) under a key of its own."""
        with self._lock:
            self._rows[f"{row['type']} {fold(key)}"] = row

    def rows(self) -> list[Row]:
        """All rows, in an order that does not depend on threads."""
        with self._lock:
            return [self._rows[key] for key in sorted(self._rows)]

    def rows_of(self, *kinds: str) -> list[Row]:
        """The rows of some types."""
        return [row for row in self.rows() if type_of(row) in kinds]

    def has(self, resource_id: str) -> bool:
        """Whether a resource was read."""
        with self._lock:
            return fold(resource_id) in self._rows

    def note(self, text: str) -> None:
        """Remember how something was read, where that is not the usual way."""
        with self._lock:
            if text not in self.notes:
                self.notes.append(text)

    def together(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Run calls in the threads; their results in the order given. Never called from within such a call."""
        if len(calls) == 1:
            return [calls[0]()]
        futures = [self._pool.submit(call) for call in calls]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise

    def beside(self, calls: Iterable[Callable[[], object]]) -> None:
        """Run calls whose results nothing asks for yet in threads of their own, while the collection goes on.

        ARM's reads have another quota than Resource Graph's queries: neither need wait for the other.
        """
        self._pending += [self._beside.submit(call) for call in calls]

    def catch_up(self) -> None:
        """Wait until all that runs beside is done; raises what a call of it raised."""
        pending, self._pending = self._pending, []
        for future in pending:
            future.result()


def group_scope(name: str) -> str:
    """The ARM id of a management group."""
    return f"/providers/Microsoft.Management/managementGroups/{name}"


def scopes_of(reach: Reach) -> Iterator[str]:
    """The ARM ids of a reach; `/` for everything."""
    for subscription in reach.subscriptions:
        yield f"/subscriptions/{subscription}"
    for group in reach.management_groups:
        yield group_scope(group)
    if not reach.subscriptions and not reach.management_groups:
        yield "/"


def subscriptions_in(ids: Iterable[str]) -> list[str]:
    """The subscriptions that ids lie in, sorted."""
    return sorted({found for each in ids if (found := ResourceId.parse(each).subscription_id)})


def _halves(reach: Reach) -> list[Reach]:
    if len(reach.subscriptions) > 1:
        names, middle = reach.subscriptions, len(reach.subscriptions) // 2
        return [Reach(subscriptions=names[:middle]), Reach(subscriptions=names[middle:])]
    if len(reach.management_groups) > 1:
        names, middle = reach.management_groups, len(reach.management_groups) // 2
        return [Reach(management_groups=names[:middle]), Reach(management_groups=names[middle:])]
    return []


def _about_query(failure: Failure) -> bool:
    """Whether a 400 is about the query (a table that does not exist) and would be the same for every scope."""
    return any(
        word in failure.code
        for word in ("InvalidQuery", "DisallowedLogicalTableName", "ParserFailure", "UnknownTable", "Disallowed")
    )
