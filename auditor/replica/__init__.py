"""The other side of the wire: a loopback Azure that the real SDK clients talk to over TLS.

It plays the token endpoint, Azure Resource Manager, Resource Graph, Microsoft Graph and the Logs Ingestion API for one
estate, with the services' habits and, on demand, their faults. It shares no code with the collector, so that two
readings of the same protocol meet. `docs/replica.md` tells what it answers and what is assumed.
"""

from auditor.replica.estate import Estate, EstateProblem, load
from auditor.replica.faults import FaultPlan
from auditor.replica.logs import Upload
from auditor.replica.server import Replica, RequestRecord, serve
from auditor.replica.throttling import Quota

__all__ = ["Estate", "EstateProblem", "FaultPlan", "Quota", "Replica", "RequestRecord", "Upload", "load", "serve"]
