"""The service as a process: signals, kills, a second instance, what is missing, what it is told wrongly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import auditor.demo
from auditor.cli import main
from auditor.replica import Replica, serve
from tests.service.process import AUDITOR, SCANS, Process

ESTATE = Path(auditor.demo.__file__).parent / "estates" / "night-1.json"


@pytest.fixture(scope="module")
def held() -> Iterator[Replica]:
    """A replica whose answers to queries take very long, so that a scan is under way for as long as a test needs."""
    with serve(
        ESTATE, quota=False, fault_plan=[{"match": {"operation": "resource-graph"}, "fault": "slow", "seconds": 0.6}]
    ) as replica:
        yield replica


@pytest.fixture
def environment(held: Replica) -> dict[str, str]:
    return {**held.environment(), "AUDITOR_MANAGEMENT_GROUP": "contoso"}


def explained(process: Process, folder: Path, findings: list[dict[str, Any]], lang: str) -> None:
    """Over HTTP a verdict is explained as `auditor explain` does, in the same words."""
    longest = max(findings, key=lambda each: len(each["trace"]))
    assert len(longest["trace"]) > 2
    told = process.ask("GET", f"/api/v1/findings/{longest['id']}/explanation?lang={lang}").json()
    printed = subprocess.run(
        [*AUDITOR, "explain", longest["id"], "--json", "--lang", lang],
        capture_output=True,
        text=True,
        cwd=folder,
        env=dict(os.environ) | {"AUDITOR_HISTORY": f"sqlite:///{folder / 'history.sqlite'}"},
        check=True,
    )
    expected = json.loads(printed.stdout)
    assert told["sections"] == expected.pop("steps")
    assert told["finding"] == expected
    assert told["title"]
    assert (told["message"] == longest["message"]) == (lang == "en")


def test_a_scan_over_the_wire_on_demand(tmp_path: Path, environment: dict[str, str]) -> None:
    process = Process(tmp_path, environment)
    try:
        job = process.ask("POST", SCANS, json={"checks": ["aks-*"]}).json()["id"]
        list(process.ask("GET", f"{SCANS}/{job}/events", stream=True).iter_lines())
        done = process.ask("GET", f"{SCANS}/{job}").json()
        assert done["state"] == "done", done
        found = process.ask("GET", f"/api/v1/findings?run={done['runId']}&limit=500").json()
        assert found["total"] > 20
        assert all(each["check"].startswith("aks-") for each in found["items"])
        explained(process, tmp_path, found["items"], "en")
        explained(process, tmp_path, found["items"], "zh-CN")
    finally:
        said = process.end(signal.SIGTERM)
    assert environment["AZURE_CLIENT_SECRET"] not in said


def test_sigterm_in_mid_scan_marks_it_interrupted_and_ends_in_time(tmp_path: Path, environment: dict[str, str]) -> None:
    process = Process(tmp_path, environment)
    job = process.under_way()
    said = process.end(signal.SIGTERM)
    assert process.process.returncode == 0
    assert "SIGTERM: stopping" in said
    again = Process(tmp_path, environment)
    try:
        left = again.ask("GET", f"{SCANS}/{job}").json()
        assert (left["state"], left["runId"]) == ("interrupted", None)
        assert again.ask("GET", "/api/v1/runs").json()["items"] == []
    finally:
        again.end(signal.SIGTERM)


def test_kill_in_mid_scan_leaves_a_history_that_says_so(tmp_path: Path, environment: dict[str, str]) -> None:
    process = Process(tmp_path, environment)
    job = process.under_way()
    process.end(signal.SIGKILL)
    again = Process(tmp_path, environment)
    try:
        left = again.ask("GET", f"{SCANS}/{job}").json()
        assert (left["state"], left["note"]) == ("interrupted", "the process that had it ended without saying so")
        asked = again.ask("POST", SCANS, json={})
        assert (asked.status_code, asked.json()["how"]) == (202, "new")
    finally:
        again.end(signal.SIGTERM)


def test_a_second_instance_over_sqlite_refuses_to_start_in_one_line(tmp_path: Path) -> None:
    process = Process(tmp_path, {})
    try:
        second = subprocess.run(
            [*AUDITOR, "serve", "--listen", "127.0.0.1:0", "--no-auth"],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=dict(os.environ) | {"AUDITOR_HISTORY": f"sqlite:///{tmp_path / 'history.sqlite'}"},
            check=False,
        )
        assert second.returncode == 2
        error, hint = second.stderr.splitlines()
        assert error.startswith(f"error: another `auditor serve` (process {process.process.pid}) uses ")
        assert "PostgreSQL" in hint
    finally:
        process.end(signal.SIGTERM)
    process = Process(tmp_path, {})  # the lock went with its holder
    process.end(signal.SIGTERM)


MISTAKES = {
    "no sign-in beyond loopback": (("--no-auth", "--listen", "0.0.0.0:0"), "loopback only, not on 0.0.0.0"),
    "no sign-in on another address": (("--no-auth", "--listen", "192.0.2.1:80"), "loopback only, not on 192.0.2.1"),
    "no sign-in by a name": (("--no-auth", "--allow-host", "auditor.example"), "contradict"),
    "everywhere, by no name": (("--listen", "0.0.0.0:0"), "by which names"),
    "no port": (("--listen", "127.0.0.1"), "no address to listen on"),
    "a port too high": (("--listen", "127.0.0.1:70000"), "no address to listen on"),
    "a name that is a URL": (("--allow-host", "https://auditor.example"), "no host name"),
    "an audience without a tenant": (("--audience", "api://auditor"), "tenant's id"),
    "a domain for a tenant": (("--audience", "api://a", "--sign-in-tenant", "contoso.com"), "tenant's id"),
    "a proxy's header without an audience": (("--proxy-header", "X-Token"), "needs --audience"),
    "nothing to do": (("--listen", "off"), "nothing to serve"),
    "an address of another machine": (("--listen", "192.0.2.1:0", "--allow-host", "a.example"), "cannot listen on"),
}


@pytest.mark.parametrize(("arguments", "named"), MISTAKES.values(), ids=MISTAKES)
def test_what_it_is_told_wrongly_is_one_line(
    tmp_path: Path, arguments: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    history = {"AUDITOR_HISTORY": f"sqlite:///{tmp_path / 'history.sqlite'}"}
    assert main(["serve", *arguments], environment=history, working_directory=tmp_path) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("error: ")
    assert named in told[0]
    assert len(told) <= 2


@pytest.mark.postgresql
def test_a_database_that_is_not_there_yet_is_no_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Supervisors start it again on 4, and do not on 2."""
    history = {"AUDITOR_HISTORY": "postgresql://me:s3cr3t@127.0.0.1:1/history"}
    flags = ("--no-auth", "--listen", "127.0.0.1:0")
    assert main(["serve", *flags], environment=history, working_directory=tmp_path) == 4
    error, hint = capsys.readouterr().err.splitlines()
    assert error.startswith("error: cannot open the history postgresql://me:***@127.0.0.1:1/history: ")
    assert "started again" in hint


