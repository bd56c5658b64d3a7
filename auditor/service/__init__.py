"""The nightly service: scans on a schedule until it is told to stop."""

from auditor.service.nightly import Night, Tally, serve
from auditor.service.schedule import Schedule, parse_schedule

__all__ = ["Night", "Schedule", "Tally", "parse_schedule", "serve"]
