"""What a waiver accepts: one finding, a check on some resources, or whatever carries a tag."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from auditor.findings import Finding
from auditor.values import fold

TagsOf = Callable[[str], Mapping[str, str] | None]
"""The tags of a resource by its id; None if they were not read."""


@dataclass(frozen=True, slots=True)
class ByFinding:
    """The finding with this id."""

    finding_id: str

    def covers(self, finding: Finding, tags_of: TagsOf) -> bool:
        """Whether this selects the finding."""
        return finding.id == self.finding_id

    def concerns(self, checks: Mapping[str, int]) -> bool:
        """Whether a run of these checks could have made such a finding."""
        return True

    def __str__(self) -> str:
        return f"finding {self.finding_id}"


@dataclass(frozen=True, slots=True)
class ByCheck:
    """Findings of the checks that match `check` about the resources that match `resource`.

    In `resource`, `*` and `?` stay within one segment of the id, and `**` crosses segments; case does not matter.
    """

    check: str
    resource: str

    def covers(self, finding: Finding, tags_of: TagsOf) -> bool:
        """Whether this selects the finding."""
        return _is_check(self.check, finding.check) and matches(self.resource, finding.resource.id)

    def concerns(self, checks: Mapping[str, int]) -> bool:
        """Whether a run of these checks could have made such a finding."""
        return not checks or any(_is_check(self.check, check) for check in checks)

    def __str__(self) -> str:
        return f"check {self.check} of {self.resource}"


@dataclass(frozen=True, slots=True)
class ByTag:
    """Findings about resources with this tag, of the checks that match `check`.

    Azure compares names of tags without case and values with it. `value` None accepts any value.
    """

    name: str
    value: str | None
    check: str = "*"

    def covers(self, finding: Finding, tags_of: TagsOf) -> bool:
        """Whether this selects the finding; tags that were not read select nothing."""
        if not _is_check(self.check, finding.check):
            return False
        return any(
            name.casefold() == self.name.casefold() and self.value in (None, value)
            for name, value in (tags_of(finding.resource.id) or {}).items()
        )

    def concerns(self, checks: Mapping[str, int]) -> bool:
        """Whether a run of these checks could have made such a finding."""
        return not checks or any(_is_check(self.check, check) for check in checks)

    def __str__(self) -> str:
        value = "" if self.value is None else f"={self.value}"
        return f"tag {self.name}{value}" + ("" if self.check == "*" else f" and check {self.check}")


@dataclass(frozen=True, slots=True)
class WaiverRule:
    """One accepted deviation. It holds through the day `expires` (UTC). `place` says where it is written."""

    selects: ByFinding | ByCheck | ByTag
    owner: str
    reason: str
    expires: date
    place: str

    def expired(self, today: date) -> bool:
        """Whether its last day is over."""
        return today > self.expires


def matches(pattern: str, resource_id: str) -> bool:
    """Whether a resource id matches a glob of ids."""
    return _compiled(fold(pattern)).fullmatch(fold(resource_id)) is not None


def _is_check(pattern: str, check: str) -> bool:
    return fnmatch.fnmatchcase(check, pattern)


@functools.lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    meanings = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    return re.compile("".join(meanings.get(part, re.escape(part)) for part in parts), re.DOTALL)
