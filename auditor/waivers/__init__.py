"""Waivers: accepted deviations from a reviewed file, each with owner, reason and expiry. None hides a finding."""

from auditor.waivers.applying import apply
from auditor.waivers.reading import WaiverProblem, check, load
from auditor.waivers.rules import ByCheck, ByFinding, ByTag, WaiverRule

__all__ = ["ByCheck", "ByFinding", "ByTag", "WaiverProblem", "WaiverRule", "apply", "check", "load"]
