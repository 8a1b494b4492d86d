"""The messages that wait: which is due next on a line and lane, for whom, and through which devices.

The same table as `messages`, seen as a queue. Whoever changes what waits holds the locks of the devices.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from posthaste.core.messages import Lane
from posthaste.store.transaction import Transaction


def heads(tx: Transaction, lane: Lane, line_ids: Collection[str], each: int) -> list[str]:
    """Return the ids of the first `each` due messages of one lane of each line. Served by messages_due."""
    rows = tx.rows(
        """
        SELECT (
            SELECT string_agg(head.id, ',')
            FROM (
                SELECT m.id
                FROM messages AS m
                WHERE m.line_id = l.id AND m.lane = :lane AND m.status = 'waiting' AND m.due_at <= :now
                ORDER BY m.due_at, m.id
                LIMIT :each
            ) AS head
        )
        FROM lines AS l
        WHERE l.id IN EACH(:line_ids)
        """,
        {"lane": int(lane), "now": tx.now, "each": each, "line_ids": list(line_ids)},
    )
    return [message_id for (ids,) in rows if ids for message_id in ids.split(",")]


def first_due(tx: Transaction, device_ids: Collection[str]) -> dict[tuple[str, int], int]:
    """Return when the first waiting message of each line and lane of these devices is due. Served by messages_due."""
    rows = tx.rows(
        """
        SELECT l.id,
            (SELECT min(m.due_at) FROM messages AS m WHERE m.line_id = l.id AND m.lane = 0 AND m.status = 'waiting'),
            (SELECT min(m.due_at) FROM messages AS m WHERE m.line_id = l.id AND m.lane = 1 AND m.status = 'waiting'),
            (SELECT min(m.due_at) FROM messages AS m WHERE m.line_id = l.id AND m.lane = 2 AND m.status = 'waiting')
        FROM lines AS l
        WHERE l.device_id IN EACH(:ids)
        """,
        {"ids": list(device_ids)},
    )
    return {(line_id, lane): due for line_id, *dues in rows for lane, due in enumerate(dues) if due is not None}


def park(tx: Transaction, parked: Sequence[tuple[str, int, str | None]]) -> None:
    """Move waiting messages to a later due time, as (id, due_at, hold)."""
    tx.many(
        "UPDATE messages SET due_at = :due_at, hold = :hold, updated_at = :updated_at WHERE id = :id AND status = 'waiting'",
        [{"id": one, "due_at": due_at, "hold": hold, "updated_at": tx.now} for one, due_at, hold in parked],
    )


def relane(tx: Transaction, moved: Sequence[tuple[str, Lane]]) -> None:
    """Move waiting messages to another lane, as (id, lane)."""
    tx.many(
        "UPDATE messages SET lane = :lane WHERE id = :id AND status = 'waiting'",
        [{"id": one, "lane": int(lane)} for one, lane in moved],
    )


def relane_person(tx: Transaction, people: Iterable[tuple[str, str]], lane: Lane) -> None:
    """Move what waits for people, as (workspace_id, address), up to a better lane. Served by messages_waiting_for."""
    tx.many(
        """
        UPDATE messages SET lane = :lane
        WHERE workspace_id = :workspace_id AND address = :address AND status = 'waiting' AND lane > :lane
        """,
        [{"workspace_id": w, "address": address, "lane": int(lane)} for w, address in sorted(people)],
    )


def movable(tx: Transaction, line_id: str, lanes: Iterable[Lane], limit: int) -> list[str]:
    """Return the ids of what waits in lanes of a line that no caller asked for, first due first. Served by messages_due."""
    rows = tx.rows(
        """
        SELECT id FROM messages
        WHERE line_id = :line_id AND lane IN EACH(:lanes) AND status = 'waiting' AND line_asked = 0
        ORDER BY due_at, id
        LIMIT :limit
        """,
        {"line_id": line_id, "lanes": [int(one) for one in lanes], "limit": limit},
    )
    return [row[0] for row in rows]


def move(tx: Transaction, moved: Sequence[tuple[str, str]]) -> None:
    """Move waiting messages to other lines, as (id, line_id)."""
    tx.many(
        "UPDATE messages SET line_id = :line_id, updated_at = :now WHERE id = :id AND status = 'waiting'",
        [{"id": one, "line_id": line_id, "now": tx.now} for one, line_id in moved],
    )


def devices_in_doubt_for(tx: Transaction, people: Iterable[tuple[str, str]]) -> set[str]:
    """Return the devices through which messages wait only for the outcome of an earlier send to one of these people."""
    return {
        row[0]
        for workspace_id, addresses in _by_workspace(people)
        for row in tx.rows(
            """
            SELECT DISTINCT l.device_id
            FROM messages AS m
            JOIN lines AS l ON l.id = m.line_id
            WHERE m.workspace_id = :workspace_id AND m.address IN EACH(:addresses)
                AND m.status = 'waiting' AND m.hold = 'outcome_unknown'
            """,
            {"workspace_id": workspace_id, "addresses": addresses},
        )
    }


def release_doubt(tx: Transaction, people: Iterable[tuple[str, str]]) -> None:
    """Let messages go that waited only for the outcome of an earlier send; the caller holds the locks of their devices."""
    for workspace_id, addresses in _by_workspace(people):
        tx.run(
            """
            UPDATE messages SET due_at = :now, hold = NULL
            WHERE workspace_id = :workspace_id AND address IN EACH(:addresses)
                AND status = 'waiting' AND hold = 'outcome_unknown'
            """,
            {"workspace_id": workspace_id, "addresses": addresses, "now": tx.now},
        )


def _by_workspace(people: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = defaultdict(list)
    for workspace_id, address in sorted(people):
        found[workspace_id].append(address)
    return list(found.items())


def expired(tx: Transaction, limit: int) -> list[tuple[str, str]]:
    """Return waiting messages past their time, as (id, line id). Served by messages_expiring."""
    rows = tx.rows(
        """
        SELECT id, line_id FROM messages
        WHERE status = 'waiting' AND expires_at <= :now
        ORDER BY expires_at
        LIMIT :limit
        """,
        {"now": tx.now, "limit": limit},
    )
    return [(row[0], row[1]) for row in rows]


def devices_of(tx: Transaction, message_ids: Collection[str]) -> set[str]:
    """Return the devices of these messages' lines."""
    rows = tx.rows(
        "SELECT DISTINCT l.device_id FROM messages AS m JOIN lines AS l ON l.id = m.line_id WHERE m.id IN EACH(:ids)",
        {"ids": list(message_ids)},
    )
    return {row[0] for row in rows}


