"""A PostgreSQL server of the tests' own: in a temporary directory, on a socket, as an unprivileged user."""

from __future__ import annotations

import importlib.util
import itertools
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


def binaries() -> Path | None:
    """The newest installed server's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda each: int(each.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def missing() -> str | None:
    """What is missing to start a server; None if nothing is."""
    if binaries() is None:
        return "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed"
    if os.geteuid() == 0 and (_unprivileged() is None or shutil.which("setpriv") is None):
        return "there is no user to run it as (postgres or nobody), or no setpriv"
    return None


def _unprivileged() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


@dataclass
class Cluster:
    """A running server. `stop` ends it, `restart` breaks all its connections."""

    directory: Path
    _names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    def start(cls, directory: Path) -> Cluster:
        """Make a cluster in this directory and start its server."""
        cluster = cls(directory)
        user = _unprivileged()
        if os.geteuid() == 0 and user is not None:
            os.chown(directory, user.pw_uid, user.pw_gid)
        cluster._run("initdb", "-D", str(cluster.data), "-U", "auditor", "-A", "trust", "-E", "UTF8", "--no-sync")
        cluster._control("start")
        return cluster

    @property
    def data(self) -> Path:
        """Where the cluster's files are."""
        return self.directory / "data"

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"history{next(self._names)}"
        self._run("createdb", "-h", str(self.directory), "-U", "auditor", name)
        return f"postgresql://auditor@/{name}?host={self.directory}"

    def restart(self) -> None:
        """Stop at once, as a crash would, and start again."""
        self._control("stop", "-m", "immediate")
        self._control("start")

    def stop(self) -> None:
        """End the server."""
        self._control("stop", "-m", "immediate")

    def begin(self) -> None:
        """Start the server again."""
        self._control("start")

    def _control(self, *what: str) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.directory}' -c fsync=off"
        start = ("-o", options, "-l", str(self.directory / "log")) if what[0] == "start" else ()
        self._run("pg_ctl", "-D", str(self.data), "-w", *start, *what)

    def _run(self, program: str, *arguments: str) -> None:
        found = binaries()
        assert found is not None
        command = [str(found / program), *arguments]
        user = _unprivileged()
        if os.geteuid() == 0 and user is not None:
            ids = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
            command = ["setpriv", *ids, "--", *command]
        # The server keeps what it inherits: a pipe would never end.
        with (self.directory / f"{program}.out").open("w", encoding="utf-8") as out:
            done = subprocess.run(
                command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False
            )
        if done.returncode != 0:
            raise RuntimeError(f"{program}: {(self.directory / f'{program}.out').read_text(encoding='utf-8')}")
