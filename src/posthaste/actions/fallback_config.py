"""How a workspace falls back to SMS: shown, and changed."""

from dataclasses import dataclass

from posthaste.actions.workspaces import workspace_of
from posthaste.core.errors import Refused
from posthaste.core.messages import MessageType
from posthaste.core.workspaces import Fallback
from posthaste.store import lines, workspaces
from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class FallbackChange:
    """What is to become different; None leaves it."""

    is_enabled: bool | None = None
    line_id: str | None = None
    send_on_failed: bool | None = None


def change_fallback(tx: Transaction, workspace_id: str, change: FallbackChange) -> Fallback:
    """Change how a workspace falls back, if what comes of it can work."""
    before = workspace_of(tx, workspace_id).fallback
    fallback = Fallback(
        before.is_enabled if change.is_enabled is None else change.is_enabled,
        change.line_id or before.line_id,
        before.send_on_failed if change.send_on_failed is None else change.send_on_failed,
    )
    if fallback.is_enabled and fallback.line_id is None:
        raise Refused("lineId is required to enable the fallback: an active SMS line", code="MISSING_FIELD")
    if change.send_on_failed and not fallback.is_configured:
        raise no_fallback()
    if change.line_id is not None or change.is_enabled:
        _check_line(tx, workspace_id, fallback.line_id)
    workspaces.save_fallback(tx, workspace_id, fallback)
    return fallback


def no_fallback() -> Refused:
    """Return the refusal of the flag where there is nothing to fall back to."""
    return Refused(
        "sendFallbackSmsOnFailed is true but fallback SMS is not configured. Configure fallback in workspace"
        " settings (Settings → Fallback) or set sendFallbackSmsOnFailed to false.",
        code="FALLBACK_NOT_CONFIGURED",
    )


def _check_line(tx: Transaction, workspace_id: str, line_id: str | None) -> None:
    line = lines.find(tx, workspace_id, line_id or "")
    if line is None:
        raise Refused(f"lineId {line_id} was not found or is not yours", code="FALLBACK_LINE_INVALID")
    if line.message_type != MessageType.SMS:
        raise Refused(f"lineId {line_id} is no SMS line", code="FALLBACK_LINE_INVALID")
    if not line.is_active:
        raise Refused(f"lineId {line_id} is not active", code="FALLBACK_LINE_INVALID")
