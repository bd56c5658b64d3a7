"""The table of `docs/cures.md`, from the cases: for each check and shape of command how it is shown to cure."""

from __future__ import annotations

from tests.cures import cases

_HEAD = ("check", "command", "cured through the SDKs", "cured by the real `az`")


def table() -> str:
    """A line for each check and shape of command, as Markdown."""
    lines = [f"| {' | '.join(_HEAD)} |", f"|{' --- |' * len(_HEAD)}"]
    for check in sorted({check for check, _ in cases.EVERY_TIME}):
        shown: dict[str, list[str]] = {}
        for key, reason in {**cases.EVERY_TIME, **cases.AT_LENGTH}.items():
            if key[0] == check:
                for argv in cases.commands(key, reason):
                    shown.setdefault(cases.shape(argv), []).append(reason)
        for shape, reasons in sorted(shown.items()):
            with_az = "yes" if (check, shape) in cases.WITH_AZ else "untried"
            if not cases.in_bare_cli(("az", *shape.split())):
                with_az = "untested: needs an extension"
            told = ", ".join(f"`{reason}`" for reason in sorted(set(reasons)))
            lines.append(f"| `{check}` | `az {shape}` | yes: {told} | {with_az} |")
    for check, why in sorted(cases.BY_HAND.items()):
        lines.append(f"| `{check}` | | prose: {why} | |")
    return "\n".join(lines) + "\n"
