"""The service: scans on schedules and on demand until it is told to stop, and shows the state.

`auditor.service.run` puts it together. Nothing of the HTTP side (litestar, uvicorn, jwt) is imported before it is
asked for.
"""

from auditor.service.loop import Failed, Interrupted, Night, Tally
from auditor.service.nightly import serve, serve_plans
from auditor.service.plans import Plan, read_plans
from auditor.service.schedule import Schedule, parse_schedule

__all__ = [
    "Failed",
    "Interrupted",
    "Night",
    "Plan",
    "Schedule",
    "Tally",
    "parse_schedule",
    "read_plans",
    "serve",
    "serve_plans",
]
