"""The demonstration: a sample estate behind the replica, three nights, and what drifted between them.

`run` starts the replica in this process, scans it over TLS with the real SDK clients, lets the estate drift, scans
again, and writes the reports. The estate is told in `docs/sample-estate.md`.
"""

from auditor.demo.nights import CLOUDS, NIGHTS, DemoResult, estate_path, run
from auditor.demo.telling import TableRequests

__all__ = ["CLOUDS", "NIGHTS", "DemoResult", "TableRequests", "estate_path", "run"]
