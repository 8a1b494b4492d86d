"""Lists of messages: which of a workspace's messages fit a caller's filters, page by page.

Callers filter by the statuses that they see, three of which are not stored; the expression below derives them as
`core.holds` does.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilters:
    """What a list of messages is narrowed to. `status` is one that callers see."""

    status: str | None = None
    lead_id: str | None = None
    line_id: str | None = None
    batch_id: str | None = None
    created_from: int | None = None
    created_to: int | None = None
    direction: str | None = None


# The three faces of `waiting`, as `core.holds.explain` tells them apart; a test holds the two together. A message whose
# window has closed while it waited for its line shows as scheduled once the claim has looked at it.
_FACE = """
    CASE
        WHEN m.status <> 'waiting' THEN m.status
        WHEN m.due_at > :now AND m.hold IS NULL THEN 'scheduled'
        WHEN m.due_at > :now OR l.is_active = 0 OR d.state <> 'up' OR d.free_at > :now
            OR l.messages_per_day <= 0 OR (l.usage_total >= l.messages_per_day AND l.usage_until > :now)
            OR (m.lane = 2 AND l.contact_free_at > :now)
            OR (m.lane = 2 AND (l.new_per_day <= 0 OR (l.usage_new >= l.new_per_day AND l.usage_until > :now)))
            THEN 'queued'
        ELSE 'pending'
    END
"""

_JOINED = """
    FROM messages AS m
    JOIN lines AS l ON l.id = m.line_id
    JOIN devices AS d ON d.id = l.device_id
"""

_MATCHING = f"""
    m.workspace_id = :workspace_id
        AND (CAST(:status AS TEXT) IS NULL OR {_FACE} = :status)
        AND (CAST(:lead_id AS TEXT) IS NULL OR m.lead_id = :lead_id)
        AND (CAST(:line_id AS TEXT) IS NULL OR m.line_id = :line_id)
        AND (CAST(:batch_id AS TEXT) IS NULL OR m.batch_id = :batch_id)
        AND (CAST(:created_from AS BIGINT) IS NULL OR m.created_at >= :created_from)
        AND (CAST(:created_to AS BIGINT) IS NULL OR m.created_at <= :created_to)
        AND (CAST(:direction AS TEXT) IS NULL OR m.direction = :direction)
"""


# The filters that an index serves stand bare in texts of their own: as one half of an OR they would be served by none.
_OF_ANY = f"{_JOINED} WHERE {_MATCHING}"
_OF_LEAD = f"{_JOINED} WHERE m.lead_id = :lead_id AND {_MATCHING}"
_OF_BATCH = f"{_JOINED} WHERE m.batch_id = :batch_id AND {_MATCHING}"

_NEWEST_FIRST = "ORDER BY m.created_at DESC, m.id DESC LIMIT :limit OFFSET :offset"
# Plus nothing, or SQLite would rather read a whole workspace in this order than sort the few messages of a lead or batch.
_SORTED = "ORDER BY m.created_at + 0 DESC, m.id DESC LIMIT :limit OFFSET :offset"


def page(tx: Transaction, workspace_id: str, filters: MessageFilters, offset: int, limit: int) -> list[str]:
    """Return the ids of one page of a workspace's messages, newest first.

    Served by messages_of_batch, messages_of_lead or else messages_newest.
    """
    matching = _matching(filters)
    rows = tx.rows(
        f"SELECT m.id {matching} {_NEWEST_FIRST if matching is _OF_ANY else _SORTED}",
        {**_filter_params(tx, workspace_id, filters), "limit": limit, "offset": offset},
    )
    return [row[0] for row in rows]


def count(tx: Transaction, workspace_id: str, filters: MessageFilters) -> int:
    row = tx.one(f"SELECT count(*) {_matching(filters)}", _filter_params(tx, workspace_id, filters))
    return int(row[0]) if row else 0


def _matching(filters: MessageFilters) -> str:
    if filters.batch_id is not None:
        return _OF_BATCH
    return _OF_ANY if filters.lead_id is None else _OF_LEAD


def _filter_params(tx: Transaction, workspace_id: str, filters: MessageFilters) -> Mapping[str, object]:
    return {
        "workspace_id": workspace_id,
        "status": filters.status,
        "lead_id": filters.lead_id,
        "line_id": filters.line_id,
        "batch_id": filters.batch_id,
        "created_from": filters.created_from,
        "created_to": filters.created_to,
        "direction": filters.direction,
        "now": tx.now,
    }
