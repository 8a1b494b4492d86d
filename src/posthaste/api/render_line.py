"""A line as clients see it. Its url and its secrets are never shown."""

from posthaste.actions.show import LineView
from posthaste.api.render_message import Document, instant_or_none
from posthaste.core.lines import Device, Line
from posthaste.core.reachability import LineHealth
from posthaste.core.schedule import render_instant
from posthaste.core.windows import day_of


def render_line(view: LineView, now: int, public_url: str) -> Document:
    """Return the document of a line, its usage that of the line's own day."""
    line, device = view.line.on_day_of(now), view.device
    document: Document = {
        "_id": line.id,
        "workspaceId": line.workspace_id,
        "channel": device.channel,
        "messageType": line.message_type,
        "deviceId": device.id,
        "phone": line.phone,
        "email": line.email,
        "firstName": line.first_name,
        "lastName": line.last_name,
        "isActive": line.is_active,
        "provisioningStatus": "active",
        "lineType": "byon",
        "timezone": line.timezone,
        "dailyNewConversationsLimit": line.new_per_day,
        "dailyTotalMessagesLimit": line.messages_per_day,
        "dailyAvailabilityChecksLimit": line.checks_per_day,
        "deviceGapSeconds": _seconds(device.gap_ms),
        "contactGapSeconds": _seconds(line.contact_gap_ms),
        "usage": _usage(line, now),
        "healthCheck": _health(device),
        "hookUrl": public_url + view.hook_path,
        "nextSlotAt": instant_or_none(view.next_slot_at),
        "createdAt": render_instant(line.created_at),
        "updatedAt": render_instant(line.updated_at),
    }
    return {name: value for name, value in document.items() if value is not None}


def render_line_health(line_id: str, health: LineHealth) -> Document:
    """Return what a line's device said just now."""
    return {
        "success": True,
        "lineId": line_id,
        "status": "down" if health.failures else "healthy",
        "failures": list(health.failures),
        "checkedAt": render_instant(health.checked_at),
    }


def _usage(line: Line, now: int) -> Document:
    return {
        "date": day_of(now, line.timezone),
        "newConversationsCount": line.usage_new,
        "totalMessagesCount": line.usage_total,
        "availabilityChecksCount": line.usage_checks,
    }


def _health(device: Device) -> Document:
    health: Document = {"status": "healthy" if device.is_up else "down"}
    if device.checked_at is not None:
        health["lastCheckedAt"] = render_instant(device.checked_at)
    if not device.is_up and device.state_reason is not None:
        health["reason"] = device.state_reason
    return health


def _seconds(duration_ms: int) -> float:
    return duration_ms // 1000 if duration_ms % 1000 == 0 else duration_ms / 1000
