"""Lists of conversations: each lead's last message, and all messages of one lead.

A page is read newest first from messages_newest, and what is not its lead's last message is passed over by a look into
messages_of_lead. So the first pages cost little however many messages there are; a search reads the workspace's leads instead.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from posthaste.store.transaction import Transaction

_LAST = """
    NOT EXISTS (
        SELECT 1 FROM messages AS later
        WHERE later.lead_id = m.lead_id AND later.created_at >= m.created_at
            AND (later.created_at > m.created_at OR later.id > m.id)
    )
"""

# Leads with their last message.
_OF_FOUND = """
    FROM leads AS l
    JOIN messages AS m ON m.id = (
        SELECT last.id FROM messages AS last
        WHERE last.lead_id = l.id
        ORDER BY last.created_at DESC, last.id DESC
        LIMIT 1
    )
    WHERE (CAST(:line_id AS TEXT) IS NULL OR m.line_id = :line_id)
"""

_FOUND = """
    (
        lower(COALESCE(l.first_name, '') || ' ' || COALESCE(l.last_name, '')) LIKE :text ESCAPE '\\'
        OR l.email LIKE :text ESCAPE '\\' OR l.alt_email_1 LIKE :text ESCAPE '\\'
        OR l.alt_email_2 LIKE :text ESCAPE '\\' OR l.alt_email_3 LIKE :text ESCAPE '\\'
        OR l.phone LIKE :digits OR l.alt_phone_1 LIKE :digits OR l.alt_phone_2 LIKE :digits OR l.alt_phone_3 LIKE :digits
    )
"""


@dataclass(frozen=True, slots=True)
class Search:
    """What people are looked for by: a part of their name or e-mail address, or digits of a phone number."""

    text: str

    def params(self) -> Mapping[str, object]:
        escaped = self.text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        digits = "".join(one for one in self.text if one.isascii() and one.isdecimal())
        is_number = bool(digits) and not any(one.isalpha() or one == "@" for one in self.text)
        return {"text": f"%{escaped}%", "digits": f"%{digits}%" if is_number else None}


ANYBODY = Search("")


def page(tx: Transaction, workspace_id: str, line_id: str | None, offset: int, limit: int) -> list[str]:
    """Return the ids of leads' last messages, newest first; with a line only where that message is the line's."""
    rows = tx.rows(
        f"""
        SELECT m.id
        FROM messages AS m
        WHERE m.workspace_id = :workspace_id AND (CAST(:line_id AS TEXT) IS NULL OR m.line_id = :line_id) AND {_LAST}
        ORDER BY m.created_at DESC, m.id DESC
        LIMIT :limit OFFSET :offset
        """,
        {"workspace_id": workspace_id, "line_id": line_id, "limit": limit, "offset": offset},
    )
    return [row[0] for row in rows]


def count(tx: Transaction, workspace_id: str) -> int:
    """Return how many leads there are with a message: one look into messages_of_lead for each lead."""
    row = tx.one(
        """
        SELECT count(*) FROM leads AS l
        WHERE l.workspace_id = :workspace_id AND EXISTS (SELECT 1 FROM messages AS m WHERE m.lead_id = l.id)
        """,
        {"workspace_id": workspace_id},
    )
    return int(row[0]) if row else 0


def count_of_line(tx: Transaction, workspace_id: str, line_id: str) -> int:
    """Return of how many leads the last message is a line's; one look into messages_of_lead for each lead."""
    return count_found(tx, workspace_id, ANYBODY, line_id)


def found(tx: Transaction, workspace_id: str, search: Search, line_id: str | None, offset: int, limit: int) -> list[str]:
    """Return the last messages of the leads that a search finds, newest first; reads the workspace's leads."""
    rows = tx.rows(
        f"""
        SELECT m.id {_OF_FOUND} AND l.workspace_id = :workspace_id AND {_FOUND}
        ORDER BY m.created_at DESC, m.id DESC
        LIMIT :limit OFFSET :offset
        """,
        {"workspace_id": workspace_id, "line_id": line_id, "limit": limit, "offset": offset, **search.params()},
    )
    return [row[0] for row in rows]


def count_found(tx: Transaction, workspace_id: str, search: Search, line_id: str | None) -> int:
    row = tx.one(
        f"SELECT count(*) {_OF_FOUND} AND l.workspace_id = :workspace_id AND {_FOUND}",
        {"workspace_id": workspace_id, "line_id": line_id, **search.params()},
    )
    return int(row[0]) if row else 0


def last_of(tx: Transaction, workspace_id: str, lead_id: str, search: Search, line_id: str | None) -> str | None:
    """Return the id of a lead's last message, if the search finds the lead and the message is the line's."""
    row = tx.one(
        f"SELECT m.id {_OF_FOUND} AND l.id = :lead_id AND l.workspace_id = :workspace_id AND {_FOUND}",
        {"workspace_id": workspace_id, "lead_id": lead_id, "line_id": line_id, **search.params()},
    )
    return row[0] if row else None


def messages_of(tx: Transaction, lead_id: str, offset: int, limit: int) -> list[str]:
    """Return the ids of a lead's messages, both directions, oldest first. Served by messages_of_lead."""
    rows = tx.rows(
        "SELECT id FROM messages WHERE lead_id = :lead_id ORDER BY created_at, id LIMIT :limit OFFSET :offset",
        {"lead_id": lead_id, "limit": limit, "offset": offset},
    )
    return [row[0] for row in rows]


def count_messages_of(tx: Transaction, lead_id: str) -> int:
    row = tx.one("SELECT count(*) FROM messages WHERE lead_id = :lead_id", {"lead_id": lead_id})
    return int(row[0]) if row else 0


def typing(tx: Transaction, workspace_id: str, addresses: Collection[str], since: int) -> set[str]:
    """Return at which of these addresses somebody has begun to write since an instant."""
    rows = tx.rows(
        """
        SELECT address FROM conversations
        WHERE workspace_id = :workspace_id AND address IN EACH(:addresses) AND typing_at > :since
        """,
        {"workspace_id": workspace_id, "addresses": list(addresses), "since": since},
    )
    return {row[0] for row in rows}
