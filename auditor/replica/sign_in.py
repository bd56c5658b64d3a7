"""The token endpoint as azure-identity and msal speak it, and what the other services make of a token.

Only OpenID discovery, the signing keys and the client credentials grant; the error shapes are Entra's. Tokens for ARM
and Microsoft Graph are opaque to clients and are not signed; those for an API of the tenant's own are (RS256), since
that API has nobody else to ask.
"""

import base64
import json
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from auditor.replica.answers import Answer, arm_error, encoded, ok
from auditor.replica.estate import Application
from auditor.replica.signing import Signer
from auditor.replica.world import World

LIFETIME_S = 3599
_SCOPE_SUFFIX = "/.default"


@dataclass(frozen=True, slots=True)
class Token:
    """What an access token stands for; times are seconds since 1970."""

    text: str
    app_id: str
    audience: str
    expires_at: float


class SignIn:
    """Issues tokens and tells whether one is good for an audience."""

    def __init__(
        self,
        base_url: str,
        audiences: tuple[str, ...],
        clock: Callable[[], float] = time.time,
        apis: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._base_url = base_url
        self._audiences = audiences
        self._clock = clock
        self._apis = {name: tuple(roles) for name, roles in (apis or {}).items()}
        self._signer: Signer | None = None
        self._lock = threading.Lock()
        self._tokens: dict[str, Token] = {}
        self._challenged: set[str] = set()

    def discovery(self, world: World, tenant: str) -> Answer:
        """The tenant's OpenID configuration, or AADSTS90002."""
        if not _is_tenant(world, tenant):
            return self._unknown_tenant(tenant)
        root = f"{self._base_url}/{world.estate.tenant_id}"
        return ok(
            {
                "token_endpoint": f"{root}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "private_key_jwt",
                    "client_secret_basic",
                ],
                "jwks_uri": f"{root}/discovery/v2.0/keys",
                "response_modes_supported": ["query", "fragment", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": f"{root}/v2.0",
                "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
                "tenant_region_scope": None,
                "cloud_instance_name": "127.0.0.1",
            }
        )

    def token(self, world: World, tenant: str, form: Mapping[str, str]) -> Answer:
        """Answer the client credentials grant."""
        if not _is_tenant(world, tenant):
            return self._unknown_tenant(tenant)
        grant = form.get("grant_type")
        if grant != "client_credentials":
            return self._refusal(
                400, "unsupported_grant_type", 70003, f"The app requested an unsupported grant type '{grant}'."
            )
        client = form.get("client_id", "")
        application = world.applications.get(client.lower())
        if application is None:
            return self._refusal(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{client}' was not found in the directory '{world.estate.tenant_name}'. "
                "This can happen if the application has not been installed by the administrator of the tenant or "
                "consented to by any user in the tenant. You may have sent your authentication request to the wrong "
                "tenant.",
            )
        if not secrets.compare_digest(form.get("client_secret", "").encode(), application.secret.encode()):
            return self._refusal(
                401,
                "invalid_client",
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
                f"value, not the client secret ID, for a secret added to app '{client}'.",
            )
        scope = form.get("scope", "")
        audience = scope.removesuffix(_SCOPE_SUFFIX).rstrip("/")
        if not scope.endswith(_SCOPE_SUFFIX):
            return self._refusal(
                400,
                "invalid_scope",
                1002012,
                f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value "
                "with /.default suffixed to the resource identifier (application ID URI).",
            )
        if audience in self._apis:
            text = self.signed(world, audience, roles=self._apis[audience], oid=application.object_id)
            lifetime = {"token_type": "Bearer", "expires_in": LIFETIME_S, "ext_expires_in": LIFETIME_S}
            return ok({**lifetime, "access_token": text}, headers={"Cache-Control": "no-store, no-cache"})
        if audience not in self._audiences:
            return self._refusal(
                400,
                "invalid_resource",
                500011,
                f"The resource principal named {audience} was not found in the tenant named "
                f"{world.estate.tenant_name}. This can happen if the application has not been installed by the "
                "administrator of the tenant or consented to by any user in the tenant. You might have sent your "
                "authentication request to the wrong tenant.",
            )
        token = self._issue(world, application, audience)
        lifetime = {"token_type": "Bearer", "expires_in": LIFETIME_S, "ext_expires_in": LIFETIME_S}
        return ok({**lifetime, "access_token": token.text}, headers={"Cache-Control": "no-store, no-cache"})

    def keys(self, world: World, tenant: str) -> Answer:
        """The keys that tokens are signed with, as a JSON Web Key Set."""
        if not _is_tenant(world, tenant):
            return self._unknown_tenant(tenant)
        return ok({"keys": [self.signer.public_key()]})

    @property
    def signer(self) -> Signer:
        """What signs tokens; made when it is first asked for, because making a key takes its time."""
        with self._lock:
            if self._signer is None:
                self._signer = Signer()
            return self._signer

    def signed(self, world: World, audience: str, *, roles: Sequence[str] = (), **claims: Any) -> str:
        """A token of version 2.0 for an API of the tenant's own; `claims` replace usual ones, None leaves one out."""
        now = int(self._clock())
        usual: dict[str, Any] = {
            "aud": audience,
            "iss": f"{self._base_url}/{world.estate.tenant_id}/v2.0",
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME_S,
            "azp": world.estate.applications[0].app_id,
            "oid": world.estate.applications[0].object_id,
            "sub": world.estate.applications[0].object_id,
            "roles": list(roles),
            "tid": world.estate.tenant_id,
            "ver": "2.0",
        }
        return self.signer.token({key: value for key, value in {**usual, **claims}.items() if value is not None})

    def _issue(self, world: World, application: Application, audience: str) -> Token:
        now = self._clock()
        claims = {
            "aud": audience,
            "iss": f"{self._base_url}/{world.estate.tenant_id}/",
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now) + LIFETIME_S,
            "appid": application.app_id,
            "oid": application.object_id,
            "tid": world.estate.tenant_id,
            "idtyp": "app",
            "ver": "1.0",
        }
        # Shaped as a JWT, because some clients read `oid` from it; nothing is signed, the replica knows its own.
        text = ".".join((_segment({"typ": "JWT", "alg": "none"}), _segment(claims), secrets.token_urlsafe(24)))
        token = Token(text, application.app_id.lower(), audience, now + LIFETIME_S)
        with self._lock:
            self._tokens[text] = token
        return token

    def caller(self, world: World, authorization: str | None, audience: str) -> Application | Answer:
        """Who presents this `Authorization` header for `audience`, or the 401 that it earns."""
        if not authorization:
            return self._unauthorized(
                world, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
            )
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return self._unauthorized(
                world,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is provided in an invalid format.",
            )
        with self._lock:
            token = self._tokens.get(text.strip())
            challenged = token is not None and token.text in self._challenged
        application = world.applications.get(token.app_id) if token is not None else None
        if token is None or application is None:
            return self._unauthorized(world, "InvalidAuthenticationToken", "The access token is invalid.")
        if token.expires_at <= self._clock():
            return self.expired(world)
        if token.audience != audience:
            return self._unauthorized(
                world,
                "InvalidAuthenticationTokenAudience",
                f"The access token has been obtained for wrong audience or resource '{token.audience}'. It should "
                f"exactly match with one of the allowed audiences '{audience}','{audience}/'.",
            )
        return self.challenge(world, None) if challenged else application

    def expired(self, world: World) -> Answer:
        """The 401 of a token that was good once."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        return self._unauthorized(
            world,
            "ExpiredAuthenticationToken",
            f"The access token expiry UTC time '{now:%m/%d/%Y %I:%M:%S %p}' is earlier than current UTC time "
            f"'{now:%m/%d/%Y %I:%M:%S %p}'.",
        )

    def challenge(self, world: World, authorization: str | None) -> Answer:
        """A continuous access evaluation challenge: the token presented is good for nothing from now on."""
        if authorization is not None:
            with self._lock:
                self._challenged.add(authorization.partition(" ")[2].strip())
        claims = {"access_token": {"nbf": {"essential": True, "value": str(int(self._clock()))}}}
        coded = base64.b64encode(json.dumps(claims).encode()).decode()
        return arm_error(
            401,
            "InvalidAuthenticationToken",
            "Continuous access evaluation resulted in challenge.",
            headers={
                "WWW-Authenticate": f'Bearer realm="", authorization_uri="{self._authority(world)}", '
                f'error="insufficient_claims", claims="{coded}"'
            },
        )

    def _authority(self, world: World) -> str:
        return f"{self._base_url}/{world.estate.tenant_id}"

    def _unauthorized(self, world: World, code: str, message: str) -> Answer:
        header = (
            f'Bearer authorization_uri="{self._authority(world)}", error="invalid_token", error_description="{message}"'
        )
        return arm_error(401, code, message, headers={"WWW-Authenticate": header})

    def _unknown_tenant(self, tenant: str) -> Answer:
        return self._refusal(
            400,
            "invalid_tenant",
            90002,
            f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
            "correct cloud. Check with your subscription administrator, this may happen if there are no active "
            "subscriptions for the tenant.",
        )

    def _refusal(self, status: int, error: str, number: int, text: str) -> Answer:
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        moment = f"{datetime.fromtimestamp(self._clock(), UTC):%Y-%m-%d %H:%M:%SZ}"
        document = {
            "error": error,
            "error_description": f"AADSTS{number}: {text} Trace ID: {trace} Correlation ID: {correlation} "
            f"Timestamp: {moment}",
            "error_codes": [number],
            "timestamp": moment,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"{self._base_url}/error?code={number}",
        }
        return Answer(status, encoded(document))


def _is_tenant(world: World, tenant: str) -> bool:
    return tenant.lower() == world.estate.tenant_id.lower()


def _segment(value: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
