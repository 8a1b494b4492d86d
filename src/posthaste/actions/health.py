"""The health of devices: what a ping said, and what follows.

A device that is down holds its queue; one that is up again is polled.
"""

from collections.abc import Mapping

from posthaste.actions.ready import look_again
from posthaste.core.lines import Device
from posthaste.core.row import replace
from posthaste.settings import Settings
from posthaste.store import attempts, devices, messages
from posthaste.store.devices import Access
from posthaste.store.transaction import Transaction


def take_due_for_health(tx: Transaction, settings: Settings, limit: int) -> list[Access]:
    return devices.take_due_for_health(tx, settings.health_every_ms, limit)


def take_due_for_poll(tx: Transaction, settings: Settings, limit: int) -> list[Access]:
    return devices.take_due_for_poll(tx, settings.poll_every_ms, limit)


def note_ping(
    tx: Transaction,
    settings: Settings,
    asked: Access,
    *,
    is_up: bool,
    detail: str,
    options: Mapping[str, object],
    cursor: int | None,
) -> str | None:
    """Write what a ping said, unless the device is reached in another way by now: then another one said it."""
    if not devices.lock_as_reached(tx, asked):
        return None
    return note_health(tx, settings, asked.device_id, is_up=is_up, detail=detail, options=options, cursor=cursor)


def note_health(
    tx: Transaction,
    settings: Settings,
    device_id: str,
    *,
    is_up: bool,
    detail: str,
    options: Mapping[str, object],
    cursor: int | None,
) -> str | None:
    """Write how a device is; return "up" or "down" if that is news, which the first up is not.

    One failure is no outage; `failures_until_down` in a row are.
    """
    device = devices.lock(tx, [device_id])[device_id]
    after = _judged(device, settings, tx.now, is_up=is_up, detail=detail)
    devices.save_state(tx, after)
    if is_up:
        devices.save_options(tx, device_id, options)
    if cursor is not None and device.cursor == 0:
        devices.raise_cursor(tx, device_id, cursor)
    if after.is_up != is_up:
        # No outage yet, but perhaps the beginning of one.
        devices.hasten(tx, device_id, health_at=tx.now + settings.health_every_ms // 10)
    if after.is_up == device.is_up:
        return None
    _change_state(tx, settings, device_id, is_up=after.is_up)
    return None if is_up and device.checked_at is None else after.state


def _judged(device: Device, settings: Settings, now: int, *, is_up: bool, detail: str) -> Device:
    """Return a device as it counts after a ping."""
    failures = 0 if is_up else device.failures + 1
    goes_down = not is_up and (failures >= settings.failures_until_down or device.checked_at is None)
    state = "up" if is_up else "down" if goes_down else device.state
    return replace(
        device,
        state=state,
        state_reason=None if state == "up" else detail,
        state_at=now if state != device.state else device.state_at,
        checked_at=now,
        failures=failures,
    )


def _change_state(tx: Transaction, settings: Settings, device_id: str, *, is_up: bool) -> None:
    look_again(tx, [device_id])
    if is_up:
        # What it did while nobody could ask: receipts, and the fate of what had to be called unknown.
        devices.hasten(tx, device_id, poll_at=tx.now)
        attempts.revive_lost(tx, device_id, tx.now - settings.stale_after_ms)


def suspect(tx: Transaction, device_id: str) -> None:
    """A send could not reach the device: ping it now."""
    devices.hasten(tx, device_id, health_at=tx.now)
    tx.wake("devices")


def open_receipts(tx: Transaction, settings: Settings, device_id: str, limit: int) -> list[str]:
    """Return the provider's ids of sent messages whose delivery is not known yet."""
    return messages.without_receipt(tx, device_id, tx.now - settings.receipts_for_ms, limit)
