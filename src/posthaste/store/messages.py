"""The table of messages.

Only `lifecycle.advance` says which status may be written; every status is written from an expected one.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from msgspec import json

from posthaste.core.messages import CrmIds, Lane, Message
from posthaste.core.windows import Window
from posthaste.store.transaction import Row, Transaction

_NAMES = [
    "id",
    "workspace_id",
    "lead_id",
    "line_id",
    "direction",
    "message_type",
    "status",
    "lane",
    "due_at",
    "hold",
    "expires_at",
    "address",
    "addresses",
    "checked_addresses",
    "recipient_phone",
    "recipient_email",
    "recipient_name",
    "text",
    "attempts",
    "external_id",
    "code",
    "error_message",
    "scheduled_at",
    "valid_until",
    "timezone",
    "window_start",
    "window_end",
    "days",
    "batch_id",
    "send_fallback",
    "fallback_of",
    "fallback_message_id",
    "attachments",
    "ghl_contact_id",
    "ghl_location_id",
    "hs_contact_id",
    "hs_portal_id",
    "sent_at",
    "delivered_at",
    "read_at",
    "created_at",
    "updated_at",
    "line_asked",
    "subject",
    "html",
    "reply_to",
]
_COLUMNS = ", ".join(f"m.{name}" for name in _NAMES)


def _message(row: Row) -> Message:
    return Message(  # type: ignore[call-arg, unused-ignore]  # mypy cannot count starred slices
        *row[:12],
        tuple(json.decode(row[12])),
        tuple(json.decode(row[13])) if row[13] else (),
        *row[14:24],
        _window(row[24:28]),
        row[28],
        bool(row[29]),
        row[30],
        row[31],
        tuple((url, name) for url, name in json.decode(row[32])) if row[32] else (),
        CrmIds(*row[33:37]),
        *row[37:42],
        bool(row[42]),
        *row[43:],
    )


def _json(value: object) -> str:
    return json.encode(value).decode()


def _window(columns: Row) -> Window | None:
    timezone, start, end, days = columns
    if timezone is None:
        return None
    return Window(timezone, start, end, frozenset(json.decode(days)) if days else None)


def _params(message: Message) -> dict[str, object]:
    window, crm = message.window, message.crm
    return {
        "id": message.id,
        "workspace_id": message.workspace_id,
        "lead_id": message.lead_id,
        "line_id": message.line_id,
        "direction": message.direction,
        "message_type": message.message_type,
        "status": message.status,
        "lane": int(message.lane),
        "due_at": message.due_at,
        "hold": message.hold,
        "expires_at": message.expires_at,
        "address": message.address,
        "addresses": _json(message.addresses),
        "checked_addresses": _json(message.checked_addresses) if message.checked_addresses else None,
        "recipient_phone": message.recipient_phone,
        "recipient_email": message.recipient_email,
        "recipient_name": message.recipient_name,
        "text": message.text,
        "attempts": message.attempts,
        "external_id": message.external_id,
        "code": message.code,
        "error_message": message.error_message,
        "scheduled_at": message.scheduled_at,
        "valid_until": message.valid_until,
        "timezone": window.timezone if window else None,
        "window_start": window.start_minute if window else None,
        "window_end": window.end_minute if window else None,
        "days": _json(sorted(window.days)) if window and window.days is not None else None,
        "batch_id": message.batch_id,
        "send_fallback": message.send_fallback,
        "fallback_of": message.fallback_of,
        "fallback_message_id": message.fallback_message_id,
        "attachments": _json(message.attachments) if message.attachments else None,
        "ghl_contact_id": crm.ghl_contact_id,
        "ghl_location_id": crm.ghl_location_id,
        "hs_contact_id": crm.hs_contact_id,
        "hs_portal_id": crm.hs_portal_id,
        "sent_at": message.sent_at,
        "delivered_at": message.delivered_at,
        "read_at": message.read_at,
        "created_at": message.created_at,
        "updated_at": message.updated_at,
        "line_asked": message.line_asked,
        "subject": message.subject,
        "html": message.html,
        "reply_to": message.reply_to,
    }


_INSERT = f"INSERT INTO messages ({', '.join(_NAMES)}) VALUES ({', '.join(':' + name for name in _NAMES)})"


def add(tx: Transaction, messages: Iterable[Message]) -> None:
    tx.many(_INSERT, [_params(message) for message in messages])


def find(tx: Transaction, workspace_id: str, message_id: str) -> Message | None:
    row = tx.one(
        f"SELECT {_COLUMNS} FROM messages AS m WHERE m.id = :id AND m.workspace_id = :workspace_id",
        {"id": message_id, "workspace_id": workspace_id},
    )
    return _message(row) if row else None


def by_ids(tx: Transaction, ids: Collection[str]) -> dict[str, Message]:
    rows = tx.rows(f"SELECT {_COLUMNS} FROM messages AS m WHERE m.id IN EACH(:ids)", {"ids": list(ids)})
    return {row[0]: _message(row) for row in rows}


def lock(tx: Transaction, ids: Collection[str]) -> dict[str, Message]:
    """Lock messages in order of their ids; the caller holds the locks of their devices."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM messages AS m WHERE m.id IN EACH(:ids) ORDER BY m.id /*pg FOR UPDATE */",
        {"ids": sorted(ids)},
    )
    return {row[0]: _message(row) for row in rows}


