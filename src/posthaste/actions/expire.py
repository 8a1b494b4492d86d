"""End messages whose time has passed while something else held them.

The claim expires what it looks at, but it does not look at a line that is down, closed or full for today; a caller is to be
told all the same.
"""

from posthaste.actions.ready import look_again
from posthaste.core.dispatch import dropped, expiry_code
from posthaste.core.lifecycle import Status, Step
from posthaste.core.timeline import Code
from posthaste.store import devices, lines, messages, timeline, waiting
from posthaste.store.timeline import NewEntry
from posthaste.store.transaction import Transaction

_ROWS = 200


def expire(tx: Transaction) -> bool:
    """Expire waiting messages that are past their time, a bounded number; True if there may be more."""
    seen = waiting.expired(tx, _ROWS)
    if not seen:
        return False
    seen_on = lines.by_ids(tx, {line_id for _, line_id in seen})
    device_ids = {line.device_id for line in seen_on.values()}
    devices.lock(tx, device_ids)
    locked = messages.lock(tx, {message_id for message_id, _ in seen}).values()
    # Locked devices cannot be claimed from: what still waits there now, waits until the commit.
    ended = [one for one in locked if one.status == Status.WAITING and one.line_id in seen_on]
    messages.save_steps(tx, [dropped(one, Step.EXPIRE, expiry_code(one), tx.now) for one in ended])
    timeline.add(tx, [NewEntry(one.workspace_id, one.id, Code.EXPIRED, {"code": expiry_code(one)}) for one in ended])
    for one in ended:
        tx.wake(f"message:{one.id}")
    look_again(tx, sorted(device_ids))
    return len(seen) >= _ROWS
