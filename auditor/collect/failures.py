"""What went wrong on the wire, in words: from an SDK's exception to a reason slug, a sentence and a hint.

The SDKs say the same fault in many ways (a wrong secret is a ClientAuthenticationError with an AADSTS number, an
unknown tenant is the sign-in library's ValueError in the same wrapper, an untrusted CA is an SSLError three causes
down), so the whole chain of causes is searched for the words that tell.
"""

from __future__ import annotations

import re
from typing import Any

from auditor.clouds import CloudProfile


class Failure(Exception):
    """Why a call has no answer that could be used.

    `reason` is a stable slug (`forbidden`, `not-found`, `throttled`, `deadline`, `ca-not-trusted`, `endpoint-down`, …),
    `text` a sentence, `code` the code of ARM's error body as spelled there, `detail` the server's own words.
    """

    def __init__(
        self,
        reason: str,
        text: str,
        status: int | None = None,
        code: str = "",
        request_id: str = "",
        detail: str = "",
    ) -> None:
        super().__init__(text)
        self.reason, self.text, self.status = reason, text, status
        self.code, self.request_id, self.detail = code, request_id, detail


_SHAPE_ERRORS = {"TypeError", "AttributeError", "KeyError", "ValidationError", "UnicodeDecodeError"}
"""How an SDK's model layer breaks on a body of the wrong shape."""

_SIGN_IN: tuple[tuple[str, str, str], ...] = (
    (r"AADSTS7000215|invalid_client.{0,80}secret", "wrong-secret", "the client secret is wrong"),
    (r"AADSTS7000222", "wrong-secret", "the client secret has expired"),
    (r"AADSTS90002|AADSTS900023|invalid_tenant", "unknown-tenant", "the tenant is unknown to the authority"),
    (r"AADSTS700016|unauthorized_client", "unknown-application", "the application is unknown in this tenant"),
    (r"AADSTS500011|invalid_resource", "unknown-resource", "the authority knows no such ARM endpoint"),
    (r"AADSTS\d+", "sign-in-refused", "the authority refused the sign-in"),
)


def describe(error: BaseException) -> Failure:
    """The Failure that an exception of the SDKs (or of ours) means."""
    if isinstance(error, Failure):
        return error
    chain = tuple(_causes(error))
    words = " | ".join(f"{type(each).__name__}: {each}" for each in chain)
    connection = _connection(words)
    if connection is not None:
        return connection
    names = {name for each in chain for name in (kind.__name__ for kind in type(each).__mro__)}
    if "DeadlinePassed" in names:
        return Failure("deadline", "the scan's deadline passed before it was answered")
    if "AnswerTooSlow" in names:
        return Failure("connection-lost", "the answer came too slowly and was broken off")
    if "CredentialUnavailableError" in names or "failed to retrieve a token from the included" in words:
        return Failure("no-credentials", "no credentials were found")
    status = _status(error)
    if "JSONDecodeError" in names and status in (None, 200):
        return Failure("bad-response", "the answer is not the JSON that was expected")
    if (status is None and "ClientAuthenticationError" in names) or "AADSTS" in words:
        return _sign_in(words, status)
    if status is not None:
        return _answered(error, status)
    if "DecodeError" in words or "DeserializationError" in names or names & _SHAPE_ERRORS:
        return Failure("bad-response", "the answer is not the JSON that was expected")
    if "ServiceRequestTimeoutError" in names or "ServiceResponseTimeoutError" in names or "ReadTimeout" in words:
        return Failure("timeout", "no answer in time")
    if "ServiceResponseError" in names or "IncompleteReadError" in names:
        return Failure("connection-lost", "the connection broke off before the answer was whole")
    return Failure("unreachable", _first_line(str(error)) or type(error).__name__)


def _causes(error: BaseException) -> Any:
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop(0)
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = getattr(each, "inner_exception", None)
        todo += [each.__cause__, each.__context__, inner if isinstance(inner, BaseException) else None]
        todo += [arg for arg in each.args if isinstance(arg, BaseException)]
        reason = getattr(each, "reason", None)
        if isinstance(reason, BaseException):
            todo.append(reason)


def _connection(words: str) -> Failure | None:
    if "CERTIFICATE_VERIFY_FAILED" in words or "certificate verify failed" in words:
        return Failure("ca-not-trusted", "its TLS certificate is not trusted")
    if "SSLError" in words or "TLS CA certificate bundle" in words:
        return Failure("ca-not-trusted", "no trusted TLS connection could be made")
    if re.search(r"NameResolutionError|Name or service not known|getaddrinfo failed|nodename nor servname", words):
        return Failure("endpoint-down", "its name does not resolve")
    if re.search(
        r"NewConnectionError|Connection refused|ConnectTimeout|No route to host|Network is unreachable", words
    ):
        return Failure("endpoint-down", "it takes no connection")
    return None


