"""What channels read of strangers: times in the two forms in which they come."""

import time
from collections.abc import Iterator
from datetime import UTC

import pytest

from posthaste.channels.reading import instant, instant_of_mail

NOON = 1_764_504_000_000


@pytest.fixture
def machine_elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the machine's own clock show another time than UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("machine_elsewhere")
@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("Sun, 30 Nov 2025 12:00:00 GMT", NOON),
        ("Sun, 30 Nov 2025 12:00:00 +0000", NOON),
        ("Sun, 30 Nov 2025 07:00:00 -0500", NOON),
        ("30-Nov-2025 12:00:00 -0000", NOON),  # Which names no zone, says RFC 2822.
        ("tomorrow", None),
        ("", None),
    ],
)
def test_a_date_of_mail_is_the_same_whatever_zone_the_machine_is_in(text: str, at: int | None) -> None:
    assert instant_of_mail(text) == at


@pytest.mark.usefixtures("machine_elsewhere")
@pytest.mark.parametrize(
    ("text", "in_utc", "as_it_says"),
    [
        ("2025-11-30T12:00:00Z", NOON, NOON),
        ("2025-11-30T13:00:00.250+01:00", NOON + 250, NOON + 250),
        ("2025-11-30T12:00:00", NOON, None),
        ("0001-01-01T00:00:00Z", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_a_time_without_a_zone_is_of_the_one_that_is_meant_or_none(
    text: str | None, in_utc: int | None, as_it_says: int | None
) -> None:
    assert (instant(text, UTC), instant(text)) == (in_utc, as_it_says)
