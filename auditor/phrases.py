"""Texts that are facts of a message: said in another language where the program made them, else left alone.

A reason for not knowing (`its region is not in its data`) reaches a message as a fact. Most are constants; some hold a
name or a number. The catalogue has those as patterns with numbered places (`its {0} range is not in its data`): a text
is held against them, and what stands in the places is said in its turn. Names, ids and values come from Azure and fit
no pattern; what fits none is shown as it is.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

_PLACE = re.compile(r"\{(\d+)\}")
_LETTERS = re.compile(r"[A-Za-z]")
_DEPTH = 4  # a reason within a reason within a reason
_LONGEST = 2_000  # characters of a text that is looked at
_WEAK = 12  # letters; a pattern that begins with a place and has fewer (`{0} of {1}`) could fit somebody's own words


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A text with places: `regex` has a group a place, in the order of `places`; `hint` is its longest literal."""

    regex: re.Pattern[str]
    places: tuple[int, ...]
    hint: str
    translation: str
    letters: int
    weak: bool


class Phrases:
    """The constant texts of one language, and its patterns."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = dict(texts)
        self._english = {text: key for key, text in reversed(self._texts.items()) if "{" not in key}
        fragments = [key for key in texts if key[:1] in " ,;" and len(key) > 1]
        endings = "|".join(_source(key, "(?:.+?)") for key in sorted(fragments, key=len, reverse=True))
        self._ending = re.compile(rf"(?P<base>.+?)(?P<ending>(?:{endings})+)", re.DOTALL) if endings else None
        self._patterns = sorted(
            (_pattern(key, text, endings) for key, text in texts.items() if _PLACE.search(key)),
            key=lambda pattern: -pattern.letters,
        )
        self.said = functools.lru_cache(maxsize=65_536)(self._said)

    def constant(self, text: str) -> str | None:
        """A constant text or template in this language; None where it has none."""
        return self._texts.get(text)

    def original(self, text: str) -> str:
        """The English of a constant text; itself where there is none."""
        return self._english.get(text, text)

    def _said(self, text: str, depth: int = _DEPTH) -> str:
        known = self._texts.get(text)
        if known is not None:
            return known
        if " " not in text or len(text) > _LONGEST or depth == 0:
            return text
        return (
            self._by_pattern(text, depth, weak=False)
            or self._by_ending(text, depth)
            or self._by_parts(text, depth, (("; ", "；"), (": ", "：")))
            or self._by_pattern(text, depth, weak=True)
            or self._by_parts(text, depth, ((", ", "、"),))
            or text
        )

    def _by_pattern(self, text: str, depth: int, *, weak: bool) -> str | None:
        for pattern in self._patterns:
            if pattern.weak is not weak or pattern.hint not in text:
                continue
            found = pattern.regex.fullmatch(text)
            if found is None or (weak and not _names(found.groups(), self._texts)):
                continue
            values = [self._said(value, depth - 1) for value in found.groups(default="")]
            return _put(pattern.translation, dict(zip(pattern.places, values, strict=True)))
        return None

    def _by_ending(self, text: str, depth: int) -> str | None:
        """A text with a fragment at its end: ` through group platform`."""
        found = self._ending.fullmatch(text) if self._ending else None
        if found is None:
            return None
        base, ending = found["base"], found["ending"]
        said = self._texts.get(ending) or self._by_pattern(ending, depth, weak=False) or ending
        return self._said(base, depth - 1) + said if said != ending else None

    def _by_parts(self, text: str, depth: int, marks: Iterable[tuple[str, str]]) -> str | None:
        """A text of several texts, if any of them is known."""
        for mark, stop in marks:
            if mark not in text:
                continue
            parts = text.split(mark, 1) if mark == ": " else text.split(mark)
            said = [self._said(part, depth - 1) for part in parts]
            if said != parts:
                return stop.join(said)
        return None


def _put(translation: str, values: Mapping[int, str]) -> str:
    """The translation with its places filled."""
    said = _PLACE.sub(lambda place: values[int(place[1])], translation)
    return said.replace("{{", "{").replace("}}", "}")


def _names(values: Iterable[str | None], known: Container[str]) -> bool:
    """Whether the places of a weak pattern hold what a sentence of ours has there: names, our texts, ids."""
    given = [value or "" for value in values]
    plain = [value in known or " " not in re.sub(r" \([^)]*\)$", "", value) for value in given]
    return all(plain) or (plain[-1] and given[-1].startswith("/"))


def _source(key: str, place: str) -> str:
    return "".join(
        place if _PLACE.fullmatch(part) else re.escape(part.replace("{{", "{").replace("}}", "}"))
        for part in re.split(r"(\{\d+\})", key)
    )


def _pattern(key: str, translation: str, endings: str) -> _Pattern:
    parts = [part for part in re.split(r"(\{\d+\})", key) if part]
    regex, places, literals = [], [], [""]
    for at, part in enumerate(parts):
        place = _PLACE.fullmatch(part)
        if place is None:
            literals.append(part.replace("{{", "{").replace("}}", "}"))
            regex.append(re.escape(literals[-1]))
            continue
        places.append(int(place[1]))
        follows = at > 0 and _PLACE.fullmatch(parts[at - 1])
        regex.append(f"((?:{endings})*)" if follows and endings else "(.+?)")
    letters = sum(len(_LETTERS.findall(literal)) for literal in literals)
    return _Pattern(
        re.compile("".join(regex), re.DOTALL),
        tuple(places),
        max(literals, key=len),
        translation,
        letters,
        letters < _WEAK and _PLACE.match(key) is not None,
    )
