"""One call of the program: the environment it was made in, and what it says to the person at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditor.config import Settings, load_settings

if TYPE_CHECKING:
    from auditor.cli.progress import Display


@dataclass(frozen=True, slots=True)
class Call:
    """What a command may know of the world around it."""

    environment: Mapping[str, str]
    working_directory: Path

    def settings(self, flags: Mapping[str, Any]) -> Settings:
        """The settings of file, environment and these flags; logging is set up as they say."""
        settings = load_settings(flags, self.environment, self.working_directory)
        from auditor.cli.logs import set_up

        set_up(settings.log_format, quiet=settings.quiet)
        return settings

    def clock(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)

    def say(self, text: str = "", *, quiet: bool = False) -> None:
        """A line to the person at the terminal (standard error), unless asked to be quiet."""
        if not quiet:
            print(text, file=sys.stderr)

    def display(self, *, quiet: bool = False) -> Display:
        """How far long work is: a bar on a terminal, plain lines elsewhere, nothing when quiet."""
        from auditor.cli.progress import display

        return display(quiet=quiet, bars=sys.stderr.isatty() and self.environment.get("TERM") != "dumb")

    @property
    def colour(self) -> bool:
        """Whether standard error may be coloured: a terminal, and nobody set NO_COLOR."""
        return sys.stderr.isatty() and not self.environment.get("NO_COLOR")
