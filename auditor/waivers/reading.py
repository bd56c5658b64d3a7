"""The waiver file, TOML or JSON: read strictly, every problem told at once with its line."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from auditor.errors import ManyProblems, UsageProblem
from auditor.waivers.places import json_lines, toml_lines
from auditor.waivers.rules import ByCheck, ByFinding, ByTag, WaiverRule

VERSION = 1
_SELECTORS = ("finding", "resource", "tag")
_KEYS = ("finding", "check", "resource", "tag", "owner", "reason", "expires")
_FINDING_ID = re.compile(r"[0-9a-f]{20}")
_CHECK_GLOB = re.compile(r"[a-z0-9*?\[\]!-]+")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOST_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class WaiverProblem:
    """One thing wrong with a waiver file; `line` is None where it concerns the file, or cannot be told."""

    line: int | None
    text: str

    def __str__(self) -> str:
        return self.text if self.line is None else f"line {self.line}: {self.text}"


def load(path: Path, known_checks: Iterable[str] | None = None) -> tuple[WaiverRule, ...]:
    """The waivers of a file. Raises ManyProblems with everything wrong with it."""
    rules, problems = _read(path, known_checks)
    if problems:
        raise ManyProblems(UsageProblem(_told(path, problem)) for problem in problems)
    return rules


def _told(path: Path, problem: WaiverProblem) -> str:
    return f"{path}: {problem.text}" if problem.line is None else f"{path}, line {problem.line}: {problem.text}"


def check(path: Path, known_checks: Iterable[str] | None = None) -> tuple[WaiverProblem, ...]:
    """Everything wrong with a waiver file, in the order of its lines; nothing if it is good.

    `known_checks` are the ids that a check's name or glob must fit (None: any will do).
    """
    return _read(path, known_checks)[1]


def _read(path: Path, known_checks: Iterable[str] | None) -> tuple[tuple[WaiverRule, ...], tuple[WaiverProblem, ...]]:
    try:
        text = _text(path)
        document, lines = _parsed(path, text)
    except _Unreadable as error:
        return (), (error.problem,)
    reader = _Reader(path.name, tuple(known_checks) if known_checks is not None else None)
    rules = reader.document(document, lines)
    return rules, tuple(sorted(reader.problems, key=lambda problem: problem.line or 0))


class _Unreadable(Exception):
    def __init__(self, text: str, line: int | None = None) -> None:
        super().__init__(text)
        self.problem = WaiverProblem(line, text)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise _Unreadable(f"cannot be read: {error.strerror or error}") from error
    if len(raw) > _MOST_BYTES:
        raise _Unreadable(f"larger than {_MOST_BYTES:,} bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Unreadable(f"not UTF-8 text (byte {error.start})") from error


def _parsed(path: Path, text: str) -> tuple[Mapping[str, Any], Sequence[int]]:
    if path.suffix.casefold() == ".json":
        try:
            document = json.loads(text, object_pairs_hook=_without_doubles)
        except json.JSONDecodeError as error:
            raise _Unreadable(f"not JSON: {error.msg.lower()}", error.lineno) from error
        except RecursionError as error:
            raise _Unreadable("not a waiver file: nested too deeply") from error
        if not isinstance(document, dict):
            raise _Unreadable("not a JSON object with `version` and `waivers`")
        return document, json_lines(text)
    if path.suffix.casefold() != ".toml":
        raise _Unreadable(f"named {path.suffix or 'without a suffix'}; a waiver file ends in .toml or .json")
    try:
        return tomllib.loads(text), toml_lines(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        said = re.sub(r" \(at .*\)$", "", str(error))
        raise _Unreadable(f"not TOML: {said[:1].lower()}{said[1:]}", int(found[1]) if found else None) from error
    except RecursionError as error:
        raise _Unreadable("not a waiver file: nested too deeply") from error


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    doubled = sorted({key for key in keys if keys.count(key) > 1})
    if doubled:
        raise _Unreadable(f"the key `{doubled[0]}` stands twice in one object")
    return dict(pairs)


class _Reader:
    """Reads entries and collects what is wrong with them."""

    def __init__(self, name: str, known_checks: tuple[str, ...] | None) -> None:
        self.problems: list[WaiverProblem] = []
        self._name = name
        self._known_checks = known_checks
        self._line: int | None = None

    def document(self, document: Mapping[str, Any], lines: Sequence[int]) -> tuple[WaiverRule, ...]:
        """The rules of a whole file; incomplete if there are problems."""
        for key in document.keys() - {"version", "waivers", "$schema"}:
            self._says(f"unknown key `{key}`{_near(key, ('version', 'waivers'))}")
        version = document.get("version")
        if version != VERSION or isinstance(version, bool):
            self._says("`version` is missing; write version = 1" if version is None else "`version` must be 1")
        entries = document.get("waivers", [])
        if not isinstance(entries, list):
            self._says("`waivers` must be a list")
            return ()
        known = lines if len(lines) == len(entries) else [None] * len(entries)
        rules = []
        for number, (entry, line) in enumerate(zip(entries, known, strict=True), start=1):
            self._line = line
            place = f"{self._name}, line {line}" if line is not None else f"{self._name}, waiver {number}"
            if (rule := self._rule(entry, place)) is not None:
                rules.append(rule)
        return tuple(rules)

    def _rule(self, entry: object, place: str) -> WaiverRule | None:
        before = len(self.problems)
        if not isinstance(entry, dict):
            self._says("a waiver must be a table")
            return None
        for key in entry.keys() - set(_KEYS):
            self._says(f"unknown key `{key}`{_near(key, _KEYS)}")
        owner, reason = self._words(entry, "owner"), self._words(entry, "reason")
        expires = self._expiry(entry)
        selects = self._selector(entry)
        if len(self.problems) > before or selects is None or expires is None:
            return None
        return WaiverRule(selects, owner, reason, expires, place)

    def _selector(self, entry: Mapping[str, Any]) -> ByFinding | ByCheck | ByTag | None:
        given = [key for key in _SELECTORS if key in entry]
        if len(given) != 1:
            what = " and ".join(f"`{key}`" for key in given) or "nothing"
            self._says(f"must select by one of `finding`, `check` with `resource`, or `tag`, but has {what}")
            return None
        if given == ["finding"]:
            return self._by_finding(entry)
        check_ = self._check(entry, required=given == ["resource"])
        if given == ["resource"]:
            resource = entry["resource"]
            if not isinstance(resource, str) or not resource.startswith(("/", "**")):
                self._says(
                    "`resource` must be a resource id or a glob of ids, such as /subscriptions/*/resourceGroups/ml/**"
                )
                return None
            return ByCheck(check_, resource)
        return self._by_tag(entry["tag"], check_)

    def _by_finding(self, entry: Mapping[str, Any]) -> ByFinding | None:
        finding_id = entry["finding"]
        if "check" in entry:
            self._says("`finding` alone selects; leave out `check`")
        if not isinstance(finding_id, str) or not _FINDING_ID.fullmatch(finding_id):
            self._says("`finding` must be a finding's id: 20 hex digits, lower case")
            return None
        return ByFinding(finding_id)

    def _by_tag(self, tag: object, check_: str) -> ByTag | None:
        if not isinstance(tag, dict) or not isinstance(tag.get("name"), str) or not tag["name"].strip():
            self._says('`tag` must be a table with a `name`, such as tag = { name = "audit", value = "exempt" }')
            return None
        for key in tag.keys() - {"name", "value"}:
            self._says(f"unknown key `{key}` in `tag`{_near(key, ('name', 'value'))}")
        value = tag.get("value")
        if value is not None and not isinstance(value, str):
            self._says("the `value` of `tag` must be text")
            return None
        return ByTag(tag["name"], value, check_)

    def _check(self, entry: Mapping[str, Any], *, required: bool) -> str:
        pattern = entry.get("check", None if required else "*")
        if not isinstance(pattern, str) or not _CHECK_GLOB.fullmatch(pattern):
            self._says(
                "`check` is missing" if pattern is None else "`check` must be a check's id or a glob of ids, lower case"
            )
            return "*"
        if self._known_checks is not None and not ByCheck(pattern, "").concerns(dict.fromkeys(self._known_checks, 1)):
            self._says(f"no check matches `{pattern}`{_near(pattern, self._known_checks)}")
        return pattern

    def _words(self, entry: Mapping[str, Any], key: str) -> str:
        words = entry.get(key)
        if not isinstance(words, str) or not words.strip():
            self._says(f"`{key}` is missing" if words is None else f"`{key}` must be text that is not empty")
            return ""
        return words.strip()

    def _expiry(self, entry: Mapping[str, Any]) -> date | None:
        value = entry.get("expires")
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        if isinstance(value, str) and _DAY.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        self._says("`expires` is missing" if value is None else "`expires` must be a day, such as 2027-03-31")
        return None

    def _says(self, text: str) -> None:
        self.problems.append(WaiverProblem(self._line, text))


def _near(found: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(found, list(known), n=1)
    return f"; did you mean `{near[0]}`?" if near else ""