def statuses(tx: Transaction, ids: Collection[str]) -> dict[str, str]:
    rows = tx.rows("SELECT id, status FROM messages WHERE id IN EACH(:ids)", {"ids": list(ids)})
    return dict(rows)


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


def save_steps(tx: Transaction, messages: Iterable[Message]) -> None:
    """Write what a step changed; the caller has locked the messages and asked `advance`."""
    tx.many(
        """
        UPDATE messages
        SET status = :status, text = :text, lane = :lane, due_at = :due_at, hold = :hold, address = :address,
            checked_addresses = :checked_addresses, attempts = :attempts, external_id = :external_id, code = :code,
            error_message = :error_message, sent_at = :sent_at, delivered_at = :delivered_at, read_at = :read_at,
            recipient_phone = :recipient_phone, recipient_email = :recipient_email, updated_at = :updated_at
        WHERE id = :id
        """,
        [_step_params(message) for message in messages],
    )


def _step_params(message: Message) -> dict[str, object]:
    return {
        "id": message.id,
        "status": message.status,
        "text": message.text,
        "lane": int(message.lane),
        "due_at": message.due_at,
        "hold": message.hold,
        "address": message.address,
        "checked_addresses": _json(message.checked_addresses) if message.checked_addresses else None,
        "attempts": message.attempts,
        "external_id": message.external_id,
        "code": message.code,
        "error_message": message.error_message,
        "sent_at": message.sent_at,
        "delivered_at": message.delivered_at,
        "read_at": message.read_at,
        "recipient_phone": message.recipient_phone,
        "recipient_email": message.recipient_email,
        "updated_at": message.updated_at,
    }


def link_fallback(tx: Transaction, message_id: str, fallback_id: str) -> None:
    """Link a message to the SMS that takes its place."""
    tx.run(
        "UPDATE messages SET fallback_message_id = :fallback_id WHERE id = :id",
        {"id": message_id, "fallback_id": fallback_id},
    )


def park(tx: Transaction, parked: Sequence[tuple[str, int, str | None]]) -> None:
    """Move waiting messages to a later due time, as (id, due_at, hold)."""
    tx.many(
        "UPDATE messages SET due_at = :due_at, hold = :hold, updated_at = :updated_at WHERE id = :id AND status = 'waiting'",
        [{"id": one, "due_at": due_at, "hold": hold, "updated_at": tx.now} for one, due_at, hold in parked],
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


def references(tx: Transaction, message: Message) -> list[str]:
    """Return the provider's ids of the last messages of the same kind exchanged with the same lead, oldest first.

    Served by messages_of_lead.
    """
    rows = tx.rows(
        """
        SELECT external_id FROM messages
        WHERE lead_id = :lead_id AND message_type = :message_type AND external_id IS NOT NULL AND id <> :id
        ORDER BY created_at DESC, id DESC
        LIMIT 10
        """,
        {"lead_id": message.lead_id, "message_type": message.message_type, "id": message.id},
    )
    return [row[0] for row in reversed(rows)]


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


def last_sent_to(tx: Transaction, lead_id: str, address: str) -> str | None:
    """Return the last message that left, or may have, for an address of a lead. Served by messages_of_lead."""
    row = tx.one(
        """
        SELECT id FROM messages
        WHERE lead_id = :lead_id AND address = :address AND direction = 'sent' AND status IN ('sent', 'delivered', 'unknown')
        ORDER BY created_at DESC, id DESC
        LIMIT 1
        """,
        {"lead_id": lead_id, "address": address},
    )
    return row[0] if row else None


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


def without_receipt(tx: Transaction, device_id: str, sent_after: int, limit: int) -> list[str]:
    """Return the provider's ids of messages sent through a device whose delivery is not known.

    Served by messages_without_receipt.
    """
    rows = tx.rows(
        """
        SELECT m.external_id
        FROM messages AS m
        JOIN lines AS l ON l.id = m.line_id
        WHERE l.device_id = :device_id AND m.status = 'sent' AND m.sent_at > :sent_after AND m.external_id IS NOT NULL
        ORDER BY m.sent_at DESC
        LIMIT :limit
        """,
        {"device_id": device_id, "sent_after": sent_after, "limit": limit},
    )
    return [row[0] for row in rows]
