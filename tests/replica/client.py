"""Clients of a replica: plain requests, and azure-identity's credential."""

from collections.abc import Mapping, Sequence
from typing import Any

import requests
from azure.identity import ClientSecretCredential

from auditor.replica import Replica


class Client:
    """Plain requests against a replica, signed in as one of its applications."""

    def __init__(self, replica: Replica, application: int = 0) -> None:
        self.replica = replica
        self.environment = replica.environment(application)
        self.session = requests.Session()
        # The environment of whoever runs the tests may carry a CA bundle or a proxy of its own.
        self.session.trust_env = False
        self.session.verify = self.environment["AUDITOR_CA_BUNDLE"]
        self._tokens: dict[str, str] = {}

    def sign_in(self, audience: str | None = None, **form: str) -> requests.Response:
        asked = {
            "grant_type": "client_credentials",
            "client_id": self.environment["AZURE_CLIENT_ID"],
            "client_secret": self.environment["AZURE_CLIENT_SECRET"],
            "scope": (audience or self.replica.base_url) + "/.default",
            **form,
        }
        tenant = self.environment["AZURE_TENANT_ID"]
        return self.session.post(f"{self.replica.base_url}/{tenant}/oauth2/v2.0/token", data=asked, timeout=30)

    def token(self, audience: str | None = None) -> str:
        key = audience or self.replica.base_url
        if key not in self._tokens:
            self._tokens[key] = self.sign_in(audience).json()["access_token"]
        return self._tokens[key]

    def get(self, path: str, *, version: str | None = "2024-05-01", **query: str) -> requests.Response:
        """A GET of ARM, by path or by an absolute link."""
        url = path if path.startswith("https://") else self.replica.base_url + path
        if version is not None and not path.startswith("https://"):
            query["api-version"] = version
        return self._get(url, self.token(), query)

    def graph(self, path: str, **query: str) -> requests.Response:
        """A GET of Microsoft Graph."""
        endpoint = self.environment["AUDITOR_GRAPH_ENDPOINT"]
        return self._get(path if path.startswith("https://") else endpoint + path, self.token(endpoint), query)

    def _get(self, url: str, token: str, query: Mapping[str, str]) -> requests.Response:
        return self.session.get(url, params=query, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def query(
        self, text: str, options: Mapping[str, Any] | None = None, version: str = "2021-03-01", **scope: Any
    ) -> requests.Response:
        """A Resource Graph query."""
        return self.session.post(
            f"{self.replica.base_url}/providers/Microsoft.ResourceGraph/resources?api-version={version}",
            json={"query": text, "options": {"$top": 1000, **(options or {})}, **scope},
            headers={"Authorization": f"Bearer {self.token()}"},
            timeout=30,
        )

    def rows(self, text: str, **scope: Sequence[str]) -> list[dict[str, Any]]:
        answer = self.query(text, None, "2021-03-01", **scope)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["data"]
        return rows

    def listed(self, path: str, **query: str) -> list[dict[str, Any]]:
        """All rows of an ARM list, its pages followed."""
        rows: list[dict[str, Any]] = []
        answer = self.get(path, **query)
        while True:
            assert answer.status_code == 200, answer.text
            rows += answer.json()["value"]
            if "nextLink" not in answer.json():
                return rows
            answer = self.get(answer.json()["nextLink"])

    def close(self) -> None:
        self.session.close()


def credential(replica: Replica, **changes: str) -> ClientSecretCredential:
    """What azure-identity makes of the replica's environment; `changes` replace variables."""
    environment = {**replica.environment(), **changes}
    return ClientSecretCredential(
        environment["AZURE_TENANT_ID"],
        environment["AZURE_CLIENT_ID"],
        environment["AZURE_CLIENT_SECRET"],
        authority=environment["AUDITOR_AUTHORITY_HOST"],
        disable_instance_discovery=True,
        connection_verify=environment["AUDITOR_CA_BUNDLE"],
    )
