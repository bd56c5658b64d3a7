"""One request to Azure Monitor's Logs Ingestion API, by azure-core's pipeline (decision 32: why not by its SDK).

Nothing is retried here, the outbox does that; no redirect is followed; the token goes to the configured host only.
This module imports Azure's SDKs; it is imported when the first rows are sent.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy, HeadersPolicy, UserAgentPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest, HttpResponse

from auditor import __version__
from auditor.clouds import CloudProfile
from auditor.collect.failures import describe
from auditor.collect.wire import credential_for
from auditor.notify.parcel import Parcel
from auditor.notify.refusal import Refused, retry_after
from auditor.notify.rows import unpacked
from auditor.notify.targets import LogTable

API_VERSION = "2023-01-01"
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 10, 30


class Ingestion:
    """Signed in as the scan is, once: the credential keeps its token while it is good."""

    def __init__(self, cloud: CloudProfile, environment: Mapping[str, str], tenant: str | None) -> None:
        self._credential: TokenCredential = credential_for(cloud, environment, tenant)
        self._transport = RequestsTransport(
            connection_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            connection_verify=str(cloud.ca_bundle) if cloud.ca_bundle else True,
        )

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()
        closer = getattr(self._credential, "close", None)
        if closer is not None:
            closer()

    def send(self, table: LogTable, parcel: Parcel) -> None:
        """Deliver the rows, or raise Refused."""
        client: PipelineClient[Any, Any] = PipelineClient(
            table.endpoint,
            policies=[
                HeadersPolicy(),
                UserAgentPolicy(user_agent=f"auditor/{__version__}"),
                BearerTokenCredentialPolicy(self._credential, f"{table.audience}/.default"),
            ],
            transport=self._transport,
        )
        request = HttpRequest(
            "POST",
            f"{table.endpoint}/dataCollectionRules/{table.rule}/streams/{table.stream}",
            params={"api-version": API_VERSION},
            headers={
                "Content-Type": "application/json",
                "Content-Encoding": "gzip",
                "x-ms-client-request-id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:auditor:{table.name}:{parcel.id}")),
            },
            content=unpacked(parcel.content),
        )
        try:
            answer: HttpResponse = client.send_request(request)
        except AzureError as error:
            raise Refused(describe(error).reason) from None
        if not 200 <= answer.status_code < 300:
            raise Refused(
                f"status {answer.status_code}{_code(answer)}",
                retry_after=retry_after(answer.headers.get("Retry-After")),
                too_large=answer.status_code == 413,
            )


def _code(answer: HttpResponse) -> str:
    """Azure's word for what is wrong, if it is one word."""
    code = answer.headers.get("x-ms-error-code") or ""
    if not code:
        try:
            code = str(answer.json()["error"]["code"])
        except (ValueError, KeyError, TypeError):
            return ""
    return f" {code}" if re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]{0,60}", code) else ""
