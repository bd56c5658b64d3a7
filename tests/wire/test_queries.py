"""Query texts: each can be paged, none can be broken out of."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.collect import queries as q

IDS = ["/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v"]


def all_queries() -> Iterator[q.Query]:
    yield from (q.estate(), q.extensions(), q.subscriptions())
    yield from q.subscriptions_of(["s"])
    conditions = [
        *q.by_id(IDS),
        *q.node_groups(["s/g"]),
        *q.balancers_of(["c"]),
        *q.endpoints_to(IDS),
        *q.replications_of(IDS),
        *q.zone_links_to(IDS),
        *q.firewalls_in(IDS),
    ]
    yield from q.resources_where(conditions)
    yield from q.address_records(IDS, ["n"])
    yield from q.admin_rules(IDS)
    yield from q.role_assignments(["p"], IDS)
    yield from q.role_definitions(["r"])


@pytest.mark.parametrize("query", list(all_queries()), ids=lambda query: query.what)
def test_every_query_can_be_paged(query: q.Query) -> None:
    assert re.search(r"\| project id, .* \| order by id asc$", query.text)
    assert query.text.startswith(f"{query.table} | where ")
    assert not re.search(r"\b(take|limit|sample|join|summarize|mv-expand|union)\b", query.text)


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_a_literal_holds_its_text_and_ends_where_it_should(text: str) -> None:
    literal = q.quoted(text)
    assert not any(ord(character) < 32 for character in literal)
    assert re.fullmatch(r"'(?:[^'\\]|\\.)*'", literal)
    read = re.sub(r"\\(u[0-9a-f]{4}|.)", lambda m: chr(int(m[1][1:], 16)) if len(m[1]) > 1 else m[1], literal[1:-1])
    assert read == text


@given(st.lists(st.text("abcdef/", min_size=1, max_size=30)), st.integers(1, 5), st.integers(10, 60))
@settings(max_examples=200, deadline=None)
def test_chunks_lose_and_repeat_nothing(values: list[str], most: int, characters: int) -> None:
    runs = list(q.chunks(values, most, characters))
    assert [value for run in runs for value in run] == sorted(set(values))
    assert all(0 < len(run) <= most for run in runs)


def test_a_long_round_becomes_several_queries() -> None:
    ids = [f"{IDS[0]}-{n:06}" for n in range(5000)]
    found = q.resources_where(q.by_id(ids))
    assert len(found) > 1
    assert all(len(query.text) < q.MOST_CHARACTERS * 1.1 for query in found)
    assert sum(query.text.count(IDS[0]) for query in found) == 5000


def test_principals_and_groups_are_asked_for_side_by_side() -> None:
    """The product of their runs would return each row as often as there are runs of the other."""
    principals, scopes = [f"p{n:05}" for n in range(3000)], [f"/s/{n:05}" for n in range(1500)]
    texts = [query.text for query in q.role_assignments(principals, scopes)]
    runs = max(len(list(q.chunks(principals))), len(list(q.chunks(scopes))))
    assert len(texts) == runs > 2
    for value in (*principals, *scopes):
        assert sum(f"'{value}'" in text for text in texts) == 1
