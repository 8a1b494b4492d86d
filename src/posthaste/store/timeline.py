"""The table of timelines: append, and read in order.

What one transaction has to say of one message is one row, because most transactions say several things at once.
"""

from collections.abc import Iterable, Mapping

from msgspec import json

from posthaste.core.row import Value
from posthaste.core.timeline import Code, Entry, say
from posthaste.store.transaction import Transaction


class NewEntry(Value, frozen=True):
    """An entry to be written; its time is the transaction's."""

    workspace_id: str
    message_id: str
    code: Code
    facts: Mapping[str, object]


def add(tx: Transaction, entries: Iterable[NewEntry]) -> None:
    """Append entries, those of one message in the order in which they are given."""
    workspaces: dict[str, str] = {}
    steps: dict[str, list[tuple[str, Mapping[str, object]]]] = {}
    for one in entries:
        workspaces[one.message_id] = one.workspace_id
        steps.setdefault(one.message_id, []).append((one.code, one.facts))
    tx.many(
        """
        INSERT INTO timeline (message_id, at, id, workspace_id, steps)
        VALUES (:message_id, :at, :id, :workspace_id, :steps)
        """,
        [
            {
                "message_id": message_id,
                "at": tx.now,
                "id": tx.new_id(),
                "workspace_id": workspaces[message_id],
                "steps": json.encode(said).decode(),
            }
            for message_id, said in steps.items()
        ],
    )


def of_message(tx: Transaction, message_id: str) -> list[Entry]:
    """Return a message's story, oldest first."""
    rows = tx.rows("SELECT at, steps FROM timeline WHERE message_id = :id ORDER BY at, id", {"id": message_id})
    return [Entry(at, code, say(code, facts), facts) for at, steps in rows for code, facts in json.decode(steps)]
