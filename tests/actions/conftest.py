"""The houses that a test of this folder is run in."""

from collections.abc import Iterator

import pytest
from builders import House, a_house


@pytest.fixture
def house() -> Iterator[House]:
    """A house on SQLite in memory."""
    with a_house() as house:
        yield house


@pytest.fixture(params=["sqlite", "postgres"])
def any_house(request: pytest.FixtureRequest) -> Iterator[House]:
    """A house on each database, for what must not differ."""
    with a_house("inline" if request.param == "sqlite" else request.getfixturevalue("postgres_url")) as house:
        yield house
