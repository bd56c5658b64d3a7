"""What the service is told besides a scan's settings: where to listen, by which names, and whom to let in."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import UsageProblem
from auditor.service.gate import host_name, is_loopback
from auditor.service.identity import Authority

LISTEN = "127.0.0.1:8743"
OFF = "off"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KEYS = ("listen", "allow_host", "audience", "sign_in_tenant", "proxy_header")
"""Keys of the table `[service]`, which only a configuration file that was named may have."""


@dataclass(frozen=True, slots=True)
class Options:
    """Checked by `read_options`. `address` is None where nothing listens; then there is no API and no dashboard."""

    address: tuple[str, int] | None = ("127.0.0.1", 8743)
    hosts: frozenset[str] = LOOPBACK
    no_auth: bool = False
    audiences: tuple[str, ...] = ()
    tenant: str | None = None
    proxy_header: str | None = None

    def authority(self, host: str, ca_bundle: Path | None) -> Authority | None:
        """Whose bearer tokens are believed; None where none are."""
        if not self.audiences or self.tenant is None:
            return None
        return Authority(host, self.tenant, self.audiences, ca_bundle)


def read_options(
    flags: Mapping[str, Any], path: Path | None, *, named: bool, environ: Mapping[str, str], tenant: str | None
) -> Options:
    """A call's options; flags win over the file's `[service]`. `tenant` is the one to scan. Raises UsageProblem."""
    given = {**_table(path, named=named), **{key: value for key, value in flags.items() if value not in (None, ())}}
    listen = str(given.get("listen", LISTEN))
    address = None if listen == OFF else _address(listen)
    allowed = [_host(each) for each in given.get("allow_host", ())]
    no_auth = bool(given.get("no_auth", False))
    audiences = tuple(str(each) for each in given.get("audience", ()))
    if address is not None and not is_loopback(address[0]):
        if no_auth:
            raise UsageProblem(
                f"--no-auth lets everybody in, so it works on loopback only, not on {address[0]}",
                hint="leave --no-auth out, and make a token: auditor token create NAME",
            )
        wildcard = address[0] in ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound
        if wildcard and not allowed:
            raise UsageProblem(
                f"listening on {address[0]}, the service must know by which names it is called",
                hint="--allow-host auditor.example.com",
            )
        allowed += [] if wildcard else [address[0].casefold()]
    if no_auth and allowed:
        raise UsageProblem("--no-auth and --allow-host contradict each other: without sign-in, only loopback is served")
    return Options(
        address=address,
        hosts=LOOPBACK | frozenset(allowed),
        no_auth=no_auth,
        audiences=audiences,
        tenant=_tenant(given, audiences, environ, tenant),
        proxy_header=_header(given.get("proxy_header"), audiences),
    )


def _table(path: Path | None, *, named: bool) -> dict[str, Any]:
    if path is None:
        return {}
    table = tomllib.loads(path.read_bytes().decode("utf-8-sig")).get("service", {})
    if not isinstance(table, dict):
        raise UsageProblem(f"`service` in {path} is no table", hint="write [service]")
    if table and not named:
        raise UsageProblem(
            f"[service] in {path.name}: a file merely found in the working directory may not say who is let in",
            hint=f"name the file: --config {path.name}",
        )
    for key, value in table.items():
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.6)
            meant = f"; did you mean `{near[0]}`?" if near else ""
            raise UsageProblem(f"unknown key `{key}` under [service] in {path}{meant}", hint=f"keys: {', '.join(KEYS)}")
        wanted = list if key in ("allow_host", "audience") else str
        if not isinstance(value, wanted) or (wanted is list and not all(isinstance(each, str) for each in value)):
            raise UsageProblem(
                f"`{key}` under [service] in {path} must be {'a list of texts' if wanted is list else 'text'}"
            )
    return dict(table)


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not host or not port.isdigit() or int(port) > 65_535 or any(each.isspace() for each in host):
        raise UsageProblem(f"`{listen}` is no address to listen on", hint="HOST:PORT, such as 127.0.0.1:8743, or `off`")
    return host, int(port)


def _host(text: str) -> str:
    name = host_name(text)
    if not name or not re.fullmatch(r"[a-z0-9.:_-]{1,253}", name) or name != text.strip().casefold().strip("[]"):
        raise UsageProblem(f"`{text}` is no host name", hint="without scheme and port: auditor.example.com")
    return name


def _tenant(
    given: Mapping[str, Any], audiences: tuple[str, ...], environ: Mapping[str, str], tenant: str | None
) -> str | None:
    if not audiences:
        return None
    found = str(given.get("sign_in_tenant") or tenant or environ.get("AZURE_TENANT_ID") or "").casefold()
    if not _GUID.fullmatch(found):
        raise UsageProblem(
            "bearer tokens of Entra ID are judged by their tenant's id, and none is given",
            hint="--sign-in-tenant 11111111-2222-3333-4444-555555555555 (an id, not a domain)",
        )
    return found


def _header(name: object, audiences: tuple[str, ...]) -> str | None:
    if name is None:
        return None
    text = str(name).casefold()
    if not re.fullmatch(r"[a-z0-9-]{1,60}", text) or text in ("authorization", "cookie", "host"):
        raise UsageProblem(f"`{name}` is no header for a proxy's token", hint="such as X-Forwarded-Access-Token")
    if not audiences:
        raise UsageProblem("--proxy-header needs --audience: whom the passed tokens are made out for")
    return text
