"""What every crash test does: run on either database, and tell what it counted even if it passes."""

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh database of each kind; empty is SQLite in the data folder."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


@pytest.fixture(autouse=True)
def shown(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Show what a test printed: how often it killed, and how many messages are unknown, is its result."""
    yield
    printed = capsys.readouterr().out
    with capsys.disabled():
        print(f"\n{printed}", end="")
