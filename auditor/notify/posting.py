"""One POST to an address that is nobody's business: no redirect, no password from elsewhere, certificates verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.clouds import CloudProfile
from auditor.notify.refusal import Refused, retry_after

TIMEOUT_S = 10.0
"""To connect, and between two pieces of the answer."""
MOST_ANSWER_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back with a status of 2xx; of its body no more than was asked for."""

    status: int
    body: bytes


def post(
    url: str, body: bytes, headers: Mapping[str, str], cloud: CloudProfile, *, read_answer: bool = False
) -> Answer:
    """Send once; Refused for whatever is no 2xx, and for what goes wrong on the way, without the address."""
    import requests

    try:
        # A redirect could carry findings anywhere: it counts as a refusal.
        with requests.post(
            url,
            data=body,
            headers=dict(headers),
            timeout=TIMEOUT_S,
            allow_redirects=False,
            stream=True,
            verify=str(cloud.ca_bundle) if cloud.ca_bundle else True,
            auth=_as_it_is,
        ) as answer:
            status, pause = answer.status_code, answer.headers.get("Retry-After")
            told = next(answer.iter_content(MOST_ANSWER_BYTES), b"") if read_answer else b""
    except requests.RequestException as error:
        raise Refused(type(error).__name__) from None
    if not 200 <= status < 300:
        raise Refused(f"status {status}", retry_after=retry_after(pause), too_large=status == 413)
    return Answer(status, told)


def _as_it_is(request: Any) -> Any:
    """No credentials: requests would else look for some in a .netrc file."""
    return request
