"""The houses that a test of this folder is run in."""

from collections.abc import Iterator

import pytest
from builders import Ground, House, a_ground, a_house

from fixtures.postgres_server import PostgresServer


@pytest.fixture
def house() -> Iterator[House]:
    """A house on SQLite in memory."""
    with a_house() as house:
        yield house


@pytest.fixture(scope="session")
def ground(postgres_server: PostgresServer) -> Iterator[Ground]:
    """The one PostgreSQL database of this folder."""
    with postgres_server.database() as url, a_ground(url) as ground:
        yield ground


@pytest.fixture(params=["sqlite", "postgres"])
def any_house(request: pytest.FixtureRequest) -> Iterator[House]:
    """A house on each database, for what must not differ."""
    with a_house() if request.param == "sqlite" else request.getfixturevalue("ground").house() as house:
        yield house


@pytest.fixture
def helpful_house() -> Iterator[House]:
    """A house that answers those who ask for help."""
    with a_house(help_text="Call us.") as one:
        yield one
