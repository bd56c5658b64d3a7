"""How an entry of a role's `actions` matches an operation's name (requirements 8.3).

Without case; `*` stands for any run of characters, slashes included, also for none. There is no matching by prefix
without a `*`: `Microsoft.Network` grants nothing.
"""

from __future__ import annotations

import functools

# Azure's role of that name (Managed Identity Operator) grants `…/*/assign/action`, its error texts ask for
# `…/assign/action`. Whether the one grants the other could not be verified (requirements 12), so it decides nothing.
_DOUBTFUL = frozenset(
    {
        (
            "microsoft.managedidentity/userassignedidentities/*/assign/action",
            "microsoft.managedidentity/userassignedidentities/assign/action",
        )
    }
)


@functools.lru_cache(maxsize=131_072)
def matches(pattern: str, operation: str) -> bool:
    """Whether the operation's name is one that the pattern stands for.

    Found by looking for the pieces between the stars from left to right, so that no pattern, however many stars a
    hostile role puts into it, takes more than one pass over the name for each piece.
    """
    wanted, name = pattern.casefold(), operation.casefold()
    if "*" not in wanted:
        return wanted == name
    first, *middle, last = wanted.split("*")
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    position, end = len(first), len(name) - len(last)
    for piece in middle:
        found = name.find(piece, position, end)
        if found < 0:
            return False
        position = found + len(piece)
    return True


def doubtful(pattern: str, operation: str) -> bool:
    """Whether it is not known if Azure lets this pattern grant this operation: such a pair is neither yes nor no."""
    return (pattern.casefold(), operation.casefold()) in _DOUBTFUL


def may_reach(pattern: str, provider: str) -> bool:
    """Whether the pattern can stand for some operation of the provider (`Microsoft.KeyVault`)."""
    start, star, _ = pattern.casefold().partition("*")
    wanted = provider.casefold() + "/"
    return start.startswith(wanted) or (bool(star) and wanted.startswith(start))
