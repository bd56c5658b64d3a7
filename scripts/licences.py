"""The licences of what the pins install, as their packages state them.

    python scripts/licences.py [requirements/runtime.txt …]

Reads the metadata in the running environment: a Markdown table of name, version and licence; a pinned package that is
not installed here is listed as such. It states what packages say of themselves; it is no legal advice.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)


def pinned(path: Path) -> Iterator[str]:
    """The names that a file of pins holds."""
    return (found[1] for found in _PIN.finditer(path.read_text(encoding="utf-8")))


def licence(name: str) -> tuple[str, str]:
    """An installed package's version and licence: its SPDX expression, else its classifiers, else its own words."""
    try:
        stated = metadata(name)
    except PackageNotFoundError:
        return "", "not installed here"
    classified = [
        each.rsplit(" :: ", 1)[1] for each in stated.get_all("Classifier") or [] if each.startswith("License ::")
    ]
    words = "".join(stated.get_all("License") or []).strip().splitlines()
    said = (
        "".join(stated.get_all("License-Expression") or [])
        or ", ".join(classified)
        or (words[0] if words else "not stated")
    )
    return stated["Version"], said


def main() -> None:
    """Print the table."""
    files = [Path(each) for each in sys.argv[1:]] or [Path("requirements/runtime.txt")]
    names = sorted({name for path in files for name in pinned(path)}, key=str.casefold)
    print("| package | version | licence |\n| --- | --- | --- |")
    for name in names:
        version, said = licence(name)
        print(f"| {name} | {version} | {said.replace('|', '/')} |")


if __name__ == "__main__":
    main()
