"""Who did what: one line of JSON a deed on the logger `auditor.service.audit`.

Everything that comes from outside is a JSON string in ASCII, so that no name can begin a line of its own or hide one.
"""

from __future__ import annotations

import json
import logging

_log = logging.getLogger("auditor.service.audit")
_LONGEST = 300


def note(action: str, *, by: str, address: str, status: int | None = None, **what: str | int | None) -> None:
    """Write one deed down: what (`scan.ask`, `run.pin`, `read`), by whom, from which address, and with what success."""
    line = {"action": action, "by": by, "from": address, "status": status, **what}
    _log.info("%s", json.dumps({key: _short(value) for key, value in line.items() if value is not None}))


def _short(value: str | int | None) -> str | int | None:
    return value[:_LONGEST] + "…" if isinstance(value, str) and len(value) > _LONGEST else value
