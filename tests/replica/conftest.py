"""A running replica of the small estate, and a plain HTTP client that trusts it."""

from collections.abc import Callable, Iterator

import pytest

from auditor.replica import Replica, serve
from auditor.replica.estate import from_document
from tests.replica.client import Client
from tests.replica.contoso import document


@pytest.fixture(scope="session")
def contoso() -> Iterator[Replica]:
    """One replica for all tests that change nothing on it."""
    with serve(from_document(document()), quota=False, arm_page_size=3) as replica:
        yield replica


@pytest.fixture
def client_of() -> Iterator[Callable[[Replica, int], Client]]:
    """Makes clients and closes them behind the test."""
    made: list[Client] = []

    def make(replica: Replica, application: int = 0) -> Client:
        made.append(Client(replica, application))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(contoso: Replica, client_of: Callable[[Replica, int], Client]) -> Client:
    return client_of(contoso, 0)


@pytest.fixture
def narrow(contoso: Replica, client_of: Callable[[Replica, int], Client]) -> Client:
    """Signed in as the application that reads one resource group only."""
    return client_of(contoso, 1)
