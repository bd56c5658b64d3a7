"""What a live scan asks once its verdicts are known: is a failure real, and who made it so.

`confirm` has what decides a new or changed failure read again from ARM. `attribute` finds among recorded changes those
that made a finding what it is. Neither speaks to Azure: `reading.read` (ARM) and `feeds.records_for` (Resource Graph's
change feed, the activity log) do, over a `Link`; only importing these two modules imports Azure's SDKs.
"""

from auditor.confirm.changes import ChangeRecord, attribute, recorded
from auditor.confirm.confirming import INDEX_LAG, MOST_READS, Judged, Overrides, alarming, confirm
from auditor.confirm.link import Link, linked, together
from auditor.confirm.targets import MOST_READS_OF_ONE, targets_of

__all__ = [
    "INDEX_LAG",
    "MOST_READS",
    "MOST_READS_OF_ONE",
    "ChangeRecord",
    "Judged",
    "Link",
    "Overrides",
    "alarming",
    "attribute",
    "confirm",
    "linked",
    "recorded",
    "targets_of",
    "together",
]
