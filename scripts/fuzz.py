"""Atheris, guided by coverage, on one target of `tests/fuzz/targets.py`: `python scripts/fuzz.py TARGET SECONDS`.

New inputs go to a folder of their own below `.fuzz`, which git ignores; what is worth keeping is copied to
`tests/fuzz/corpus/TARGET` by hand. A defect is printed with its traceback, and its bytes are left in `.fuzz`.
"""

from __future__ import annotations

import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]


def main() -> None:
    """Fuzz until the time is over or a defect is found."""
    if len(sys.argv) != 3 or not sys.argv[2].isdigit():
        raise SystemExit("error: say `python scripts/fuzz.py TARGET SECONDS`")
    name, seconds = sys.argv[1], sys.argv[2]
    try:
        import atheris
    except ImportError:
        raise SystemExit(
            "error: atheris is not installed\n  hint: pip install --require-hashes -r requirements/fuzz.txt"
            " (CPython 3.11, Linux, x86_64)"
        ) from None
    sys.path.insert(0, str(TOP))
    with atheris.instrument_imports(include=["auditor"]):
        from tests.fuzz.targets import TARGETS, tried
    if name not in TARGETS:
        raise SystemExit(f"error: no target `{name}`; known are {', '.join(TARGETS)}")
    found = TOP / ".fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    flags = [
        f"-max_total_time={seconds}",
        f"-artifact_prefix={found.parent}/{name}-",
        "-timeout=30",
        "-print_final_stats=1",
    ]
    atheris.Setup(
        [sys.argv[0], *flags, str(found), str(TOP / "tests" / "fuzz" / "corpus" / name)], lambda data: tried(name, data)
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
