"""Where the catalogue (`checks/`) and what reports look like (`reports/`) lie: inside a wheel or beside a checkout."""

from pathlib import Path
from typing import Literal


def root(name: Literal["checks", "reports"]) -> Path:
    """The folder `checks` or `reports` of this installation.

    A wheel carries them as `auditor/_checks` and `auditor/_reports`, so that nothing of a general name lands at the
    top of anyone's site-packages; a checkout has them beside the package.
    """
    package = Path(__file__).resolve().parent
    inside, beside = package / f"_{name}", package.parent / name
    if inside.is_dir():
        return inside
    if beside.is_dir() and (package.parent / "pyproject.toml").is_file():
        return beside
    raise FileNotFoundError(f"this installation lacks its `{name}` folder: {inside}")
