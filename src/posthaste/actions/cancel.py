"""Cancel a message that was not handed over yet."""

from posthaste.actions.ready import look_again
from posthaste.actions.withdraw import BY_CALLER
from posthaste.core.errors import Conflict, NotFound
from posthaste.core.lifecycle import Status, Step, advance
from posthaste.core.row import replace
from posthaste.core.timeline import Code
from posthaste.store import attempts, devices, lines, messages, timeline
from posthaste.store.timeline import NewEntry
from posthaste.store.transaction import Transaction


def cancel(tx: Transaction, workspace_id: str, message_id: str) -> None:
    """Cancel; a message that is cancelled already stays so, one that was handed over is a `Conflict`."""
    seen = messages.find(tx, workspace_id, message_id)
    if seen is None:
        raise NotFound("Message not found", code="MESSAGE_NOT_FOUND")
    device_id = lines.by_ids(tx, [seen.line_id])[seen.line_id].device_id
    devices.lock(tx, [device_id])
    message = messages.lock(tx, [message_id])[message_id]
    if message.status == Status.CANCELLED:
        return
    was_handed = any(attempt.state == "handed" for attempt in attempts.of_message(tx, message_id) if attempt.state != "done")
    if message.status not in (Status.WAITING, Status.SENDING) or was_handed:
        raise Conflict(f"The message is {message.status} and can no longer be cancelled", code="NOT_CANCELLABLE")
    messages.save_steps(tx, [replace(message, status=advance(message.status, Step.CANCEL), updated_at=tx.now)])
    timeline.add(tx, [NewEntry(workspace_id, message_id, Code.CANCELLED, {"why": BY_CALLER})])
    look_again(tx, [device_id])
    tx.wake(f"message:{message_id}")
