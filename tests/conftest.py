"""What tests of several folders share."""

from collections.abc import Iterator

import pytest

from fixtures.postgres_server import PostgresServer


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server, started when the first test asks for it; with xdist each worker has its own."""
    server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a fresh, migrated database of this test alone."""
    with postgres_server.database() as url:
        yield url