FILES = {
    "who is let in, by a file that was found": ("[service]\naudience = ['x']\n", False, "may not say who is let in"),
    "an unknown key": ("[service]\nlisten_on = 'x'\n", True, "did you mean `listen`"),
    "a text for a list": ("[service]\naudience = 'x'\n", True, "list of texts"),
    "a schedule without a name": ("[[schedule]]\ncron = '0 2 * * *'\n", False, "needs a `name`"),
    "a schedule's unknown key": ("[[schedule]]\nname = 'a'\ncorn = 'x'\n", False, "did you mean `cron`"),
    "two of a name": ("[[schedule]]\nname = 'a'\ncron = '0 2 * * *'\n" * 2, False, "another schedule called `a`"),
    "a jitter of days": ("[[schedule]]\nname = 'a'\ncron = '0 2 * * *'\njitter = '9h'\n", False, "three hours"),
    "scopes that are none": (
        "[[schedule]]\nname = 'a'\ncron = '0 2 * * *'\nsubscription = ['x']\n",
        False,
        "no subscription id",
    ),
    "one table for a list": ("[schedule]\nname = 'a'\n", False, "[[schedule]]"),
}


@pytest.mark.parametrize(("text", "named_file", "named"), FILES.values(), ids=FILES)
def test_what_a_file_says_wrongly_is_named(
    tmp_path: Path, text: str, named_file: bool, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "auditor.toml").write_text(text, encoding="utf-8")
    history = {"AUDITOR_HISTORY": f"sqlite:///{tmp_path / 'history.sqlite'}"}
    flags = ("--config", str(tmp_path / "auditor.toml")) if named_file else ()
    assert main(["serve", *flags], environment=history, working_directory=tmp_path) == 2
    assert named in capsys.readouterr().err


def test_without_its_packages_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        return None\n"
        "import importlib.util as util\n"
        "found = util.find_spec\n"
        "util.find_spec = lambda name, package=None: None if name == 'litestar' else found(name, package)\n"
        "from auditor.cli import main\n"
        "sys.exit(main(['serve', '--no-auth', '--listen', '127.0.0.1:0']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=dict(os.environ) | {"AUDITOR_HISTORY": f"sqlite:///{tmp_path / 'h.sqlite'}", "PYTHONPATH": os.getcwd()},
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'auditor[serve]'" in done.stderr


def test_the_command_line_imports_nothing_of_the_http_side() -> None:
    code = (
        "import sys, auditor.cli.commands.serve, auditor.service, auditor.service.run;"
        "print(sorted({'litestar', 'uvicorn', 'jwt', 'prometheus_client', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tokens_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = {"AUDITOR_HISTORY": f"sqlite:///{tmp_path / 'history.sqlite'}"}

    def call(*arguments: str) -> tuple[int, str, str]:
        status = main(["token", *arguments], environment=history, working_directory=tmp_path)
        seen = capsys.readouterr()
        return status, seen.out, seen.err

    status, made, said = call("create", "nightly", "--role", "run", "--expires", "12w")
    assert (status, made.startswith("auditor_")) == (0, True)
    assert made.strip() not in said
    assert call("create", "nightly")[0] == 2
    assert "unknown role `admin`" in call("create", "x", "--role", "admin")[2]
    assert "no length of time" in call("create", "x", "--expires", "soon")[2]
    assert "between a second and 366 days" in call("create", "x", "--expires", "400d")[2]
    assert "no name for a token" in call("create", "a b\nc")[2]
    _, table, _ = call("list")
    assert "nightly" in table
    assert "Auditor.Run" in table
    assert "good" in table
    assert made.strip() not in table
    assert call("revoke", "nightly")[0] == 0
    assert "revoked" in call("list")[1]
    assert "there is no token `nobody`" in call("revoke", "nobody")[2]


def test_logs_are_json_lines_where_that_is_asked_for(tmp_path: Path) -> None:
    process = Process(tmp_path, {}, "--log-format", "json")
    process.ask("GET", "/api/v1/runs")
    said = process.end(signal.SIGTERM)
    deeds = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert any(deed["logger"] == "auditor.service.audit" for deed in deeds)
