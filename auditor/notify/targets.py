"""Where messages go: the tables `[[notify]]` of a configuration file that was named.

Addresses of chat services are secrets, so a table names the variable that holds one, never the address itself.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from auditor.errors import UsageProblem

KEYS = ("name", "kind", "url_from", "secret_from")
KINDS = ("webhook", "apprise")


@dataclass(frozen=True, slots=True)
class Target:
    """One receiver. The name is its identity in the outbox; what is secret is not shown."""

    name: str
    kind: str
    url: str = field(repr=False)
    secret: bytes = field(default=b"", repr=False)


def read_targets(path: Path | None, environ: Mapping[str, str], *, named: bool) -> tuple[Target, ...]:
    """The receivers of a configuration file. Raises UsageProblem that names the table and what is wrong."""
    tables = [] if path is None else tomllib.loads(path.read_bytes().decode("utf-8-sig")).get("notify", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageProblem(f"`notify` in {path} is no list of tables", hint="write [[notify]]")
    if tables and not named:
        raise UsageProblem(
            "[[notify]]: a file merely found in the working directory may not say where findings are sent",
            hint=f"name the file: --config {path}",
        )
    targets: dict[str, Target] = {}
    for number, table in enumerate(tables, start=1):
        target = _target(table, f"[[notify]] {number} of {path}", environ)
        if target.name in targets:
            raise UsageProblem(f"[[notify]] {number} of {path}: there is another one called `{target.name}`")
        targets[target.name] = target
    return tuple(targets.values())


def _target(table: Mapping[str, Any], where: str, environ: Mapping[str, str]) -> Target:
    for key, value in table.items():
        if key not in KEYS or not isinstance(value, str):
            raise UsageProblem(f"{where}: `{key}` is no key, or no text", hint=f"keys: {', '.join(KEYS)}")
    name, kind = table.get("name", ""), table.get("kind", "webhook")
    if not re.fullmatch(r"[a-z0-9-]{1,40}", name):
        raise UsageProblem(f"{where}: a `name` of lower-case letters, digits and - is needed")
    if kind not in KINDS:
        raise UsageProblem(f"{where}: `{kind}` is no kind", hint=f"kinds: {', '.join(KINDS)}")
    url = _variable(table, "url_from", where, environ)
    if kind == "apprise":
        return Target(name, kind, url)
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise UsageProblem(f"{where}: a webhook is called by https (http on loopback only)")
    secret = _variable(table, "secret_from", where, environ).encode()
    if len(secret) < 24:
        raise UsageProblem(f"{where}: the secret has fewer than 24 bytes", hint="openssl rand -base64 32")
    return Target(name, kind, url, secret)


def _variable(table: Mapping[str, Any], key: str, where: str, environ: Mapping[str, str]) -> str:
    name = table.get(key)
    if not name:
        raise UsageProblem(f"{where}: `{key}` is missing: the name of the variable that holds it")
    value = environ.get(name, "").strip()
    if not value:
        raise UsageProblem(f"{where}: the variable {name} is not set")
    return value


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
