"""The activity log's `$filter`: which events meet a condition."""

from collections.abc import Mapping
from datetime import datetime

from auditor.replica.estate import Body


def meets(event: Body, name: str, sign: str, value: str) -> bool:
    """Whether an event meets one condition; times compare as times, names without case."""
    keys = {
        "eventtimestamp": "eventTimestamp", "resourcegroupname": "resourceGroupName", "resourceuri": "resourceId",
        "resourceid": "resourceId", "resourceprovider": "resourceProviderName", "correlationid": "correlationId",
        "caller": "caller",
    }  # fmt: skip
    if name == "eventtimestamp":
        found, bound = _moment(str(event.get("eventTimestamp", ""))), _moment(value)
        if found is None or bound is None:
            return False
        return found >= bound if sign == "ge" else found <= bound
    shown = event.get(keys.get(name, name), "")
    if isinstance(shown, Mapping):
        shown = shown.get("value", "")
    return str(shown).lower() == value.lower()


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text if "T" in text and text.endswith(("Z", "z")) else text + "Z")
    except ValueError:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return None
