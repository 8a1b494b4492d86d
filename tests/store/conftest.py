"""The stores that a test of this folder is run with."""

from pathlib import Path

import pytest
from stores import Open, opener


@pytest.fixture(params=["sqlite", "inline", "postgres"])
def open_it(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """How to open a fresh store of each kind."""
    match request.param:
        case "sqlite":
            return opener(f"sqlite://{tmp_path}/posthaste.db")
        case "inline":
            return opener("inline")
        case _:
            return opener(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["sqlite", "postgres"])
def open_threaded(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """How to open a fresh store of each kind that works in threads."""
    if request.param == "sqlite":
        return opener(f"sqlite://{tmp_path}/posthaste.db")
    return opener(request.getfixturevalue("postgres_url"))
