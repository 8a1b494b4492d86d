"""What must be true after anything that actions did; every house is checked when its test ends."""

from collections import Counter

from posthaste.core.dispatch import ready_at
from posthaste.core.lifecycle import Status
from posthaste.store import devices, leads, lines, messages, timeline, waiting
from posthaste.store.transaction import Transaction


def check(tx: Transaction) -> None:
    """Raise where the tables contradict each other."""
    slots_are_counted(tx)
    sending_is_attempted(tx)
    nothing_due_is_forgotten(tx)
    addresses_are_owned(tx)
    stories_can_be_told(tx)


def slots_are_counted(tx: Transaction) -> None:
    taken = Counter(row[0] for row in tx.rows("SELECT device_id FROM attempts WHERE occupies = 1"))
    for device in devices.by_ids(tx, _ids(tx, "devices")).values():
        assert device.in_flight == taken[device.id], (
            f"device {device.id} has {taken[device.id]} in flight, not {device.in_flight}"
        )


def sending_is_attempted(tx: Transaction) -> None:
    """A message is being sent exactly as long as an attempt of it is open; one that ended may still have one to be given up."""
    still_open = Counter(row[0] for row in tx.rows("SELECT message_id FROM attempts WHERE state <> 'done'"))
    for message in messages.by_ids(tx, _ids(tx, "messages")).values():
        assert still_open[message.id] <= 1, f"message {message.id} is sent twice at once"
        assert message.status != Status.SENDING or still_open[message.id], f"nobody sends {message.id}"
        assert message.status != Status.WAITING or not still_open[message.id], f"{message.id} waits and is sent"


def nothing_due_is_forgotten(tx: Transaction) -> None:
    """A device's clock comes no later than its first work, or a message would wait for nothing."""
    ids = _ids(tx, "devices")
    first_due, every = waiting.first_due(tx, ids), lines.of_devices(tx, ids)
    for device in devices.by_ids(tx, ids).values():
        at = ready_at(device, [line for line in every if line.device_id == device.id], first_due)
        if at is not None:
            assert device.ready_at is not None and device.ready_at <= at, f"device {device.id} sleeps past {at}"


def addresses_are_owned(tx: Transaction) -> None:
    owners = {(row[0], row[1]): row[2] for row in tx.rows("SELECT workspace_id, address, lead_id FROM lead_addresses")}
    carried = {
        (lead.workspace_id, address): lead.id
        for lead in leads.by_ids(tx, _ids(tx, "leads")).values()
        for address in lead.addresses
    }
    assert owners == carried


def stories_can_be_told(tx: Transaction) -> None:
    for message_id in _ids(tx, "messages"):
        assert all(entry.says for entry in timeline.of_message(tx, message_id))


def _ids(tx: Transaction, table: str) -> list[str]:
    return [row[0] for row in tx.rows(f"SELECT id FROM {table}")]
