"""Log lines on standard error, as text or as one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the exception's text where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = f"{type(record.exc_info[1]).__name__}: {record.exc_info[1]}"
        return json.dumps(line, ensure_ascii=False)


class TextLines(logging.Formatter):
    """One line of text; a line break in a message would let a resource's name forge the next one."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\r", "\\r").replace("\n", "\\n")


def set_up(log_format: Literal["text", "json"] | str, *, quiet: bool = False) -> None:
    """Send this program's log lines to standard error, and keep the SDKs from talking over them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.ERROR if quiet else logging.INFO)
    # At INFO azure-core writes 17 lines a request; a failed credential chain logs what it raises as well.
    for name, level in (("azure", logging.WARNING), ("azure.identity", logging.ERROR)):
        logging.getLogger(name).setLevel(level)
    for name in ("urllib3", "msal", "apscheduler", "alembic", "sqlalchemy", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)
