"""The real Azure CLI against the replica: `python scripts/az_cures.py [--az PATH] [CHECK…]`, which is `make test-az`.

For each case of `tests/cures` whose command the bare CLI has: the replica serves the estate and takes writes, a scan
finds the failure, `az` runs the printed command, and a second scan must no longer find it. The CLI is told of the
replica as of any other cloud: a cloud registered with `az cloud register`, `core.instance_discovery=false`, and
`REQUESTS_CA_BUNDLE`. It keeps its settings in a temporary folder, talks to loopback only, and sends no telemetry.
Not in CI: the CLI weighs 730 MB. Install it into an environment of its own, and name it with `--az`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from auditor.replica import Replica  # noqa: E402 - run as a file, the project is not on the path before
from tests.cures import cases, ward  # noqa: E402
from tests.cures.cure import better, told  # noqa: E402


class Refused(Exception):
    """The CLI ended with an error."""


class CommandLine:
    """`az`, signed in at one replica."""

    def __init__(self, az: str, replica: Replica, folder: Path) -> None:
        self._az = az
        told = replica.environment()
        self._environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(folder),
            "AZURE_CONFIG_DIR": str(folder / "az"),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "AZURE_CORE_INSTANCE_DISCOVERY": "false",
            "AZURE_CORE_NO_COLOR": "true",
            "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no",
            "REQUESTS_CA_BUNDLE": told["AUDITOR_CA_BUNDLE"],
        }
        self._secret, self._client, self._tenant = (
            told[f"AZURE_{word}"] for word in ("CLIENT_SECRET", "CLIENT_ID", "TENANT_ID")
        )
        base = replica.base_url
        self.run(
            "cloud", "register", "-n", "Replica", "--skip-endpoint-discovery",
            "--endpoint-resource-manager", base, "--endpoint-active-directory", base,
            "--endpoint-active-directory-resource-id", base,
            "--endpoint-active-directory-graph-resource-id", told["AUDITOR_GRAPH_ENDPOINT"],
            "--endpoint-microsoft-graph-resource-id", told["AUDITOR_GRAPH_ENDPOINT"],
            "--suffix-acr-login-server-endpoint", ".azurecr.io", "--suffix-storage-endpoint", "core.windows.net",
            "--suffix-keyvault-dns", ".vault.azure.net",
        )  # fmt: skip
        self.run("cloud", "set", "-n", "Replica")

    def sign_in(self) -> None:
        self.run("login", "--service-principal", "-u", self._client, "-p", self._secret, "--tenant", self._tenant)

    def run(self, *arguments: str) -> None:
        """Run `az`; Refused says what it said."""
        command = [self._az, *arguments]
        done = subprocess.run(command, env=self._environment, check=False, capture_output=True, text=True, timeout=300)
        if done.returncode:
            shown = " ".join(argument if argument != self._secret else "…" for argument in arguments)
            raise Refused(f"az {shown} ended with {done.returncode}: {done.stderr.strip()[-600:]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--az", default="az", help="the CLI's program")
    parser.add_argument("checks", nargs="*", help="only these checks")
    given = parser.parse_args()
    chosen = [key for key in cases.EVERY_TIME if not given.checks or key[0] in given.checks]
    failed = passed = 0
    first = ward.estate_of(*cases.things_of(*chosen[0]))
    with tempfile.TemporaryDirectory(prefix="az-cures-") as folder, Replica(first, quota=False, writes=True) as replica:
        az = CommandLine(given.az, replica, Path(folder))
        az.sign_in()
        for key in chosen:
            said = _cured(az, replica, key)
            if said == "extension":
                continue
            passed, failed = passed + (said == "cured"), failed + (said != "cured")
            print(f"{key[0]}: {key[1]}: {said}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def _cured(az: CommandLine, replica: Replica, key: cases.Key) -> str:
    replica.load(ward.estate_of(*cases.things_of(*key)))
    before = told(replica, key, cases.EVERY_TIME[key])
    commands = [one.argv for one in before.remediation.commands]
    if not all(map(cases.in_bare_cli, commands)):
        return "extension"
    for argv in filter(cases.changes, commands):
        try:
            az.run(*argv[1:])
        except Refused as problem:
            return str(problem)
    after = ward.findings(replica, key[0]).get(before.id)
    return "cured" if better(before, after) else f"still {after.outcome if after else None}: {after and after.reason}"


if __name__ == "__main__":
    sys.exit(main())
