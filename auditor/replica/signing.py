"""Tokens signed as Entra ID signs them: RS256, with a key that the tenant's key set shows."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from typing import Any

from auditor.replica.certificates import missing_extra

_BITS = 2048


class Signer:
    """One RSA key and its name."""

    def __init__(self) -> None:
        try:
            from cryptography.hazmat.primitives.asymmetric import rsa
        except ImportError as problem:
            raise missing_extra("cryptography") from problem
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
        self.key_id = secrets.token_urlsafe(20)

    def public_key(self) -> dict[str, str]:
        """The public half as a JSON Web Key (RFC 7517), with the members that Entra's keys have."""
        numbers = self._key.public_key().public_numbers()
        return {"kty": "RSA", "use": "sig", "kid": self.key_id, "n": _number(numbers.n), "e": _number(numbers.e)}

    def public_pem(self) -> bytes:
        """The public half as PEM: what an attacker takes for a shared secret."""
        from cryptography.hazmat.primitives import serialization

        return self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def token(self, claims: Mapping[str, Any], **header: Any) -> str:
        """A JSON Web Token (RFC 7519) over the claims; `header` replaces members of its header."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        head = {"typ": "JWT", "alg": "RS256", "kid": self.key_id, **header}
        text = f"{segment(json.dumps(head).encode())}.{segment(json.dumps(claims).encode())}"
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{segment(signature)}"


def segment(content: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _number(value: int) -> str:
    return segment(value.to_bytes((value.bit_length() + 7) // 8, "big"))
