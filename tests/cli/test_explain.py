"""`auditor explain` as a person calls it: a finding of a report, and a packet in a snapshot."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.estate import Thing, allow_out, cluster, deny_out, nsg, rows, service_tags, subnet, vnet

Run = Callable[..., int]
HOSTILE = "Deny\u202etuo\x1b[31m"
FENCE = nsg("fence", allow_out(100, to="Storage"), deny_out(200, to="Internet", name=HOSTILE))
ESTATE = (
    cluster(nodes=subnet(nsg=FENCE)),
    subnet("open", "10.1.0.0/24"),
    service_tags(Storage=["20.60.0.0/16"], AzureContainerRegistry=["20.1.0.0/16"]),
)


def written(folder: Path, *things: Thing) -> str:
    """The estate as a snapshot file."""
    path = folder / "estate.jsonl"
    bodies, _ = rows(*things)
    path.write_text("".join(json.dumps(body) + "\n" for body in bodies), encoding="utf-8")
    return str(path)


@pytest.fixture
def estate(tmp_path: Path) -> str:
    return written(tmp_path, *ESTATE)


PACKET = ("--packet", "10.0.0.4", "20.1.2.3", "443/tcp")


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def holds(lines: Iterable[str], text: str) -> bool:
    return any(text in line for line in lines)


def test_a_packet_is_followed_through_the_groups(run: Run, estate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", *PACKET, "--snapshot", estate) == 0
    lines = shown(capsys)
    assert lines[0] == "Tcp 10.0.0.4 -> 20.1.2.3:443: denied"
    assert lines[2] == "  10.0.0.4 lies in subnet nodes (10.0.0.0/22) of virtual network net"
    assert holds(lines, "network security group fence (resource group net)")
    assert holds(lines, "Allow-Outbound-100 (100, Allow) does not match: its destination is Storage")
    assert lines[-1].startswith("  => denied by Deny")


def test_hostile_names_stay_text(run: Run, estate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", *PACKET, "--snapshot", estate) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "Deny⟨U+202E⟩tuo⟨U+001B⟩[31m" in out


def test_a_packet_that_passes_shows_its_next_hop(run: Run, estate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", "--packet", "10.0.0.4", "20.60.2.3", "443/tcp", "--snapshot", estate) == 0
    lines = shown(capsys)
    assert lines[0].endswith(": allowed")
    assert "next hop from nodes" in lines
    assert "     1. 20.60.2.3 goes to Internet by the system route 0.0.0.0/0" in lines


def test_a_destination_may_be_a_service_tag(run: Run, estate: str, capsys: pytest.CaptureFixture[str]) -> None:
    packet = ("--packet", "10.0.0.4", "azurecontainerregistry", "443/tcp")
    assert run("explain", *packet, "--snapshot", estate) == 0
    assert shown(capsys)[0] == "Tcp 10.0.0.4 -> AzureContainerRegistry:443: denied"


def test_for_programs(run: Run, estate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", *PACKET, "--snapshot", estate, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["packet"] == {"source": "10.0.0.4", "destination": "20.1.2.3", "port": 443, "protocol": "Tcp"}
    [answer] = found["answers"]
    assert answer["access"] == "denied"
    [stage] = answer["stages"]
    assert (stage["access"], stage["reason"]) == ("denied", "denied")
    kinds = [step["kind"] for part in stage["sections"] for step in part["steps"]]
    assert kinds == ["nsg-no-group", "nsg-no-match", "nsg-decides"]


def test_a_verdict_is_replayed_from_its_recorded_trace(
    run: Run, estate: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check = {"AUDITOR_CHECK": "nsg-default-outbound-kept"}
    run("scan", "--snapshot", estate, "--fail-on", "never", **check)
    report = tmp_path / "out" / "report.json"
    [finding] = json.loads(report.read_text(encoding="utf-8"))["findings"]
    assert finding["trace"]
    capsys.readouterr()
    assert run("explain", finding["id"], "--report", str(report)) == 0
    lines = shown(capsys)
    assert "How it was decided" in lines
    assert holds(lines, "  network security group fence (resource group net)")
    assert run("explain", finding["id"], "--report", str(report), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    steps = [step for part in found["steps"] for step in part["steps"]]
    assert {key: found[key] for key in finding} == finding
    assert {step["kind"] for step in steps} <= {step["kind"] for step in finding["trace"]}
    assert "{rule}" not in "".join(step["text"] for step in steps)


def test_a_verdict_on_a_property_says_that_nothing_was_tried(
    run: Run, estate: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("scan", "--snapshot", estate, "--fail-on", "never", AUDITOR_CHECK="aks-private-api-server")
    report = tmp_path / "out" / "report.json"
    [finding] = json.loads(report.read_text(encoding="utf-8"))["findings"]
    assert not finding["trace"]
    capsys.readouterr()
    assert run("explain", finding["id"], "--report", str(report)) == 0
    lines = shown(capsys)
    at = lines.index("How it was decided")
    assert lines[at + 1] == "  by the properties below; no rules or assignments had to be tried"


MISTAKES = {
    "neither": ((), "error: `auditor explain` needs a FINDING-ID or --packet"),
    "both": (("0123", *PACKET), "error: `auditor explain` explains a finding or a --packet, not both"),
    "no estate": (PACKET, "error: --packet needs an estate to ask in: --snapshot FILE"),
    "a packet in two parts": (("--packet", "10.0.0.4", "20.1.2.3"), "error: "),
    "a snapshot that is not there": ((*PACKET, "--snapshot", "none.jsonl"), "error: "),
}


@pytest.mark.parametrize(("arguments", "line"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_a_line(
    run: Run, arguments: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("explain", *arguments) in (2, 4)
    seen = capsys.readouterr()
    assert seen.err.startswith(line)
    assert "Traceback" not in seen.err
    assert seen.out == ""


def test_an_address_of_nowhere_is_a_line(run: Run, estate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", "--packet", "172.16.0.4", "20.1.2.3", "443/tcp", "--snapshot", estate) == 2
    assert capsys.readouterr().err.startswith("error: no subnet that was read holds 172.16.0.4 or 20.1.2.3")


def test_a_network_without_inference_can_be_asked_about(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = written(tmp_path, vnet("net", subnet("jump", "10.0.0.0/24")))
    assert run("explain", *PACKET, "--snapshot", name) == 0
    assert holds(shown(capsys), "no interface with this address was read")
