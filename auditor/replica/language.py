"""What Resource Graph refuses of KQL, decided on tokens before anything runs.

Source: "Understanding the Azure Resource Graph query language". The replica's evaluator knows much more KQL than the
service, so whatever is not in the service's documented subset has to be turned away here.
Detail codes `UnsupportedJoinFlavor`, `DisallowedLogicalTableName` and `ParserFailure` are the service's; the codes of
the limits are an assumption (see `docs/replica.md`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

OPERATORS = frozenset(
    {
        "count", "distinct", "extend", "join", "limit", "mvexpand", "mv-expand", "order", "parse", "project",
        "project-away", "sort", "summarize", "take", "top", "union", "where",
    }
)  # fmt: skip
JOIN_FLAVOURS = frozenset({"innerunique", "inner", "leftouter", "fullouter"})
TABLES = frozenset(
    {
        "advisorresources", "alertsmanagementresources", "appserviceresources", "authorizationresources",
        "awsresources", "azurebusinesscontinuityresources", "chaosresources", "communitygalleryresources",
        "computeresources", "desktopvirtualizationresources", "dnsresources", "edgeorderresources",
        "elasticsanresources", "extendedlocationresources", "featureresources", "guestconfigurationresources",
        "healthresourcechanges", "healthresources", "insightsresources", "iotsecurityresources",
        "kubernetesconfigurationresources", "kustoresources", "maintenanceresources", "managedserviceresources",
        "migrateresources", "networkresources", "patchassessmentresources", "patchinstallationresources",
        "policyresources", "quotaresources", "recoveryservicesresources", "resourcechanges",
        "resourcecontainerchanges", "resourcecontainers", "resources", "securityresources",
        "servicefabricresources", "servicehealthresources", "spotresources", "supportresources", "tagsresources",
    }
)  # fmt: skip
MOST_JOINS = MOST_EXPANSIONS = MOST_UNION_LEGS = 3
ROW_LIMIT_DEFAULT, ROW_LIMIT_MOST = 128, 400
_ENRICHING = frozenset({"resources", "resourcecontainers"})
_FOREIGN_FUNCTIONS = frozenset(
    {
        "adx",
        "app",
        "arg",
        "cluster",
        "database",
        "externaldata",
        "external_table",
        "materialize",
        "toscalar",
        "workspace",
    }
)
_KEYWORDS = frozenset({"count", "kind", "scan", "time"})
_HEADS = OPERATORS - {"union"}


class Refused(Exception):
    """A query that Resource Graph answers with 400: a detail code and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of query text; `kind` is `word`, `text`, `number` or `sign`."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def word(self) -> str:
        """The lower-case word, or nothing for any other kind of token."""
        return self.text.lower() if self.kind == "word" else ""


@dataclass(slots=True)
class Reading:
    """What was met in a query, and the text to run instead of it."""

    tables: list[str] = field(default_factory=list)
    joins: int = 0
    cross_joins: list[tuple[str, str]] = field(default_factory=list)
    expansions: int = 0
    union_legs: int = 0
    limited: bool = False
    sorted: bool = False
    edits: list[tuple[int, int, str]] = field(default_factory=list)

    def note_table(self, token: Token, tables: frozenset[str]) -> str:
        name = token.text.lower()
        if token.kind != "word" or name not in tables:
            raise Refused("DisallowedLogicalTableName", f"Table {token.text} is invalid, unsupported or disallowed.")
        self.tables.append(name)
        self.edits.append((token.start, token.end, name))
        return name


@dataclass(frozen=True, slots=True)
class Query:
    """A query that Resource Graph would run."""

    text: str
    tables: tuple[str, ...]
    limited: bool
    sorted: bool


def read(text: str, tables: frozenset[str] = TABLES) -> Query:
    """`text` as it may run (table names lower case, row limits of `mv-expand` spelled out), or `Refused`."""
    if "{{" in text:
        raise Refused("UnsupportedSharedQuery", "The replica holds no shared queries.")
    tokens = list(_tokens(text))
    if tokens and tokens[-1].text == ";":
        tokens.pop()
    if not tokens:
        raise Refused("EmptyQuery", "Query is empty.")
    if any(token.text == ";" for token in tokens):
        raise Refused("DisallowedStatement", "Only a single tabular expression statement is supported.")
    for at, token in enumerate(tokens[:-1]):
        if token.word in _FOREIGN_FUNCTIONS and tokens[at + 1].text == "(":
            raise Refused("DisallowedFunction", f"Function {token.text} is not supported or not allowed.")
    reading = Reading()
    _pipeline(tokens, reading, tables, outermost=True)
    _limits(reading)
    _quote_keywords(tokens, reading)
    end = tokens[-1].end
    edits = sorted(reading.edits)
    pieces, at = [], 0
    for start, stop, replacement in edits:
        pieces += [text[at:start], replacement]
        at = stop
    return Query("".join([*pieces, text[at:end]]), tuple(reading.tables), reading.limited, reading.sorted)


