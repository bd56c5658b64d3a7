"""The connection to one cloud: credential, transport, policies and the given SDKs' clients.

What differs from the SDKs' defaults, and why:
- our own `policies`: the default list registers resource providers (a write) on a 409, follows redirects, and does not
  pace; here nothing but GETs and the known POSTs leaves;
- `credential_scopes` beside `base_url`: the endpoint alone does not move a client to another cloud;
- `retry_on_methods` with POST on each Resource Graph query: a query is a POST, and safe to repeat;
- a transport whose waiting is bounded (`patience`), for the sign-in too: `Retry-After` is obeyed unbounded otherwise;
- a request to another host than the configured endpoint is refused before a token is attached (`nextLink`).

This module imports Azure's SDKs; it is imported inside `collect()` only.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import requests
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import (
    ContentDecodePolicy,
    CustomHookPolicy,
    HeadersPolicy,
    HTTPPolicy,
    RequestIdPolicy,
    RetryPolicy,
    SansIOHTTPPolicy,
    UserAgentPolicy,
)
from azure.core.rest import HttpRequest
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.exceptions import ARMErrorFormat
from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

from auditor import __version__
from auditor.clouds import CloudProfile
from auditor.collect.failures import Failure
from auditor.collect.governor import DeadlinePassed, Governor
from auditor.collect.patience import PatientCredential, PatientTransport
from auditor.collect.request import CollectRequest

ArmClient: TypeAlias = ARMPipelineClient[Any, Any]

RETRIES = 4
REPEATABLE = frozenset({"GET", "HEAD", "POST"})
"""Every POST of a scan is a query."""


WIRE_ERRORS: tuple[type[Exception], ...] = (
    AzureError,
    requests.RequestException,
    DeadlinePassed,
    OSError,
    # A body of the wrong shape breaks an SDK's model layer in one of these ways.
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
)
"""What a call may end in besides an answer; `failures.describe` says what it means."""


def quiet_sdk_logs() -> None:
    """azure-identity logs a whole failed chain as a warning *and* raises it; we tell it once, in one line."""
    logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
    logging.getLogger("azure").setLevel(logging.ERROR)
    logging.getLogger("msal").setLevel(logging.CRITICAL)  # its errors come with tracebacks


def credential_for(
    cloud: CloudProfile,
    environment: Mapping[str, str],
    tenant: str | None,
    transport: PatientTransport | None = None,
) -> TokenCredential:
    """The one credential that the environment configures: secret or certificate, workload identity, else the chain.

    Built from the given mapping, not from the process's environment, so that two scans in one process can differ.
    """
    from azure import identity

    quiet_sdk_logs()
    common: dict[str, Any] = {
        "authority": cloud.authority,
        "disable_instance_discovery": not cloud.instance_discovery,
        # PatientCredential tries again, and knows for which faults.
        "retry_total": 1,
    }
    if transport is not None:
        common["transport"] = transport
    elif cloud.ca_bundle is not None:
        common["connection_verify"] = str(cloud.ca_bundle)
    tenant_id = tenant or environment.get("AZURE_TENANT_ID")
    client_id = environment.get("AZURE_CLIENT_ID")
    if tenant_id and client_id and environment.get("AZURE_CLIENT_SECRET"):
        return identity.ClientSecretCredential(tenant_id, client_id, environment["AZURE_CLIENT_SECRET"], **common)
    if tenant_id and client_id and environment.get("AZURE_CLIENT_CERTIFICATE_PATH"):
        return identity.CertificateCredential(
            tenant_id,
            client_id,
            environment["AZURE_CLIENT_CERTIFICATE_PATH"],
            password=environment.get("AZURE_CLIENT_CERTIFICATE_PASSWORD") or None,
            **common,
        )
    if environment.get("AZURE_FEDERATED_TOKEN_FILE"):
        return identity.WorkloadIdentityCredential(
            tenant_id=tenant_id,
            client_id=client_id,
            token_file_path=environment["AZURE_FEDERATED_TOKEN_FILE"],
            **common,
        )
    return identity.ChainedTokenCredential(*_chain(identity, environment, tenant_id, client_id))


def _chain(
    identity: Any, environment: Mapping[str, str], tenant_id: str | None, client_id: str | None
) -> list[TokenCredential]:
    """The command lines first: where they are absent they say so at once, a managed identity is probed for seconds.

    `AZURE_TOKEN_CREDENTIALS` narrows it as azure-identity documents: `dev`, `prod`, or one credential's name.
    """
    links: dict[str, tuple[str, Any]] = {
        "AzureCliCredential": ("dev", lambda: identity.AzureCliCredential(tenant_id=tenant_id or "")),
        "AzureDeveloperCliCredential": (
            "dev",
            lambda: identity.AzureDeveloperCliCredential(tenant_id=tenant_id or ""),
        ),
        "ManagedIdentityCredential": ("prod", lambda: identity.ManagedIdentityCredential(client_id=client_id)),
    }
    wanted = environment.get("AZURE_TOKEN_CREDENTIALS", "").strip().casefold()
    chosen = [build for name, (kind, build) in links.items() if wanted in ("", kind, name.casefold())]
    return [build() for build in chosen or [links["AzureCliCredential"][1]]]


class OneHost(SansIOHTTPPolicy[Any, Any]):
    """Refuses a request that would carry our token to another host than the configured endpoint."""

    def __init__(self, endpoint: str) -> None:
        self._origin = _origin(endpoint)

    def on_request(self, request: PipelineRequest[Any]) -> None:
        if _origin(request.http_request.url) != self._origin:
            host = urlsplit(request.http_request.url).netloc
            raise Failure("foreign-host", f"the answer points to another host (`{host[:80]}`), which was not followed")


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return (parts.scheme.casefold(), (parts.hostname or "").casefold(), parts.port or {"https": 443}.get(parts.scheme))


class Label(SansIOHTTPPolicy[Any, Any]):
    """Moves the call's `operation` from its options (where the transport would see it) to its context."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.context["operation"] = request.context.options.pop("operation", None) or "other"


