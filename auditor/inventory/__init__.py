"""Rows to typed resources and indexes. "Not read" is a value of a type of its own here, never None."""

from auditor.inventory.build import Builder, gaps_for_broken
from auditor.inventory.coverage import Coverage
from auditor.inventory.inventory import AUDITED, Configured, Inventory, Malformed
from auditor.inventory.rows import BrokenLine, Header, Row, header_line, open_snapshot, read_rows

__all__ = [
    "AUDITED", "BrokenLine", "Builder", "Configured", "Coverage", "Header", "Inventory", "Malformed", "Row",
    "gaps_for_broken", "header_line", "open_snapshot", "read_rows",
]  # fmt: skip
