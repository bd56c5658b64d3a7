"""Who may do what: two roles, and the person or program that holds them."""

from __future__ import annotations

import difflib
import enum
import hashlib
import hmac
from dataclasses import dataclass, field

from auditor.errors import UsageProblem


class Role(enum.StrEnum):
    """App roles, called as in the app registration of Entra ID. To run includes to read."""

    READ = "Auditor.Read"
    RUN = "Auditor.Run"


def role_named(text: str) -> Role:
    """The role of this name, in any case, with or without `Auditor.`. Raises UsageProblem."""
    known = {role.casefold(): role for role in Role} | {role.split(".")[1].casefold(): role for role in Role}
    found = known.get(text.strip().casefold())
    if found is not None:
        return found
    near = difflib.get_close_matches(text.casefold(), known, n=1, cutoff=0.5)
    meant = f"; did you mean `{known[near[0]]}`?" if near else ""
    raise UsageProblem(f"unknown role `{text}`{meant}", hint=f"roles are {', '.join(Role)}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever a request comes from. `name` is what logs and records call them: `token:nightly`, `entra:OBJECT-ID`.

    `ambient` says that a browser sends the credential of itself (a cookie, a proxy's header): a request that changes
    something then has to prove that it comes from one of our own pages.
    """

    name: str
    roles: frozenset[Role]
    ambient: bool = False
    secret: str = field(default="", repr=False)
    token_id: str | None = None

    def may(self, role: Role) -> bool:
        """Whether they hold the role, or one that includes it."""
        return role in self.roles or (role is Role.READ and Role.RUN in self.roles)

    @property
    def page_key(self) -> str:
        """What our pages put into their forms: known to nobody who does not know the credential."""
        return hmac.new(self.secret.encode(), b"auditor page key", hashlib.sha256).hexdigest()

    def wrote(self, page_key: str) -> bool:
        """Whether this is the key of a page that was made for this caller."""
        return hmac.compare_digest(self.page_key.encode(), page_key.encode("utf-8", "replace"))
