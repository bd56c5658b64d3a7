"""Nothing could be read at all: exit 4, and one line that says which of the known causes it is."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.collect import CollectRequest, collect
from auditor.errors import NothingRead
from tests.wire import estate as e
from tests.wire.conftest import Azure


def refusal(azure: Azure, environment: dict[str, str] | None = None, **more: object) -> NothingRead:
    with pytest.raises(NothingRead) as raised:
        azure.collect(environment, **more)
    assert raised.value.exit_status == 4
    assert "\n" not in raised.value.message
    assert raised.value.hint
    return raised.value


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"https://127.0.0.1:{probe.getsockname()[1]}"


NOBODY = {
    "AZURE_TENANT_ID": "",
    "AZURE_CLIENT_ID": "",
    "AZURE_CLIENT_SECRET": "",
    # Only the command line is looked for; on a machine where somebody is signed in it finds nothing either.
    "AZURE_TOKEN_CREDENTIALS": "AzureDeveloperCliCredential",
}


def test_no_credentials(azure: Azure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refusal(azure, NOBODY).message.startswith("no credentials")


def test_wrong_secret(azure: Azure) -> None:
    assert refusal(azure, {"AZURE_CLIENT_SECRET": "another"}).message.startswith("wrong secret")


def test_unknown_tenant(azure: Azure) -> None:
    unknown = "99999999-0000-4000-8000-000000000009"
    problem = refusal(azure, {"AZURE_TENANT_ID": unknown})
    assert problem.message.startswith("unknown tenant")
    assert unknown in problem.message


def test_unknown_application(azure: Azure) -> None:
    problem = refusal(azure, {"AZURE_CLIENT_ID": "99999999-0000-4000-8000-000000000009"})
    assert problem.message.startswith("unknown application")


def test_untrusted_ca(azure: Azure, own_replica: Callable[..., Azure]) -> None:
    other = own_replica()
    problem = refusal(azure, {"AUDITOR_CA_BUNDLE": str(other.replica.ca_path)})
    assert problem.message.startswith("CA not trusted")
    assert "AUDITOR_CA_BUNDLE" in (problem.hint or "")


def with_arm_at(azure: Azure, endpoint: str) -> NothingRead:
    """Tokens are those of the cloud; only ARM itself lies elsewhere."""
    request = azure.request()
    request = dataclasses.replace(request, cloud=dataclasses.replace(request.cloud, arm_endpoint=endpoint))
    with pytest.raises(NothingRead) as raised:
        collect(request, clock=azure.waiting.clock)
    assert endpoint in raised.value.message
    return raised.value


def test_untrusted_ca_of_arm_alone(azure: Azure, own_replica: Callable[..., Azure]) -> None:
    assert with_arm_at(azure, own_replica().replica.base_url).message.startswith("CA not trusted")


def test_authority_down(azure: Azure) -> None:
    where = closed_port()
    problem = refusal(azure, {"AUDITOR_AUTHORITY_HOST": where, "AUDITOR_ARM_ENDPOINT": where})
    assert problem.message.startswith("endpoint down")
    assert where in problem.message


def test_arm_down(azure: Azure) -> None:
    assert with_arm_at(azure, closed_port()).message.startswith("endpoint down")


def test_arm_name_does_not_resolve(azure: Azure) -> None:
    assert with_arm_at(azure, "https://nowhere.invalid").message.startswith("endpoint down")


def test_arm_of_another_cloud(azure: Azure) -> None:
    problem = refusal(azure, {"AUDITOR_ARM_ENDPOINT": closed_port()})
    assert problem.message.startswith("wrong cloud")


def test_no_right_anywhere(azure: Azure) -> None:
    body = e.estate()
    body["applications"][0]["reads"] = []
    azure.holds(body)
    problem = refusal(azure, subscriptions=(e.ML,))
    assert "sees none of" in problem.message
    assert e.ML in problem.message
    assert "grant Reader" in (problem.hint or "")


def test_unknown_management_group(azure: Azure) -> None:
    problem = refusal(azure, management_groups=("elsewhere",))
    assert "forbidden" in problem.message


def test_credentials_come_from_the_given_environment_only(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "another")
    request: CollectRequest = azure.request()
    assert collect(request, clock=azure.waiting.clock).complete
