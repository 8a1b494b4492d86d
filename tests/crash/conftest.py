"""What every crash test does: tell what it counted, also when it passes."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def shown(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Show what a test printed: how often it killed, and how many messages are unknown, is its result."""
    yield
    printed = capsys.readouterr().out
    with capsys.disabled():
        print(f"\n{printed}", end="")
