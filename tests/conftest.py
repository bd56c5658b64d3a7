"""Settings that all tests share: no network but loopback, nothing of this machine's environment, golden files."""

from __future__ import annotations

import ipaddress
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Microsoft's full lists (service tags, built-in roles), where the machine has them; never committed."""

# A shared machine is slow at odd moments: a test fails for what it finds, never for the time it took.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files anew; then read the diff")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written instead of compared."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of full lists; tests over them skip where it is missing, and say so."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the full lists (../shared/data) are not on this machine")
    return SHARED_DATA


@pytest.fixture(scope="session", autouse=True)
def _a_world_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No credentials, settings, history or locale of whoever runs the tests."""
    kept = dict(os.environ)
    for name in kept:
        if name.startswith(("AZURE_", "AUDITOR_", "LC_", "IDENTITY_", "MSI_")) or name in ("LANG", "LANGUAGE"):
            del os.environ[name]
    os.environ["LC_ALL"] = "C.UTF-8"
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("data"))
    yield
    os.environ.clear()
    os.environ.update(kept)


def _stay_on_loopback(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        _refuse_unless_loopback(str(arguments[1][0]))
    elif event == "socket.getaddrinfo" and arguments[0]:
        host = arguments[0]
        _refuse_unless_loopback(host.decode() if isinstance(host, bytes) else str(host))


def _refuse_unless_loopback(host: str) -> None:
    try:
        fine = ipaddress.ip_address(host.partition("%")[0]).is_loopback or host in ("0.0.0.0", "::")
    except ValueError:
        # Names that can never resolve are how tests ask for an endpoint that is down.
        fine = host == "localhost" or host.endswith((".invalid", ".localhost", ".test"))
    if not fine:
        raise PermissionError(f"tests talk to loopback only, not to {host}")


sys.addaudithook(_stay_on_loopback)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests that open a page: playwright allows one at a time in a process."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        complaint = "no Chromium on the PATH (Debian: apt-get install chromium), so the report was opened by nobody"
        if os.environ.get("CI"):
            pytest.fail(complaint)
        pytest.skip(complaint)
    with sync_playwright() as playwright:
        # Root may not use Chromium's sandbox; the pages are our own files.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()
