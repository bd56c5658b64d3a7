"""`auditor serve` in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

AUDITOR = [sys.executable, "-m", "auditor"]
SCANS = "/api/v1/scans"


class Process:
    """Without sign-in; its history is a file in the folder, if the environment names no other."""

    def __init__(self, folder: Path, environment: dict[str, str], *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*AUDITOR, "serve", "--listen", "127.0.0.1:0", "--no-auth", *arguments],
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env=dict(os.environ) | {"AUDITOR_HISTORY": f"sqlite:///{folder / 'history.sqlite'}"} | environment,
        )
        assert self.process.stderr is not None
        self.said: list[str] = []
        while not self.said or not self.said[-1].startswith("listening on "):
            self.said.append(self.process.stderr.readline())
            assert self.said[-1], self.said
        self.base = self.said[-1].split()[-1]

    def ask(self, method: str, path: str, **how: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, self.base + path, timeout=60, **how)

    def end(self, number: signal.Signals) -> str:
        """Send a signal; what it says until it ends."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=120)
        return said

    def await_line(self, text: str) -> str:
        """Read what it says until a line holds a text."""
        assert self.process.stderr is not None
        while text not in (self.said[-1] if self.said else ""):
            self.said.append(self.process.stderr.readline())
            assert self.said[-1], (text, self.said)
        return self.said[-1]

    def under_way(self) -> str:
        """A new scan that has begun to read."""
        job: str = self.ask("POST", SCANS, json={}).json()["id"]
        answer = self.ask("GET", f"{SCANS}/{job}/events", stream=True)
        for line in answer.iter_lines(decode_unicode=True):
            if line == "event: progress":
                return job
        raise AssertionError("it ended before it began")

    def finished(self, job: str) -> dict[str, Any]:
        """A scan, once it is over: its events are read to their end."""
        for _ in self.ask("GET", f"{SCANS}/{job}/events", stream=True).iter_lines():
            pass
        found: dict[str, Any] = self.ask("GET", f"{SCANS}/{job}").json()
        return found
