"""The table of files that came in with messages: which are still to be fetched from their devices, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import json

from posthaste.core.signals import InboundFile
from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class WaitingFile:
    """A file that is to be fetched; `tries` counts this one."""

    id: str
    workspace_id: str
    message_id: str
    device_id: str
    ref: str
    name: str | None
    tries: int


def add(tx: Transaction, workspace_id: str, message_id: str, device_id: str, files: Sequence[InboundFile]) -> None:
    """Note files to be fetched at once, in the order in which they stand in the message."""
    tx.many(
        """
        INSERT INTO inbound_files (id, workspace_id, message_id, device_id, place, ref, name, state, tries, next_at, created_at)
        VALUES (:id, :workspace_id, :message_id, :device_id, :place, :ref, :name, 'waiting', 0, :next_at, :created_at)
        """,
        [
            {
                "id": tx.new_id(),
                "workspace_id": workspace_id,
                "message_id": message_id,
                "device_id": device_id,
                "place": place,
                "ref": file.ref,
                "name": file.name,
                "next_at": tx.now,
                "created_at": tx.now,
            }
            for place, file in enumerate(files)
        ],
    )


def take_due(tx: Transaction, held_ms: int, limit: int) -> list[WaitingFile]:
    """Take files that are due, and put their next try off, so that one node fetches each. Served by inbound_files_due."""
    rows = tx.rows(
        """
        UPDATE inbound_files SET tries = tries + 1, next_at = :next
        WHERE id IN (
            SELECT id FROM inbound_files
            WHERE state = 'waiting' AND next_at <= :now
            ORDER BY next_at, id
            LIMIT :limit
            /*pg FOR UPDATE SKIP LOCKED */
        )
        RETURNING id, workspace_id, message_id, device_id, ref, name, tries
        """,
        {"now": tx.now, "next": tx.now + held_ms, "limit": limit},
    )
    return [WaitingFile(*row) for row in sorted(rows)]


def next_due_at(tx: Transaction) -> int | None:
    row = tx.one("SELECT min(next_at) FROM inbound_files WHERE state = 'waiting'")
    return row[0] if row else None


def settle(tx: Transaction, id: str, state: str, file_id: str | None = None) -> bool:
    """End a file's waiting; False if somebody else has done so."""
    return bool(
        tx.run(
            "UPDATE inbound_files SET state = :state, file_id = :file_id WHERE id = :id AND state = 'waiting'",
            {"id": id, "state": state, "file_id": file_id},
        )
    )


def put_off(tx: Transaction, id: str, next_at: int) -> None:
    tx.run(
        "UPDATE inbound_files SET next_at = :next_at WHERE id = :id AND state = 'waiting'",
        {"id": id, "next_at": next_at},
    )


def stored_of(tx: Transaction, message_id: str) -> list[tuple[str, str]]:
    """Return a message's files that are here, as (file id, name), in their order. Served by inbound_files_of_message."""
    return [
        (row[0], row[1])
        for row in tx.rows(
            """
            SELECT f.id, f.name
            FROM inbound_files AS i
            JOIN files AS f ON f.id = i.file_id
            WHERE i.message_id = :message_id AND i.state = 'stored'
            ORDER BY i.place
            """,
            {"message_id": message_id},
        )
    ]


def show(tx: Transaction, message_id: str, attachments: Sequence[tuple[str, str]]) -> None:
    """Have a message show its files, as (URL, name)."""
    tx.run(
        "UPDATE messages SET attachments = :attachments, updated_at = :now WHERE id = :id",
        {"id": message_id, "attachments": json.encode(attachments).decode(), "now": tx.now},
    )
