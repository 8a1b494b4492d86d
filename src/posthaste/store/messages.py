"""The table of messages.

Only `lifecycle.advance` says which status may be written; every status is written from an expected one.
"""

from collections.abc import Collection, Iterable

from msgspec import json

from posthaste.core.messages import CrmIds, EarlierMail, Message
from posthaste.core.windows import Window
from posthaste.store.transaction import Row, Transaction

#: Among how many of a lead's messages the last ones that went out are looked for, so that nobody's take long to read.
LATEST = 100

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
        "send_fallback": int(message.send_fallback),
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
        "line_asked": int(message.line_asked),
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


def save_taken(tx: Transaction, messages: Iterable[Message]) -> None:
    """Write what taking them for an attempt changed: less than a step may change, for every message that is sent."""
    tx.many(
        "UPDATE messages SET status = :status, attempts = :attempts, hold = :hold, updated_at = :updated_at WHERE id = :id",
        [
            {"id": one.id, "status": one.status, "attempts": one.attempts, "hold": one.hold, "updated_at": one.updated_at}
            for one in messages
        ],
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


def earlier_mails(tx: Transaction, message: Message) -> list[EarlierMail]:
    """Return the last messages of the same kind exchanged with the same lead, oldest first.

    Served by messages_of_lead.
    """
    rows = tx.rows(
        """
        SELECT external_id, subject, text, direction = 'sent' FROM messages
        WHERE lead_id = :lead_id AND message_type = :message_type AND external_id IS NOT NULL AND id <> :id
        ORDER BY created_at DESC, id DESC
        LIMIT 10
        """,
        {"lead_id": message.lead_id, "message_type": message.message_type, "id": message.id},
    )
    return [EarlierMail(row[0], row[1], row[2], bool(row[3])) for row in reversed(rows)]


def last_sent_to(tx: Transaction, lead_id: str, address: str) -> str | None:
    """Return the message that left last, or may have, for an address of a lead.

    Served by messages_of_lead, among the latest that were written: one may have waited for its date while others went.
    """
    row = tx.one(
        """
        SELECT late.id
        FROM (
            SELECT id, COALESCE(sent_at, updated_at) AS left_at
            FROM messages
            WHERE lead_id = :lead_id AND address = :address AND direction = 'sent' AND status IN ('sent', 'delivered', 'unknown')
            ORDER BY created_at DESC, id DESC
            LIMIT :among
        ) AS late
        ORDER BY late.left_at DESC, late.id DESC
        LIMIT 1
        """,
        {"lead_id": lead_id, "address": address, "among": LATEST},
    )
    return row[0] if row else None


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
