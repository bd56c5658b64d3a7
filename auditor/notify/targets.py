"""Where messages go: the tables `[[notify]]` of a configuration file that was named.

Addresses of chat services are secrets, so a table names the variable that holds one, never the address itself. The
endpoint of a log table is none: what it takes is a token.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from auditor.clouds import CloudProfile, https_endpoint
from auditor.errors import UsageProblem
from auditor.i18n import Language

KEYS = {
    "webhook": ("name", "kind", "on_demand", "url_from", "secret_from"),
    "apprise": ("name", "kind", "on_demand", "url_from", "lang"),
    "azure-monitor": ("name", "kind", "on_demand", "endpoint", "rule", "stream", "rows"),
}
"""What a table of each kind may hold."""
LEAST_SECRET = 24
"""Bytes."""
_WIRE_SERVER = ipaddress.ip_address("168.63.129.16")
"""Where every machine in Azure reaches its host."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Takes a signed CloudEvent. The name is its identity in the outbox; what is secret is not shown."""

    name: str
    url: str = field(repr=False)
    secret: bytes = field(repr=False)
    on_demand: bool = True
    """Whether it is told of scans on demand too, not only of scheduled ones."""


@dataclass(frozen=True, slots=True)
class Chat:
    """Takes text through apprise: a chat, or a mailbox. `lang` is None where the program's language will do."""

    name: str
    url: str = field(repr=False)
    lang: str | None = None
    on_demand: bool = True


@dataclass(frozen=True, slots=True)
class LogTable:
    """Takes rows through Azure Monitor's Logs Ingestion API, for Sentinel.

    `endpoint` is the origin of a data collection endpoint or of a rule's own; `rule` the immutable id of the data
    collection rule; `audience` who the token is made out for, without a trailing slash.
    """

    name: str
    endpoint: str
    audience: str
    rule: str
    stream: str
    rows: Literal["news", "all"] = "news"
    """Only what is new, changed or resolved, or every finding of every run."""
    on_demand: bool = True


Target: TypeAlias = Webhook | Chat | LogTable


def read_targets(
    path: Path | None, environ: Mapping[str, str], *, named: bool, cloud: CloudProfile
) -> tuple[Target, ...]:
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
        target = _target(table, f"[[notify]] {number} of {path}", environ, cloud)
        if target.name in targets:
            raise UsageProblem(f"[[notify]] {number} of {path}: there is another one called `{target.name}`")
        targets[target.name] = target
    return tuple(targets.values())


def _target(table: Mapping[str, Any], where: str, environ: Mapping[str, str], cloud: CloudProfile) -> Target:
    kind = table.get("kind", "webhook")
    if kind not in KEYS:
        near = difflib.get_close_matches(str(kind), KEYS, n=1)
        did = f"; did you mean `{near[0]}`?" if near else ""
        raise UsageProblem(f"{where}: `{kind}` is no kind{did}", hint=f"kinds: {', '.join(KEYS)}")
    for key, value in table.items():
        if key not in KEYS[kind] or not isinstance(value, bool if key == "on_demand" else str):
            wanted = "true or false" if key == "on_demand" else "text"
            wrong = f"is not {wanted}" if key in KEYS[kind] else f"is no key of the kind `{kind}`"
            raise UsageProblem(f"{where}: `{key}` {wrong}", hint=f"keys: {', '.join(KEYS[kind])}")
    name, on_demand = table.get("name", ""), table.get("on_demand", True)
    if not re.fullmatch(r"[a-z0-9-]{1,40}", name):
        raise UsageProblem(f"{where}: a `name` of lower-case letters, digits and - is needed")
    match kind:
        case "apprise":
            return Chat(name, _variable(table, "url_from", where, environ), _language(table, where), on_demand)
        case "azure-monitor":
            return _log_table(name, table, where, cloud, on_demand=on_demand)
        case _:
            url = _webhook_url(_variable(table, "url_from", where, environ), where)
            secret = _variable(table, "secret_from", where, environ).encode()
            if len(secret) < LEAST_SECRET:
                raise UsageProblem(
                    f"{where}: the secret has fewer than {LEAST_SECRET} bytes", hint="openssl rand -base64 32"
                )
            return Webhook(name, url, secret, on_demand)


