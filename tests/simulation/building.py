"""Build a seed's workspace: its lines in our database, and the devices behind them in the world."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from posthaste.actions.lines import NewLine, add_line, move_device
from posthaste.core.messages import MessageType
from posthaste.sandbox.entries import AndroidKept, MacKept
from posthaste.store import workspaces
from posthaste.store.transaction import Transaction

from .plan import Plan
from .wire import DEVICES

if TYPE_CHECKING:
    from .town import Town

_PASSWORD, _USER = "password", "sms"
# A text of the script `late` is seven seconds under way by itself.
_LATE_MS = 8_000


async def add_lines(town: "Town") -> None:
    """Add every line of the plan with its device, and let the workspace fall back as the plan says."""
    store, plan = town.disk.store, town.plan
    secret = town.vault.seal({"password": _PASSWORD})
    for number, line in enumerate(plan.lines):
        shared = town.device_ids[line.device] if line.device < len(town.device_ids) else None
        device_id, line_id = await store.write(_add_line, plan, number, secret, shared, town.workspace_id)
        town.line_ids.append(line_id)
        if shared is None:
            town.device_ids.append(device_id)
            _make_device(town, number)
    sms_line = None if plan.devices[-1].is_mac else town.line_ids[-1]
    await store.write(workspaces.save_fallback, town.workspace_id, replace(plan.fallback, line_id=sms_line))


def rules_of(plan: Plan, number: int) -> dict[str, Any]:
    """Return the rules of a line as a caller would change them."""
    line = plan.lines[number]
    return {
        "timezone": line.timezone,
        "dailyTotalMessagesLimit": line.messages_per_day,
        "dailyNewConversationsLimit": line.new_per_day,
        "deviceGapSeconds": plan.devices[line.device].gap_ms // 1000,
        "contactGapSeconds": line.contact_gap_ms // 1000,
    }


def _add_line(tx: Transaction, plan: Plan, number: int, secret: str, device_id: str | None, workspace_id: str) -> tuple[str, str]:
    line = plan.lines[number]
    device = plan.devices[line.device]
    new = NewLine(
        channel=device.channel,
        message_type=MessageType.IMESSAGE if device.is_mac else MessageType.SMS,
        secret=secret,
        phone=line.phone,
        timezone=line.timezone,
        device_id=device_id,
        messages_per_day=line.messages_per_day,
        new_per_day=line.new_per_day,
        checks_per_day=line.checks_per_day,
        device_gap_ms=device.gap_ms,
        contact_gap_ms=line.contact_gap_ms,
        check_gap_ms=device.check_gap_ms,
        arrival_ms=device.arrival_ms,
    )
    view = add_line(tx, plan.settings, workspace_id, new)
    url = f"http://{DEVICES}/{'macs' if device.is_mac else 'androids'}/{view.device.id}"
    move_device(tx, view.device.id, url, {"url": url} if device.is_mac else {"url": url, "username": _USER})
    return view.device.id, view.line.id


def _make_device(town: "Town", line: int) -> None:
    device, device_id, now = town.plan.devices[town.plan.lines[line].device], town.device_ids[-1], town.clock.now_ms()
    if device.is_mac:
        town.world.record(MacKept(device_id, device.phone, _PASSWORD, device.private_api, device.macos, now))
    else:
        town.world.record(AndroidKept(device_id, device.phone, _USER, _PASSWORD, "", now))
    town.network.longest_delay_ms[device_id] = device.arrival_ms - _LATE_MS