def devices_waiting_for(tx: Transaction, workspace_id: str, address: str) -> list[str]:
    """Return the devices through which messages to one person wait."""
    rows = tx.rows(
        """
        SELECT DISTINCT l.device_id
        FROM messages AS m
        JOIN lines AS l ON l.id = m.line_id
        WHERE m.workspace_id = :workspace_id AND m.address = :address AND m.status = 'waiting'
        ORDER BY l.device_id
        """,
        {"workspace_id": workspace_id, "address": address},
    )
    return [row[0] for row in rows]


def open_for(tx: Transaction, workspace_id: str, lead_id: str | None, addresses: Collection[str]) -> list[str]:
    """Return the ids of what has not ended for a lead or for any of these addresses.

    Served by messages_of_lead and messages_waiting_for; what is claimed for an address alone has the lead's id, too.
    """
    rows = tx.rows(
        """
        SELECT id FROM messages
        WHERE workspace_id = :workspace_id AND lead_id = :lead_id AND direction = 'sent' AND status IN ('waiting', 'sending')
        UNION
        SELECT id FROM messages
        WHERE workspace_id = :workspace_id AND address IN EACH(:addresses) AND status = 'waiting'
        """,
        {"workspace_id": workspace_id, "lead_id": lead_id, "addresses": sorted(addresses)},
    )
    return [row[0] for row in rows]


def devices_open_for(tx: Transaction, workspace_id: str, lead_id: str) -> set[str]:
    """Return the devices through which anything to a lead may still leave. Served by messages_of_lead."""
    rows = tx.rows(
        """
        SELECT DISTINCT l.device_id
        FROM messages AS m
        JOIN lines AS l ON l.id = m.line_id
        WHERE m.workspace_id = :workspace_id AND m.lead_id = :lead_id AND m.direction = 'sent'
            AND m.status IN ('waiting', 'sending')
        """,
        {"workspace_id": workspace_id, "lead_id": lead_id},
    )
    return {row[0] for row in rows}