def _language(table: Mapping[str, Any], where: str) -> str | None:
    given: str | None = table.get("lang")
    if given is not None and given not in set(Language):
        raise UsageProblem(f"{where}: `{given}` is no language", hint="languages: " + ", ".join(Language))
    return given


def _webhook_url(url: str, where: str) -> str:
    """The address, https (http on loopback only) and not what a machine in Azure asks for secrets; it is not shown."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise UsageProblem(f"{where}: the address is no URL") from None
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host))):
        raise UsageProblem(f"{where}: a webhook is called by https (http on loopback only)")
    if is_metadata(host):
        raise UsageProblem(f"{where}: the address is that of a metadata service, not of a receiver")
    return url


def _log_table(name: str, table: Mapping[str, Any], where: str, cloud: CloudProfile, *, on_demand: bool) -> LogTable:
    for key, form, such in (
        ("endpoint", r".+", "https://NAME.REGION-1.ingest." + cloud.monitor_audience.removeprefix("https://")),
        ("rule", r"dcr-[0-9a-f]{32}", "the rule's immutableId: dcr- and 32 hexadecimal digits"),
        ("stream", r"Custom-\w{1,100}", "Custom-AuditorFindings_CL"),
        ("rows", r"news|all", "news or all"),
    ):
        if not re.fullmatch(form, table.get(key, "news" if key == "rows" else "")):
            raise UsageProblem(
                f"{where}: `{key}` is missing, or not of the form that is needed", hint=f"such as {such}"
            )
    endpoint = https_endpoint(table["endpoint"], f"{where}: `endpoint`")
    audience = _audience(urlsplit(endpoint).hostname or "", where, cloud)
    rows: Literal["news", "all"] = "all" if table.get("rows") == "all" else "news"
    return LogTable(name, endpoint, audience, table["rule"], table["stream"], rows, on_demand)


def _audience(host: str, where: str, cloud: CloudProfile) -> str:
    """Who a token for this host is made out for: Azure Monitor of the cloud that the host's name says.

    Nobody else is ever sent a token: the host must be Azure Monitor's own, or on loopback for a replica.
    """
    if is_loopback(host):
        return cloud.monitor_audience
    found = re.fullmatch(r"[a-z0-9.-]+?\.(?P<metrics>metrics\.)?ingest\.(?P<monitor>monitor\.[a-z0-9.-]+)", host)
    if found is None:
        raise UsageProblem(
            f"{where}: `{host}` is no endpoint for logs",
            hint="take `logsIngestion` of the data collection endpoint, or of the rule",
        )
    if found["metrics"]:
        raise UsageProblem(f"{where}: `{host}` is the endpoint for metrics", hint="take `logsIngestion`")
    audience = f"https://{found['monitor']}"
    if cloud.name != "custom" and audience != cloud.monitor_audience:
        raise UsageProblem(f"{where}: `{host}` is not of the cloud {cloud.name}", hint="say --cloud, or `cloud` there")
    return audience


def _variable(table: Mapping[str, Any], key: str, where: str, environ: Mapping[str, str]) -> str:
    name = table.get(key)
    if not name:
        raise UsageProblem(f"{where}: `{key}` is missing: the name of the variable that holds it")
    value = environ.get(name, "").strip()
    if not value:
        raise UsageProblem(f"{where}: the variable {name} is not set")
    return value


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.casefold() == "localhost"


def is_metadata(host: str) -> bool:
    """Whether a host is an address at which machines in a cloud are told their secrets."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.casefold().rstrip(".") in ("metadata", "metadata.azure.internal", "metadata.google.internal")
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_link_local or (mapped or address) == _WIRE_SERVER