def _quote_keywords(tokens: Sequence[Token], reading: Reading) -> None:
    """Spell `kind` and `properties.count` so that the evaluator's grammar, where these are keywords, takes them."""
    for at, token in enumerate(tokens):
        before = tokens[at - 1] if at else None
        if before is not None and before.text == "." and token.text == "[":
            # `properties.condition.['odata.type']`, the form that Resource Graph's documentation teaches.
            reading.edits.append((before.start, before.end, ""))
        elif before is not None and before.text == "." and token.word in _KEYWORDS:
            reading.edits.append((before.start, token.end, f"['{token.text}']"))
        elif token.word == "kind" and not _is_option(tokens, at):
            reading.edits.append((token.start, token.end, "['kind']"))


def _is_option(tokens: Sequence[Token], at: int) -> bool:
    """Whether a single `=` follows: `kind=inner`, not `kind == 'x'` or `kind =~ 'x'`."""
    following = "".join(token.text for token in tokens[at + 1 : at + 3])
    return following.startswith("=") and not following.startswith(("==", "=~"))


def _limits(reading: Reading) -> None:
    if reading.joins > MOST_JOINS:
        raise Refused("DisallowedMaxNumberOfJoins", f"The query holds {reading.joins} joins; {MOST_JOINS} are allowed.")
    if reading.expansions > MOST_EXPANSIONS:
        raise Refused(
            "DisallowedMaxNumberOfMvExpands",
            f"The query holds {reading.expansions} mv-expand operators; {MOST_EXPANSIONS} are allowed.",
        )
    if reading.union_legs > MOST_UNION_LEGS:
        raise Refused(
            "DisallowedMaxNumberOfUnionLegs",
            f"The query holds {reading.union_legs} union legs; {MOST_UNION_LEGS} are allowed.",
        )
    # One join across tables, or three if all of them are between Resources and ResourceContainers.
    if len(reading.cross_joins) > 1 and not all(set(pair) == _ENRICHING for pair in reading.cross_joins):
        raise Refused(
            "DisallowedMaxNumberOfRemoteTables",
            f"The query holds {len(reading.cross_joins)} cross-table joins; 1 is allowed.",
        )


def _pipeline(tokens: Sequence[Token], reading: Reading, tables: frozenset[str], *, outermost: bool = False) -> str:
    """Read one pipeline; the name of its first table comes back."""
    stages = list(_split(tokens, "|"))
    table = "resources"
    head = stages[0]
    if not head:
        if not outermost:
            raise Refused("ParserFailure", "A pipe has nothing before it.")
        stages = stages[1:]
        reading.edits.append((tokens[0].start, tokens[0].start, table + " "))
        reading.tables.append(table)
    elif head[0].text == "(":
        inner, rest = _parenthesised(head)
        if rest:
            raise _unexpected(rest[0])
        table = _pipeline(inner, reading, tables)
        stages = stages[1:]
    elif (head[0].word in _HEADS and len(head) > 1) or (head[0].word == "count" and outermost):
        # Resources is the default table, but not inside a join or union.
        if not outermost:
            raise Refused("DisallowedLogicalTableName", f"Table {head[0].text} is invalid, unsupported or disallowed.")
        reading.edits.append((head[0].start, head[0].start, table + " | "))
        reading.tables.append(table)
    elif head[0].word == "union":
        table = _union(head[1:], reading, tables)
        stages = stages[1:]
    else:
        table = reading.note_table(head[0], tables)
        if len(head) > 1:
            raise _unexpected(head[1])
        stages = stages[1:]
    for stage in stages:
        _stage(stage, table, reading, tables, outermost=outermost)
    return table


def _stage(stage: Sequence[Token], table: str, reading: Reading, tables: frozenset[str], *, outermost: bool) -> None:
    if not stage:
        raise Refused("ParserFailure", "A pipe has nothing behind it.")
    name, rest = _operator(stage)
    if name not in OPERATORS:
        raise Refused("UnsupportedOperator", f'The operator "{name}" is not supported or not allowed.')
    if name == "join":
        _join(rest, table, reading, tables)
        return
    if name == "union":
        _union(rest, reading, tables)
        return
    if name in ("mv-expand", "mvexpand"):
        _expansion(stage, rest, reading)
    if outermost:
        reading.limited = reading.limited or name in ("limit", "take")
        reading.sorted = reading.sorted or name in ("order", "sort", "top")
    _subqueries(rest, reading, tables)


def _operator(stage: Sequence[Token]) -> tuple[str, Sequence[Token]]:
    """The operator's name, hyphens included (`mv-expand`), and what follows."""
    name, at = stage[0].text.lower(), 1
    while at + 1 < len(stage) and stage[at].text == "-" and stage[at].start == stage[at - 1].end:
        if stage[at + 1].kind != "word" or stage[at + 1].start != stage[at].end:
            break
        name += "-" + stage[at + 1].text.lower()
        at += 2
    return name, stage[at:]


