"""The query of `GET /api/messages`: which messages, and which page of them. Other lists have their pages read here, too."""

from collections.abc import Mapping
from dataclasses import dataclass

from posthaste.actions.show import MessageFilters
from posthaste.api.fields import own_id, text
from posthaste.core.errors import Refused, shown
from posthaste.core.lifecycle import Status
from posthaste.core.schedule import parse_instant

LIMIT_UNLESS_GIVEN = 50
LIMIT_AT_MOST = 200
PAGE_AT_MOST = 1_000_000
STATUSES = ("scheduled", "queued", "pending", *(status.value for status in Status if status is not Status.WAITING))
"""What a caller may filter by: the statuses of a document."""
DIRECTIONS = ("sent", "received")


@dataclass(frozen=True, slots=True)
class Selection:
    """One page of the messages that match."""

    filters: MessageFilters
    page: int
    limit: int


def parse_selection(query: Mapping[str, str]) -> Selection:
    refuse_nul(query)
    filters = MessageFilters(
        status=_status(query),
        lead_id=own_id(query, "leadId"),
        line_id=own_id(query, "lineId"),
        batch_id=text(query, "batchId"),
        created_from=_instant(query, "from"),
        created_to=_instant(query, "to"),
        direction=_direction(query),
    )
    return Selection(filters, *parse_page(query))


def parse_page(query: Mapping[str, str]) -> tuple[int, int]:
    """Return which page of how many entries."""
    page = _count(query, "page", unless_given=1, most=PAGE_AT_MOST)
    return page, _count(query, "limit", unless_given=LIMIT_UNLESS_GIVEN, most=LIMIT_AT_MOST)


def refuse_nul(query: Mapping[str, str]) -> None:
    """Refuse a character that the database does not take."""
    for name, value in query.items():
        if "\0" in value:
            raise Refused(f"{shown(name)[1:-1]} contains a NUL character", code="INVALID_CHARACTER")


def _direction(query: Mapping[str, str]) -> str | None:
    found = text(query, "direction")
    if found is not None and found not in DIRECTIONS:
        raise Refused(f"direction must be one of {', '.join(DIRECTIONS)}, got {shown(found)}", code="INVALID_CHOICE")
    return found


def _status(query: Mapping[str, str]) -> str | None:
    found = text(query, "status")
    if found is not None and found not in STATUSES:
        raise Refused(f"status must be one of {', '.join(STATUSES)}, got {shown(found)}", code="INVALID_STATUS")
    return found


def _instant(query: Mapping[str, str], name: str) -> int | None:
    found = text(query, name)
    return None if found is None else parse_instant(found, None, name)


def _count(query: Mapping[str, str], name: str, *, unless_given: int, most: int) -> int:
    found = text(query, name)
    if found is None:
        return unless_given
    # `isdecimal` alone takes digits of all scripts, of any length.
    if not (found.isascii() and found.isdecimal() and len(found) <= 9 and 1 <= int(found) <= most):
        raise Refused(f"{name} must be a whole number from 1 to {most}, got {shown(found)}", code="OUT_OF_RANGE")
    return int(found)
