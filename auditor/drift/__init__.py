"""Drift: how a run's findings differ from those of its baseline, decided finding by finding.

`compare` fills a report's drift against what the history (or a report file) says of the baseline; `diff` compares two
reports that know nothing but themselves.
"""

from auditor.drift.absence import Absence, Absences
from auditor.drift.against import Against, Known, Seen, effect_digest, from_report
from auditor.drift.compare import compare, diff
from auditor.drift.gone import TEMPLATES, is_carried, is_over
from auditor.drift.reading import was_read

__all__ = [
    "TEMPLATES",
    "Absence",
    "Absences",
    "Against",
    "Known",
    "Seen",
    "compare",
    "diff",
    "effect_digest",
    "from_report",
    "is_carried",
    "is_over",
    "was_read",
]
