"""Reading queries before they run: whatever the text, the answer is a query or a refusal."""

from hypothesis import given
from hypothesis import strategies as st

from auditor.replica.language import Refused, read

_PIECES = (
    "resources", "resourcecontainers", "|", "where", "project", "join", "kind", "=", "inner", "(", ")", "on", "id", ",",
    "union", "mv-expand", "limit", "5", "'a|b'", '"(', "count", ".", "[", "]", "//", "\n", ";", "let",
    "properties", "==",
)  # fmt: skip


@given(st.lists(st.sampled_from(_PIECES), max_size=14).map(" ".join) | st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        query = read(text)
    except Refused:
        return
    # What may run reads the same again: table names and row limits are in place already.
    assert read(query.text).tables == query.tables


def test_strings_and_comments_are_left_alone() -> None:
    text = "Resources | where name == 'a | evaluate (' // | render\n| project kind, a = 'kind'"
    assert read(text).text == "resources | where name == 'a | evaluate (' // | render\n| project ['kind'], a = 'kind'"


def test_what_was_met_is_told() -> None:
    query = read("Resources | join (ResourceContainers | take 1) on id | order by id asc")
    assert (query.tables, query.limited, query.sorted) == (("resources", "resourcecontainers"), False, True)
    assert read("resources | take 3").limited
