"""What was asked for, what of it can be seen, and the first round: the inference estate itself."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator

from auditor.collect import queries, rights
from auditor.collect.failures import CONNECTION_REASONS, Failure, connection_problem
from auditor.collect.graph import EVERYTHING, Reach
from auditor.collect.queries import Query
from auditor.collect.references import Row, at
from auditor.collect.request import ScopeState
from auditor.collect.walk import SUBSCRIPTIONS, Walk, group_scope, scopes_of, subscriptions_in
from auditor.errors import NothingRead
from auditor.values import fold

MOST_ASKED_FOR_RIGHTS = 500
"""Subscriptions up to which each is asked what we may read in it."""


class Scopes:
    """The requested scopes of one collection, and what is known of the subscriptions in them.

    A tenant of up to a page of subscriptions is read with all their rows. In a larger one only the rows of those that
    matter are read, and the number of the others is held against ARM's own list: a tenant of 10,000 subscriptions of
    which 100 hold inference resources costs what 100 cost.
    """

    def __init__(self, walk: Walk) -> None:
        self._walk, self._request = walk, walk.request
        self._unread: set[str] = set()
        self._uncounted = 0
        """Subscriptions in the scopes whose rows were too many to read them all."""
        self._shown: set[str] = set()
        """Subscriptions that Resource Graph showed in the scopes: there the estate was asked for. Others are met later,
        by their names, and what else lies in them was not.
        """
        self.chains: dict[str, list[str]] = {}
        """Subscription → names of its management groups, nearest first; of those whose row was read."""

    @property
    def requested(self) -> list[str]:
        """ARM ids of what was asked for; `/` is everything that can be seen."""
        found = [f"/subscriptions/{each}" for each in self._request.subscription_ids]
        return [*found, *map(group_scope, self._request.management_group_names)] or ["/"]

    @property
    def reaches(self) -> list[Reach]:
        """Where queries over the scopes are asked: Resource Graph takes subscriptions or groups, not both."""
        reaches = []
        if self._request.subscription_ids:
            reaches.append(Reach(subscriptions=self._request.subscription_ids))
        if self._request.management_group_names:
            reaches.append(Reach(management_groups=self._request.management_group_names))
        return reaches or [EVERYTHING]

    def reaches_with(self, named: set[str]) -> list[Reach]:
        """The scopes, and the subscriptions named that lie outside of them (a hub's)."""
        reaches = self.reaches
        if reaches == [EVERYTHING]:
            return reaches
        if len(reaches) == 1 and reaches[0].subscriptions:
            return [Reach(subscriptions=tuple(sorted({*reaches[0].subscriptions, *named})))]
        if self._uncounted:
            self.read_subscriptions(named)
        outside = named - self._inside()
        return [*reaches, Reach(subscriptions=tuple(sorted(outside)))] if outside else reaches

    def _inside(self) -> set[str]:
        """The subscriptions known to lie in the requested scopes."""
        groups = {name.casefold() for name in self._request.management_group_names}
        below = {each for each, chain in self.chains.items() if groups & {name.casefold() for name in chain}}
        return below | set(self._request.subscription_ids)

    def states(self) -> tuple[ScopeState, ...]:
        """The requested scopes, and whether they were read."""
        return tuple(ScopeState(scope, fold(scope) not in self._unread) for scope in self.requested)

    # ------------------------------------------------------------------ the first round

    def read_estate(self) -> list[Row]:
        """Read the subscriptions and the estate; NothingRead if nothing of the scopes can be seen."""
        asked = [queries.estate(), queries.extensions()]
        calls = [
            *(functools.partial(self._subscriptions_over, reach) for reach in self.reaches),
            *(functools.partial(self._walk.read_apart, query, reach) for query in asked for reach in self.reaches),
        ]
        answers = self._walk.together(calls)
        self._endpoint_down([failure for rows, wrong in answers for _, failure in wrong if not rows])
        over = len(self.reaches)
        kept: list[Row] = []
        for number, (rows, wrong) in enumerate(answers):
            query = [queries.subscriptions(), *asked][number // over]
            kept += self._walk.keep(rows)
            for reach, failure in wrong:
                self._gap(query, reach, failure)
        for row in self._walk.rows_of(SUBSCRIPTIONS):
            self.see(row)
        self._shown = set(self.chains)
        if self._uncounted:
            self.read_subscriptions(subscriptions_in(row["id"] for row in kept))
        self._requested_are_visible()
        return kept

    def _subscriptions_over(self, reach: Reach) -> tuple[list[Row], list[tuple[Reach, Failure]]]:
        try:
            rows, total = self._walk.peek(queries.subscriptions(), reach)
        except Failure:
            return self._walk.read_apart(queries.subscriptions(), reach)
        if not rows and total:
            self._uncounted += total
        return rows, []

    def read_subscriptions(self, names: Iterable[str]) -> None:
        """Read the rows of subscriptions that are not known yet, wherever they lie."""
        unknown = tuple(sorted(set(names) - set(self.chains)))
        if not unknown:
            return
        for query in queries.subscriptions_of(unknown):
            rows, wrong = self._walk.read_apart(query, Reach(subscriptions=unknown))
            for row in self._walk.keep(rows):
                self.see(row)
            for reach, failure in wrong:
                for scope in scopes_of(reach):
                    self._walk.gaps.add(scope, SUBSCRIPTIONS, failure, required=False, operation="*/read")

    def see(self, row: Row) -> str:
        """Note a subscription's chain of management groups; its GUID."""
        name = fold(str(row["id"])).rsplit("/", 1)[-1]
        self.chains[name] = [str(each) for each in at(row, "properties.managementGroupAncestorsChain[].name")]
        return name

    def _endpoint_down(self, failures: list[Failure]) -> None:
        for failure in failures:
            if failure.reason in CONNECTION_REASONS:
                line, hint = connection_problem(failure, self._request.cloud.arm_endpoint, self._request.cloud)
                raise NothingRead(line, hint=hint)

    def _gap(self, query: Query, reach: Reach, failure: Failure) -> None:
        if query.table == "kubernetesconfigurationresources" and failure.reason == "refused":
            # The table does not exist in this cloud: each cluster is asked by ARM instead.
            self._walk.note(f"{query.table} was not read ({failure.text}); ARM was asked instead")
            self._walk.extensions_by_arm = True
            return
        for scope in scopes_of(reach):
            what = "*" if query.table == "resources" else query.table
            self._walk.gaps.add(scope, what, failure, required=True, operation="*/read")
            if what == "*":
                self._unread.add(fold(scope))

    # ------------------------------------------------------------------ what is not visible

    def _requested_are_visible(self) -> None:
        for name in self._request.subscription_ids:
            if name not in self.chains:
                scope = f"/subscriptions/{name}"
                self._unread.add(scope)
                self._not_visible(scope, "the signed-in identity sees no such subscription")
        if not self.chains and not self._uncounted:
            self.look_for_hidden()
            self._nothing()

    def list_subscriptions(self) -> Iterator[Callable[[], object]]:
        """Calls that fetch ARM's own lists of the subscriptions in the scopes: long ones, which nothing waits for."""
        for name in self._request.management_group_names:
            yield functools.partial(self._walk.below, name)
        if self.requested == ["/"]:
            yield self._walk.visible_subscriptions

    def look_for_hidden(self) -> None:
        """Hold the subscriptions that Resource Graph showed against ARM's lists; what is missing becomes a gap."""
        for name in self._request.management_group_names:
            if fold(group_scope(name)) not in self._unread:
                for hidden in self._hidden_below(name):
                    why = f"it lies below {name}, and the signed-in identity does not see it"
                    if hidden in self.chains:
                        why = f"it lies below {name}, where Resource Graph does not have it yet: ask for it by its id"
                    self._not_visible(f"/subscriptions/{hidden}", why)
        if self.requested == ["/"] and "/" not in self._unread:
            for hidden in self._not_among_the_rows(self._walk.visible_subscriptions() or set(), countable=True):
                self._not_visible(f"/subscriptions/{hidden}", "ARM lists it, and Resource Graph shows nothing of it")

    def _not_visible(self, scope: str, why: str) -> None:
        self._walk.gaps.add(scope, "*", Failure("not-visible", why), required=True)

    def _hidden_below(self, group: str) -> list[str]:
        """Subscriptions that ARM lists below a group and that we do not see: fewer rows are their only sign else."""
        tree = self._walk.below(group)
        if tree is None:
            return []
        alone = len(self._request.management_group_names) == 1
        return self._not_among_the_rows(tree.all_subscriptions, countable=alone)

    def _not_among_the_rows(self, listed: set[str], *, countable: bool) -> list[str]:
        """Which of the subscriptions that ARM lists Resource Graph does not show."""
        if self._uncounted:
            if countable and len(listed) == self._uncounted:
                return []
            # Somebody is missing, and only all rows tell who.
            for reach in self.reaches:
                for row in self._walk.keep(self._walk.read_apart(queries.subscriptions(), reach)[0]):
                    self._shown.add(self.see(row))
            self._uncounted = 0
        return sorted(listed - self._shown)

    def _nothing(self) -> None:
        said = next((g.reason for g in self._walk.gaps.all() if not g.reason.startswith("not-visible")), "")
        named = ", ".join(self.requested[:3]) + (" …" if len(self.requested) > 3 else "")
        if said:
            raise NothingRead(f"nothing could be read: {said}", hint=f"asked for: {named}")
        if self.requested == ["/"]:
            raise NothingRead(
                "nothing could be read: the signed-in identity sees no subscription",
                hint="grant Reader on a subscription or management group",
            )
        raise NothingRead(
            f"nothing could be read: the signed-in identity sees none of {named}",
            hint=f"grant Reader on {self.requested[0]}",
        )

    # ------------------------------------------------------------------ our own rights

    def where_rights_matter(self) -> list[str]:
        """Subscriptions whose silence could be a lack of rights: those of the estate, and those asked for.

        Where a management group was asked for and our rights there reach everything below, that is enough.
        """
        inside = [row["id"] for row in self._walk.rows() if "/resourcegroups/" in fold(str(row.get("id", "")))]
        estate = set(subscriptions_in(inside))
        groups = self._request.management_group_names
        asked = set(self._request.subscription_ids) & set(self.chains)
        if (groups and not all(rights.covers_all(self._walk, group) for group in groups)) or self.requested == ["/"]:
            asked = set(self.chains)
        if len(asked) > MOST_ASKED_FOR_RIGHTS:
            self._walk.note(f"own rights were asked for in the {len(estate)} subscriptions of the estate only")
            asked = set()
        return sorted(estate | asked)