def _sign_in(words: str, status: int | None) -> Failure:
    for pattern, reason, text in _SIGN_IN:
        if re.search(pattern, words, re.IGNORECASE):
            return Failure(reason, text, status)
    if re.search(r"OIDC Discovery endpoint rejects|get authority configuration", words):
        return Failure("unknown-tenant", "the tenant is unknown to the authority")
    return Failure("sign-in-refused", "the sign-in failed", status)


def _status(error: BaseException) -> int | None:
    found = getattr(error, "status_code", None)
    return found if isinstance(found, int) else None


def _answered(error: BaseException, status: int) -> Failure:
    code, detail = _body(error)
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None) or {}
    request_id = str(headers.get("x-ms-request-id") or headers.get("x-ms-client-request-id") or "")
    reasons = {
        401: "unauthorized",
        403: "forbidden",
        404: "not-found",
        408: "timeout",
        409: "conflict",
        429: "throttled",
    }
    if 200 <= status < 300:
        return Failure("bad-response", "the answer is not the JSON that was expected", status, code, request_id)
    reason = reasons.get(status, "server-error" if status >= 500 else "refused")
    # The server's message holds ids of clients and requests: it is kept apart, so that gaps of two nights compare.
    text = f"HTTP {status}" + (f" {code}" if code else "")
    return Failure(reason, text, status, code, request_id, _first_line(detail))


def _body(error: BaseException) -> tuple[str, str]:
    """(code, message) of ARM's error body, with the innermost detail's where there is one."""
    inner = getattr(error, "error", None)
    code, message = str(getattr(inner, "code", "") or ""), str(getattr(inner, "message", "") or "")
    details = getattr(inner, "details", None) or []
    codes = [str(getattr(detail, "code", "") or "") for detail in details]
    if any(codes):
        code = "/".join(filter(None, [code, *codes]))
        message = " ".join(filter(None, [message, *(str(getattr(each, "message", "") or "") for each in details)]))
    return code, message or str(getattr(error, "message", ""))


def _first_line(text: str, limit: int = 240) -> str:
    """One printable line: what a server says is hostile text."""
    lines = text.strip().splitlines()
    line = lines[0] if lines else ""
    line = "".join(c if c.isprintable() else " " for c in line)
    return line if len(line) <= limit else line[: limit - 1] + "…"


SIGN_IN_REASONS = frozenset(
    {"no-credentials", "wrong-secret", "unknown-tenant", "unknown-application", "unknown-resource", "sign-in-refused"}
)
CONNECTION_REASONS = frozenset({"ca-not-trusted", "endpoint-down"})


def sign_in_problem(failure: Failure, cloud: CloudProfile, tenant: str | None) -> tuple[str, str]:
    """(one line, hint) for a sign-in that failed: which of the known faults it is."""
    where = cloud.authority
    tenant_named = f"tenant `{tenant}`" if tenant else "the tenant"
    match failure.reason:
        case "no-credentials":
            return (
                "no credentials: nothing to sign in with",
                "run `az login`, or export AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
            )
        case "wrong-secret":
            return (f"wrong secret: {failure.text} ({where})", "renew AZURE_CLIENT_SECRET")
        case "unknown-tenant":
            return (
                f"unknown tenant: {tenant_named} does not exist at {where}",
                "check AZURE_TENANT_ID, and that --cloud names the tenant's cloud",
            )
        case "unknown-application":
            return (
                f"unknown application: AZURE_CLIENT_ID is not registered in {tenant_named}",
                "check AZURE_CLIENT_ID and AZURE_TENANT_ID, and that --cloud names the tenant's cloud",
            )
        case "unknown-resource":
            return (
                f"wrong cloud: {where} issues no tokens for {cloud.arm_scope.removesuffix('/.default')}",
                "authority and ARM endpoint must belong to one cloud: check --cloud and AUDITOR_ARM_ENDPOINT",
            )
        case "ca-not-trusted" | "endpoint-down":
            return connection_problem(failure, where, cloud)
        case _:
            return (f"sign-in refused by {where}: {failure.text}", "run `auditor doctor`")


def connection_problem(failure: Failure, where: str, cloud: CloudProfile) -> tuple[str, str]:
    """(one line, hint) for an endpoint that could not be spoken to."""
    if failure.reason == "ca-not-trusted":
        bundle = f"AUDITOR_CA_BUNDLE ({cloud.ca_bundle})" if cloud.ca_bundle else "the system's roots"
        return (
            f"CA not trusted: the certificate of {where} is not signed by a CA in {bundle}",
            "point AUDITOR_CA_BUNDLE to a PEM file that holds its CA",
        )
    if failure.reason == "endpoint-down":
        return (
            f"endpoint down: {where} cannot be reached: {failure.text}",
            "check the network, the proxy, and that --cloud names the right cloud",
        )
    return (f"{where} did not answer: {failure.text}", "run `auditor doctor`")
