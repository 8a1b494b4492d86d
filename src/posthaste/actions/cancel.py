"""Cancel a message that was not handed over yet."""

from posthaste.actions.withdraw import BY_CALLER, withdraw_messages
from posthaste.core.errors import Conflict, NotFound
from posthaste.core.lifecycle import Status, Step
from posthaste.store import messages
from posthaste.store.transaction import Transaction


def cancel(tx: Transaction, workspace_id: str, message_id: str) -> None:
    """Cancel; a message that is cancelled already stays so, one that was handed over is a `Conflict`."""
    if messages.find(tx, workspace_id, message_id) is None:
        raise NotFound("Message not found", code="MESSAGE_NOT_FOUND")
    withdraw_messages(tx, [message_id], step=Step.CANCEL, code=None, why=BY_CALLER)
    status = messages.statuses(tx, [message_id])[message_id]
    if status != Status.CANCELLED:
        raise Conflict(f"The message is {status} and can no longer be cancelled", code="NOT_CANCELLABLE")
