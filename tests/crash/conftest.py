"""Where races are run: one process on SQLite, two on PostgreSQL, in front of one sandbox."""

from pathlib import Path

import pytest


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh database of each kind; empty is SQLite in the data folder."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