def _join(rest: Sequence[Token], table: str, reading: Reading, tables: frozenset[str]) -> None:
    reading.joins += 1
    options, rest = _options(rest)
    for name, value in options:
        if name != "kind":
            raise Refused("UnsupportedJoinStrategy", f'The join hint "{name}" is not supported or not allowed.')
        if value.lower() not in JOIN_FLAVOURS:
            raise Refused("UnsupportedJoinFlavor", f'The join kind "{value}" is not supported or not allowed.')
    if not rest:
        raise Refused("ParserFailure", "A join names no table.")
    if rest[0].text == "(":
        inner, rest = _parenthesised(rest)
        other = _pipeline(inner, reading, tables)
    else:
        other = reading.note_table(rest[0], tables)
    if other != table:
        reading.cross_joins.append((table, other))


def _union(rest: Sequence[Token], reading: Reading, tables: frozenset[str]) -> str:
    options, rest = _options(rest)
    for name, value in options:
        if name not in ("kind", "withsource"):
            raise Refused("UnsupportedUnionOption", f'The union option "{name}" is not supported or not allowed.')
        if name == "kind" and value.lower() not in ("inner", "outer"):
            raise Refused("UnsupportedUnionKind", f'The union kind "{value}" is not supported or not allowed.')
    names = []
    for leg in _split(rest, ","):
        reading.union_legs += 1
        if not leg:
            raise Refused("ParserFailure", "A union leg is empty.")
        if leg[0].text == "(":
            inner, after = _parenthesised(leg)
            names.append(_pipeline(inner, reading, tables))
        else:
            names.append(reading.note_table(leg[0], tables))
            after = leg[1:]
        if after:
            raise _unexpected(after[0])
    return names[0]


def _expansion(stage: Sequence[Token], rest: Sequence[Token], reading: Reading) -> None:
    reading.expansions += 1
    if stage[0].word == "mvexpand":
        # The service still takes the legacy spelling; the evaluator knows the new one only.
        reading.edits.append((stage[0].start, stage[0].end, "mv-expand"))
    for at, token in enumerate(rest[:-1]):
        if token.word == "limit" and rest[at + 1].kind == "number":
            if int(rest[at + 1].text) > ROW_LIMIT_MOST:
                raise Refused(
                    "DisallowedMvExpandRowLimit", f"The row limit of mv-expand may be {ROW_LIMIT_MOST} at most."
                )
            return
    reading.edits.append((stage[-1].end, stage[-1].end, f" limit {ROW_LIMIT_DEFAULT}"))


def _options(tokens: Sequence[Token]) -> tuple[list[tuple[str, str]], Sequence[Token]]:
    """`kind=inner hint.strategy=broadcast …` at the front of an operator."""
    options: list[tuple[str, str]] = []
    while True:
        at = 1
        while at + 1 < len(tokens) and tokens[at].text == ".":
            at += 2
        if at + 1 >= len(tokens) or tokens[0].kind != "word" or tokens[at].text != "=":
            return options, tokens
        options.append(("".join(token.text for token in tokens[:at]).lower(), tokens[at + 1].text))
        tokens = tokens[at + 2 :]


def _subqueries(tokens: Sequence[Token], reading: Reading, tables: frozenset[str]) -> None:
    """Every parenthesis that holds a pipe is a pipeline of its own: `in ((resources | project id))`."""
    at = 0
    while at < len(tokens):
        if tokens[at].text != "(":
            at += 1
            continue
        inner, rest = _parenthesised(tokens[at:])
        if len(list(_split(inner, "|"))) > 1:
            _pipeline(inner, reading, tables)
        else:
            _subqueries(inner, reading, tables)
        at = len(tokens) - len(rest)


def _split(tokens: Sequence[Token], sign: str) -> Iterator[Sequence[Token]]:
    depth, begin = 0, 0
    for at, token in enumerate(tokens):
        if token.kind != "sign":
            continue
        depth += (token.text in "([{") - (token.text in ")]}")
        if depth < 0:
            raise _unexpected(token)
        if depth == 0 and token.text == sign:
            yield tokens[begin:at]
            begin = at + 1
    if depth:
        raise Refused("ParserFailure", "A parenthesis is not closed.")
    yield tokens[begin:]


def _parenthesised(tokens: Sequence[Token]) -> tuple[Sequence[Token], Sequence[Token]]:
    """What the parenthesis at the front holds, and what follows it."""
    depth = 0
    for at, token in enumerate(tokens):
        if token.kind == "sign":
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0:
                return tokens[1:at], tokens[at + 1 :]
    raise Refused("ParserFailure", "A parenthesis is not closed.")


def _unexpected(token: Token) -> Refused:
    return Refused("ParserFailure", f"Unexpected '{token.text}' at character {token.start + 1}.")


_TOKEN = re.compile(
    r"""(?P<blank>\s+|//[^\n]*)
      | (?P<text>[hH]?(?:@"(?:[^"]|"")*"|@'(?:[^']|'')*'|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|```.*?```))
      | (?P<number>\d[\w.]*)
      | (?P<word>[A-Za-z_$][\w$]*)
      | (?P<sign>[|()\[\]{},;.=<>!~+\-*/%:?])""",
    re.VERBOSE | re.DOTALL,
)


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Refused("ParserFailure", f"Unexpected '{text[at]}' at character {at + 1}.")
        at = match.end()
        if match.lastgroup is not None and match.lastgroup != "blank":
            yield Token(match.lastgroup, match.group(), match.start(), match.end())
