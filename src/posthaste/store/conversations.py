"""The table of conversations: what passed between a workspace and one address.

`opened_at` is null until a message to the address leaves or the person writes; setting it is what makes a message the
*new* one, and only one transaction can.
"""

from collections.abc import Collection, Iterable, Sequence

from posthaste.core.row import Row, Value
from posthaste.store.transaction import Transaction


class Conversation(Row, frozen=True):
    """A row: which line talks with the address, since when, and when the person last wrote.

    `first_fingerprint` is what the message that began it was to the double-send guard; empty if none of ours did.
    """

    workspace_id: str
    address: str
    line_id: str | None
    opened_at: int | None
    written_at: int | None
    first_message_id: str | None
    first_fingerprint: str | None
    created_at: int


class First(Value, frozen=True):
    """The message that begins a conversation."""

    address: str
    line_id: str
    message_id: str
    fingerprint: str


def by_addresses(tx: Transaction, workspace_id: str, addresses: Collection[str]) -> dict[str, Conversation]:
    rows = tx.rows(
        """
        SELECT workspace_id, address, line_id, opened_at, written_at, first_message_id, first_fingerprint, created_at
        FROM conversations
        WHERE workspace_id = :workspace_id AND address IN EACH(:addresses)
        """,
        {"workspace_id": workspace_id, "addresses": list(addresses)},
    )
    return {row[1]: Conversation(*row) for row in rows}


def begin(tx: Transaction, workspace_id: str, firsts: Sequence[First]) -> set[str]:
    """Begin conversations with the addresses that have none yet, and return those addresses; given in order of addresses.

    On PostgreSQL this waits for whoever does the same.
    """
    begun = tx.many_rows(
        """
        INSERT INTO conversations (workspace_id, address, line_id, first_message_id, first_fingerprint, created_at)
        VALUES (:workspace_id, :address, :line_id, :first_message_id, :first_fingerprint, :created_at)
        ON CONFLICT DO NOTHING
        RETURNING address
        """,
        [
            {
                "workspace_id": workspace_id,
                "address": first.address,
                "line_id": first.line_id,
                "first_message_id": first.message_id,
                "first_fingerprint": first.fingerprint,
                "created_at": tx.now,
            }
            for first in firsts
        ],
    )
    return {row[0] for row in begun}


def move(tx: Transaction, workspace_id: str, line_of: Sequence[tuple[str, str]]) -> None:
    """Move conversations to another line, because theirs can no longer carry them."""
    tx.many(
        "UPDATE conversations SET line_id = :line_id WHERE workspace_id = :workspace_id AND address = :address",
        [{"workspace_id": workspace_id, "address": address, "line_id": line} for address, line in sorted(line_of)],
    )


def open_many(tx: Transaction, opened: Iterable[tuple[str, str, str, str]]) -> None:
    """Open conversations for attempts, as (workspace_id, address, line_id, attempt_id), unless they are open already.

    A person's second address has no row before the first hand-over to it.
    """
    tx.many(
        """
        INSERT INTO conversations (workspace_id, address, line_id, opened_at, opened_by, written_at, created_at)
        VALUES (:workspace_id, :address, :line_id, :opened_at, :opened_by, NULL, :opened_at)
        ON CONFLICT (workspace_id, address) DO UPDATE
        SET opened_at = excluded.opened_at, opened_by = excluded.opened_by,
            line_id = COALESCE(conversations.line_id, excluded.line_id)
        WHERE conversations.opened_at IS NULL
        """,
        [
            {"workspace_id": workspace_id, "address": address, "line_id": line_id, "opened_by": attempt_id, "opened_at": tx.now}
            for workspace_id, address, line_id, attempt_id in sorted(opened)
        ],
    )


def opened_by(tx: Transaction, attempt_ids: Collection[str], people: Iterable[tuple[str, str]]) -> set[str]:
    """Return which of these attempts opened the conversation of one of these people, given as (workspace_id, address)."""
    found = tx.rows(
        """
        SELECT opened_by FROM conversations
        WHERE workspace_id IN EACH(:workspaces) AND address IN EACH(:addresses) AND opened_by IS NOT NULL
        """,
        _places(people),
    )
    return {row[0] for row in found} & set(attempt_ids)


def _places(people: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    workspaces, addresses = zip(*people, strict=True)
    return {"workspaces": sorted(set(workspaces)), "addresses": sorted(set(addresses))}


def close_again(tx: Transaction, workspace_id: str, address: str, attempt_id: str) -> None:
    """Take back that an attempt, which surely never left, opened a conversation, unless the person has written meanwhile."""
    tx.run(
        """
        UPDATE conversations SET opened_at = NULL, opened_by = NULL
        WHERE workspace_id = :workspace_id AND address = :address AND opened_by = :attempt_id AND written_at IS NULL
        """,
        {"workspace_id": workspace_id, "address": address, "attempt_id": attempt_id},
    )


def note_typing(tx: Transaction, workspace_id: str, address: str, at: int | None) -> None:
    tx.run(
        "UPDATE conversations SET typing_at = :at WHERE workspace_id = :workspace_id AND address = :address",
        {"workspace_id": workspace_id, "address": address, "at": at},
    )


def note_written(tx: Transaction, workspace_id: str, address: str, line_id: str, at: int) -> None:
    """Note that the person wrote to a line: the conversation is open, and it is that line's."""
    tx.run(
        """
        INSERT INTO conversations (workspace_id, address, line_id, opened_at, opened_by, written_at, created_at)
        VALUES (:workspace_id, :address, :line_id, :at, NULL, :at, :at)
        ON CONFLICT (workspace_id, address) DO UPDATE
        SET opened_at = COALESCE(conversations.opened_at, :at),
            line_id = COALESCE(conversations.line_id, :line_id),
            written_at = CASE WHEN conversations.written_at > :at THEN conversations.written_at ELSE :at END,
            typing_at = NULL
        """,
        {"workspace_id": workspace_id, "address": address, "line_id": line_id, "at": at},
    )
