"""The run's cloud by the names that people and the Azure CLI have for it."""

from __future__ import annotations

from auditor.clouds import PROFILES, PUBLIC
from auditor.findings import Report
from auditor.report.legible import legible


def cloud_name(report: Report) -> str:
    """The cloud as people call it."""
    profile = PROFILES.get(report.run.cloud)
    return profile.title if profile else legible(report.run.cloud)


def az_cloud_name(report: Report) -> str:
    """What `az cloud set --name` takes, for a cloud that the Azure CLI does not speak to of itself."""
    profile = PROFILES.get(report.run.cloud)
    return profile.az_name or "" if profile and profile.az_name != PUBLIC.az_name else ""
