"""Where the history lies when nobody says so."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "AUDITOR_HISTORY"


def history_url(environ: Mapping[str, str]) -> str:
    """AUDITOR_HISTORY, or an SQLite file `history.sqlite` in the user's data directory."""
    given = environ.get(VARIABLE, "").strip()
    return given or f"sqlite:///{data_directory(environ) / 'history.sqlite'}"


def data_directory(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """The user's directory for this program's data, by each system's own convention."""
    home = Path(environ.get("HOME") or os.path.expanduser("~"))
    if platform == "darwin":
        return home / "Library" / "Application Support" / "auditor"
    if platform == "win32":
        local = environ.get("LOCALAPPDATA")
        return (Path(local) if local else home / "AppData" / "Local") / "auditor"
    # The XDG specification has relative values ignored.
    xdg = environ.get("XDG_DATA_HOME", "")
    return (Path(xdg) if xdg.startswith("/") else home / ".local" / "share") / "auditor"
