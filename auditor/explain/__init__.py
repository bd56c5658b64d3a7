"""Why a verdict is what it is, and what would become of a packet: told step by step.

- `sections(trace, speaker)`: the recorded trace of a finding, by question and by place, in words. Nothing is decided
  anew: what is told is what decided.
- `what_if(inventory, packet)`: one packet on its way through the groups and routes of the estate.
"""

from auditor.explain.packet import Asked, parse_packet
from auditor.explain.telling import Section, Speaks, Step, sections
from auditor.explain.what_if import Explained, Stage, what_if

__all__ = [
    "Asked",
    "Explained",
    "Section",
    "Speaks",
    "Stage",
    "Step",
    "parse_packet",
    "sections",
    "what_if",
]
