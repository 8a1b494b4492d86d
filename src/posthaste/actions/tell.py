"""Write one entry into a message's timeline, for what happens outside of the actions that decide."""

from collections.abc import Mapping

from posthaste.core.timeline import Code
from posthaste.store import timeline
from posthaste.store.timeline import NewEntry
from posthaste.store.transaction import Transaction


def tell(tx: Transaction, workspace_id: str, message_id: str, code: Code, facts: Mapping[str, object]) -> None:
    timeline.add(tx, [NewEntry(workspace_id, message_id, code, facts)])
