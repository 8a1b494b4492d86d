"""The table of timeline entries: append, and read in order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from msgspec import json

from posthaste.core.timeline import Code, Entry, say
from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to be written; its time is the transaction's."""

    workspace_id: str
    message_id: str
    code: Code
    facts: Mapping[str, object]


def add(tx: Transaction, entries: Iterable[NewEntry]) -> None:
    tx.many(
        """
        INSERT INTO timeline (message_id, at, id, workspace_id, code, facts)
        VALUES (:message_id, :at, :id, :workspace_id, :code, :facts)
        """,
        [
            {
                "message_id": one.message_id,
                "at": tx.now,
                "id": tx.new_id(),
                "workspace_id": one.workspace_id,
                "code": one.code.value,
                "facts": json.encode(one.facts).decode(),
            }
            for one in entries
        ],
    )


def of_message(tx: Transaction, message_id: str) -> list[Entry]:
    """Return a message's story, oldest first."""
    rows = tx.rows("SELECT at, code, facts FROM timeline WHERE message_id = :id ORDER BY at, id", {"id": message_id})
    return [_entry(at, code, json.decode(facts)) for at, code, facts in rows]


def _entry(at: int, code: str, facts: Mapping[str, object]) -> Entry:
    return Entry(at, code, say(code, facts), facts)