class Pace(HTTPPolicy[Any, Any]):
    """Stands behind the retry policy, so it sees every try: asks the governor before and tells it after."""

    def __init__(self, governor: Governor) -> None:
        super().__init__()
        self._governor = governor

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        path = urlsplit(request.http_request.url).path.casefold()
        graph = "/providers/microsoft.resourcegraph/" in path
        subscription = path.split("/")[2] if path.startswith("/subscriptions/") and path.count("/") >= 2 else None
        operation = str(request.context.get("operation") or "other")
        again = bool(request.context.get("retry_count"))
        self._governor.acquire(operation, subscription, resource_graph=graph)
        status, headers = 0, {}
        try:
            response = self.next.send(request)
            status, headers = response.http_response.status_code, response.http_response.headers
            return response
        finally:
            self._governor.release(operation, subscription, status, headers, resource_graph=graph, is_retry=again)


class Wire:
    """One collection's clients, all over one transport. Build clients lazily: each SDK costs seconds to import."""

    def __init__(self, request: CollectRequest, governor: Governor) -> None:
        self.cloud, self.governor = request.cloud, governor
        ca_bundle = str(request.cloud.ca_bundle) if request.cloud.ca_bundle else None
        # A collection's two pools of threads share the connections.
        self._transport, to_authority = (
            PatientTransport(governor, 2 * request.threads, ca_bundle, request.patience) for _ in range(2)
        )
        credential = credential_for(request.cloud, request.environment, request.tenant, to_authority)
        self.credential = PatientCredential(credential, governor)
        self._lock = threading.Lock()
        self._clients: dict[Any, Any] = {}

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()
        self.credential.close()

    def sign_in(self) -> str | None:
        """Fetch the token once, before threads would each fetch their own; the tenant id that it names, if it tells."""
        token = self.credential.get_token(self.cloud.arm_scope)
        return _tenant_in(token.token)

    def _policies(self, endpoint: str, scope: str, *, decode: bool) -> list[Any]:
        return [
            RequestIdPolicy(),
            HeadersPolicy(),
            UserAgentPolicy(user_agent=f"auditor/{__version__}"),
            Label(),
            *([ContentDecodePolicy()] if decode else []),
            OneHost(endpoint),
            RetryPolicy(retry_total=RETRIES, retry_status=RETRIES, retry_connect=2, retry_backoff_max=30),
            Pace(self.governor),
            ARMChallengeAuthenticationPolicy(self.credential, scope),
            CustomHookPolicy(),
        ]

    def _arm_options(self, *, decode: bool) -> dict[str, Any]:
        return {
            "base_url": self.cloud.arm_endpoint,
            "credential_scopes": [self.cloud.arm_scope],
            "policies": self._policies(self.cloud.arm_endpoint, self.cloud.arm_scope, decode=decode),
            "transport": self._transport,
        }

    def _once(self, key: Any, build: Any) -> Any:
        with self._lock:
            if key not in self._clients:
                self._clients[key] = build()
            return self._clients[key]

    def resource_graph(self) -> Any:
        """The Resource Graph client. Its answers are decoded once by us, hence no ContentDecodePolicy."""

        def build() -> Any:
            from azure.mgmt.resourcegraph import ResourceGraphClient

            return ResourceGraphClient(self.credential, **self._arm_options(decode=False))

        return self._once("graph", build)

    def network(self, subscription: str) -> Any:
        """The network client of a subscription."""

        def build() -> Any:
            from azure.mgmt.network import NetworkManagementClient

            return NetworkManagementClient(self.credential, subscription, **self._arm_options(decode=True))

        return self._once(("network", subscription), build)

    def containers(self, subscription: str) -> Any:
        """The container service's client of a subscription."""

        def build() -> Any:
            from azure.mgmt.containerservice import ContainerServiceClient

            return ContainerServiceClient(self.credential, subscription, **self._arm_options(decode=True))

        return self._once(("containers", subscription), build)

    def authorization(self, subscription: str, group: str) -> Any:
        """The authorization client's operation group, a client a group: they share a mutable api-version otherwise."""

        def build() -> Any:
            from azure.mgmt.authorization import AuthorizationManagementClient

            client = AuthorizationManagementClient(self.credential, subscription, **self._arm_options(decode=True))
            return getattr(client, group)

        return self._once(("authorization", subscription, group), build)

    def arm(self) -> ArmClient:
        """Our own pipeline client, for ARM types without a named SDK."""

        def build() -> Any:
            return ARMPipelineClient(
                self.cloud.arm_endpoint,
                policies=self._policies(self.cloud.arm_endpoint, self.cloud.arm_scope, decode=False),
                transport=self._transport,
            )

        client: ArmClient = self._once("arm", build)
        return client

    def directory(self) -> ArmClient | None:
        """A pipeline client for Microsoft Graph with its own token scope; None where the cloud has none configured."""
        endpoint, scope = self.cloud.graph_endpoint, self.cloud.graph_scope
        if endpoint is None or scope is None:
            return None

        def build() -> Any:
            return ARMPipelineClient(
                endpoint,
                policies=self._policies(endpoint, scope, decode=False),
                transport=self._transport,
            )

        client: ArmClient = self._once("directory", build)
        return client

    def time_left(self) -> dict[str, float]:
        """The option that ends one call's retries at the deadline."""
        left = self.governor.left_s()
        return {} if left is None else {"timeout": max(left, 0.001)}

    def get(self, client: ArmClient, url: str, operation: str) -> bytes:
        """The raw body of a GET; HttpResponseError for a status of 400 or more.

        Not streamed: the retry policy leaves a streamed answer that it repeats unread, so its connection never comes
        back to the pool, and six answers of 429 would leave none to wait for.
        """
        request = HttpRequest("GET", client.format_url(url), headers={"Accept": "application/json"})
        response = client.send_request(request, stream=False, operation=operation, **self.time_left())
        if response.status_code != 200:
            raise HttpResponseError(response=response, error_format=ARMErrorFormat)
        body: bytes = response.content
        return body


def _tenant_in(token: str) -> str | None:
    """The `tid` claim of a token if it is a JWT; read for display only, never trusted."""
    import base64
    import binascii
    import json

    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        found = claims.get("tid")
        return found if isinstance(found, str) else None
    except (IndexError, ValueError, binascii.Error, AttributeError):
        return None
