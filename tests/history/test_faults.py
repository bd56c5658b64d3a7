"""What may go wrong with a history: kills, locks, full disks, strangers' files, newer versions, lost servers."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from auditor.errors import UsageProblem
from auditor.history import HistoryProblem, NewerHistory, history_url, open_history
from auditor.history.engine import writing
from auditor.history.place import data_directory
from auditor.history.store import History
from tests.history import killed_at
from tests.history.postgresql import Cluster
from tests.nights import ONE, TWO, finding, night, resource

ROOT = Path(__file__).resolve().parents[2]
FAIL = finding("c", resource("aks"), "fail")


def test_a_kill_before_any_statement_of_a_write_leaves_the_history_whole(tmp_path: Path) -> None:
    template = tmp_path / "template.sqlite"
    killed_at.save(f"sqlite:///{template}", killed_at.FIRST)
    folder = tmp_path / "killed"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.history.killed_at", str(template), str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    statements = int(done.stdout)
    assert statements >= 12  # begin, scope set, run, stays, bodies, remarks, resources, commit
    with open_history(f"sqlite:///{folder / f'{statements}.sqlite'}") as lived:
        whole = lived.report("run-002")
        runs = lived.runs()
    for at in range(statements):
        url = f"sqlite:///{folder / f'{at}.sqlite'}"
        with open_history(url) as history:
            assert [run.id for run in history.runs()] == ["run-001"], f"killed before statement {at}"
            assert history.report("run-001").findings == killed_at.FIRST.findings
        # and the same night can be saved again
        killed_at.save(url, killed_at.SECOND)
        with open_history(url) as history:
            assert history.report("run-002") == whole
            assert history.runs() == runs


def test_a_kill_during_the_first_opening_leaves_a_history_that_opens(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, sqlalchemy as sa\n"
        "from auditor.history import open_history\n"
        "seen = []\n"
        "def before(*_):\n"
        "    seen.append(1)\n"
        "    if len(seen) == int(sys.argv[2]): os.kill(os.getpid(), signal.SIGKILL)\n"
        "sa.event.listen(sa.engine.Engine, 'before_cursor_execute', before)\n"
        "open_history(sys.argv[1]).close()\n"
    )
    killed = 0
    for at in (3, 8, 15):
        url = f"sqlite:///{tmp_path / f'{at}.sqlite'}"
        done = subprocess.run([sys.executable, "-c", program, url, str(at)], cwd=ROOT, check=False)
        killed += done.returncode == -9
        with open_history(url) as history:
            history.save(night(1, FAIL))
            assert history.report("run-001").findings == (FAIL,)
    assert killed == 3


def test_a_locked_history_says_so(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    open_history(f"sqlite:///{file}").close()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with open_history(f"sqlite:///{file}", patience_s=0.01) as history:
            with pytest.raises(HistoryProblem, match="another scan is writing to it"):
                history.save(night(1, FAIL))
            assert history.runs() == ()  # reading goes on
    finally:
        other.close()


def test_a_write_takes_its_lock_before_it_reads(tmp_path: Path) -> None:
    # A read that turned into a write would fail at once where another had written in between, however patient it is.
    file = tmp_path / "history.sqlite"
    other = sqlite3.connect(file, isolation_level=None, timeout=0)
    locked = pytest.raises(sqlite3.OperationalError, match="locked")
    with open_history(f"sqlite:///{file}") as history, writing(history._engine), locked:
        other.execute("BEGIN IMMEDIATE")
    other.close()


def test_a_full_disk_says_so_and_keeps_what_was_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'history.sqlite'}"
    with open_history(url) as history:
        history.save(night(1, FAIL))
        full(history)
        many = (finding("c", resource(f"aks{number}"), "fail") for number in range(2000))
        with pytest.raises(HistoryProblem, match="no space left"):
            history.save(night(2, *many))
        assert [run.id for run in history.runs()] == ["run-001"]
    with open_history(url) as history:
        assert history.report("run-001").findings == (FAIL,)


def full(history: History) -> None:
    """Let the database file grow no further."""

    @sa.event.listens_for(history._engine, "begin")
    def limit(connection: sa.engine.Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")


STRANGERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "not a database": (lambda file: file.write_bytes(b"hello " * 1000), "not an SQLite database"),
    "a directory": (lambda file: file.mkdir(), "cannot be opened"),
}


@pytest.mark.parametrize(("make", "message"), STRANGERS.values(), ids=STRANGERS)
def test_what_is_not_a_history_is_left_alone(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    file = tmp_path / "history.sqlite"
    make(file)
    with pytest.raises(HistoryProblem, match=message):
        open_history(f"sqlite:///{file}")
    assert file.is_dir() or file.read_bytes() == b"hello " * 1000


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    other = sqlite3.connect(file)
    other.execute("CREATE TABLE cookies (id)")
    other.close()
    with pytest.raises(HistoryProblem, match="a database of another program: it holds 'cookies'"):
        open_history(f"sqlite:///{file}")


def test_a_damaged_history_is_a_problem_not_a_traceback(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    with open_history(f"sqlite:///{file}") as history:
        history.save(night(1, *(finding("c", resource(f"aks{number}"), "fail") for number in range(500))))
    whole = file.read_bytes()
    file.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    with pytest.raises(HistoryProblem), open_history(f"sqlite:///{file}") as history:
        history.report("run-001")


URLS = {
    "no URL": ("history", "is not one"),
    "another database": ("mysql://user:secret@host/db", "no history in mysql"),
    "a server that is not there": ("postgresql://me:secret@127.0.0.1:1/db", "127.0.0.1:1/db"),
}


@pytest.mark.parametrize(("url", "message"), URLS.values(), ids=URLS)
def test_a_wrong_url_is_told_without_its_password(url: str, message: str) -> None:
    with pytest.raises(HistoryProblem, match=message) as caught:
        open_history(url, patience_s=2)
    assert "secret" not in f"{caught.value} {caught.value.hint}"


def test_a_newer_schema_is_refused_and_not_touched(url: str) -> None:
    with open_history(url) as history:
        history.save(night(1, FAIL))
        with history._engine.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerHistory, match="has schema 9999, newer than this version") as caught:
        open_history(url)
    assert isinstance(caught.value, UsageProblem)


def test_a_place_without_a_history_can_be_asked_not_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(HistoryProblem, match="there is no history at"):
        open_history(f"sqlite:///{tmp_path / 'none.sqlite'}", create=False)
    assert list(tmp_path.iterdir()) == []


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with open_history(f"sqlite:///{tmp_path / 'deep' / 'er' / 'history.sqlite'}") as history:
            history.save(night(1, FAIL))
            made = [each for each in tmp_path.rglob("*") if each.is_file()]
            assert {stat.S_IMODE(each.stat().st_mode) for each in made} == {0o600}
            assert stat.S_IMODE((tmp_path / "deep" / "er").stat().st_mode) == 0o700
    finally:
        os.umask(before)


def test_two_scans_at_once_are_both_kept(url: str) -> None:
    first, second = open_history(url), open_history(url)
    failed: list[BaseException] = []

    def save(history: History, numbers: range) -> None:
        try:
            for number in numbers:
                outcome = "fail" if number % 3 else "pass"
                history.save(night(number, finding("c", resource("aks"), outcome)))
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failed.append(error)

    threads = [
        threading.Thread(target=save, args=(first, range(1, 11))),
        threading.Thread(target=save, args=(second, range(11, 21))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert {run.id for run in first.runs()} == {f"run-{number:03}" for number in range(1, 21)}
    for number in range(1, 21):
        [found] = second.report(f"run-{number:03}").findings
        assert found.outcome == ("fail" if number % 3 else "pass")
    first.close()
    second.close()


@pytest.mark.postgresql
def test_a_server_that_restarts_in_mid_write_is_tried_again(cluster: Cluster) -> None:
    with open_history(cluster.new_database()) as opened:
        paused: list[float] = []
        history = History(opened._engine, pause=paused.append)
        history.save(night(1, FAIL))
        restarts = iter([cluster.restart])

        @sa.event.listens_for(history._engine, "before_cursor_execute")
        def restart(*arguments: object) -> None:
            if "INSERT INTO stay" in str(arguments[2]):
                next(restarts, lambda: None)()

        history.save(night(2, finding("c", resource("aks"), "pass")))
        assert len(paused) == 1
        assert history.report("run-002").findings[0].outcome == "pass"
        assert [run.id for run in history.runs()] == ["run-002", "run-001"]


@pytest.mark.postgresql
def test_a_server_that_stays_away_is_a_problem_in_the_end(cluster: Cluster) -> None:
    with open_history(cluster.new_database(), patience_s=1) as opened:
        paused: list[float] = []
        history = History(opened._engine, pause=paused.append)
        cluster.stop()
        try:
            with pytest.raises(HistoryProblem, match="cannot write to the history postgresql://"):
                history.save(night(1, FAIL))
        finally:
            cluster._control("start")
        assert len(paused) == 4


PLACES = {
    "said": ({"AUDITOR_HISTORY": "sqlite:///x"}, "linux", None),
    "Linux": ({"HOME": "/h"}, "linux", "/h/.local/share/auditor"),
    "XDG": ({"HOME": "/h", "XDG_DATA_HOME": "/d"}, "linux", "/d/auditor"),
    "XDG must be absolute": ({"HOME": "/h", "XDG_DATA_HOME": "d"}, "linux", "/h/.local/share/auditor"),
    "macOS": ({"HOME": "/h"}, "darwin", "/h/Library/Application Support/auditor"),
    "Windows": ({"HOME": "/h", "LOCALAPPDATA": "/l"}, "win32", "/l/auditor"),
}


@pytest.mark.parametrize(("environ", "platform", "folder"), PLACES.values(), ids=PLACES)
def test_where_it_lies(environ: dict[str, str], platform: str, folder: str | None) -> None:
    if folder is None:
        assert history_url(environ) == "sqlite:///x"
    else:
        assert data_directory(environ, platform) == Path(folder)


def test_opening_imports_alembic_only_if_the_schema_is_behind(tmp_path: Path) -> None:
    program = (
        "import sys, auditor.history\n"
        "print('sqlalchemy' in sys.modules)\n"
        "auditor.history.open_history(sys.argv[1]).close()\n"
        "print('alembic' in sys.modules)\n"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-c", program, f"sqlite:///{tmp_path / 'history.sqlite'}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert answers == [["False", "True"], ["False", "False"]]


def test_scopes_of_the_baseline_are_a_set() -> None:
    with open_history("sqlite://") as history:
        history.save(night(1, FAIL, scopes=[TWO, ONE, ONE.upper()]))
        assert history.baseline_for([ONE, TWO]) is not None
