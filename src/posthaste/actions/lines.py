"""Lines: added with their device, and changed; `delete_line.py` is how they end.

What opens or closes a line moves its device's clock in the same transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import replace as changed

from posthaste.actions.ready import look_again
from posthaste.actions.seals import Sealer
from posthaste.actions.show import LineView, line_view
from posthaste.actions.workspaces import workspace_of
from posthaste.core.channels import DEFAULT_PACE, Kind, Pace, Setup
from posthaste.core.errors import Conflict, NotFound, Refused
from posthaste.core.lines import Device, Line
from posthaste.core.row import replace
from posthaste.core.windows import day_start_after, zone_named
from posthaste.core.workspaces import Workspace
from posthaste.settings import Settings
from posthaste.store import devices, workspaces
from posthaste.store import lines as table
from posthaste.store.devices import Access
from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """What a line is made of; None stands for the default of the channel's pace or the settings.

    `device_id` shares a device that is there; `secret` is sealed. Without a `kind` nothing tells whether its device is there.
    """

    channel: str
    message_type: str
    kind: Kind | None = None
    url: str = ""
    secret: str = ""
    config: Mapping[str, str] = field(default_factory=dict)
    phone: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    timezone: str | None = None
    device_id: str | None = None
    messages_per_day: int | None = None
    new_per_day: int | None = None
    checks_per_day: int | None = None
    device_gap_ms: int | None = None
    contact_gap_ms: int | None = None
    check_gap_ms: int | None = None
    arrival_ms: int | None = None
    pace: Pace = DEFAULT_PACE
    is_sandbox: bool = False


@dataclass(frozen=True, slots=True)
class Resetting:
    """Some of the fields of a device's channel anew; the others are kept, the secret ones sealed again with them.

    None takes a field away, or back to its default.
    """

    kind: Kind
    given: Mapping[str, str | None]
    sealer: Sealer


@dataclass(frozen=True, slots=True)
class LineChange:
    """What is to be changed; None leaves it, and an empty text takes a name away."""

    is_active: bool | None = None
    messages_per_day: int | None = None
    new_per_day: int | None = None
    device_gap_ms: int | None = None
    contact_gap_ms: int | None = None
    timezone: str | None = None
    checks_per_day: int | None = None
    first_name: str | None = None
    last_name: str | None = None
    resetting: Resetting | None = None


def add_line(tx: Transaction, settings: Settings, workspace_id: str, new: NewLine) -> LineView:
    """Add a line and, unless it shares one, its device, which is down until its first ping."""
    workspaces.make_alone(tx)
    workspace = workspace_of(tx, workspace_id)
    if workspace.is_sandbox != new.is_sandbox:
        kind = "the sandbox's" if workspace.is_sandbox else "a real"
        raise Refused(f"Sandbox lines and real lines do not mix: this is {kind} workspace", code="SANDBOX_MISMATCH")
    timezone = new.timezone or workspace.timezone
    zone_named(timezone)
    device = _shared_device(tx, workspace, new) if new.device_id else _add_device(tx, settings, workspace, new)
    line = _line(tx, settings, workspace, device, new, timezone)
    table.add(tx, line)
    return line_view(tx, line, device)


def _shared_device(tx: Transaction, workspace: Workspace, new: NewLine) -> Device:
    # Locked, so that it is not let go of meanwhile because its last line is being deleted.
    device = devices.lock(tx, [new.device_id or ""]).get(new.device_id or "")
    if device is None or device.workspace_id != workspace.id or not _is_in_use(tx, device.id):
        raise NotFound("Device not found or access denied", code="DEVICE_NOT_FOUND")
    if device.channel != new.channel:
        raise Refused(f"Device {device.id} speaks {device.channel}, not {new.channel}", code="DEVICE_CHANNEL_MISMATCH")
    return device


def _is_in_use(tx: Transaction, device_id: str) -> bool:
    """Tell whether a device has a line; one whose lines were all deleted is let go of."""
    return any(line.deleted_at is None for line in table.of_devices(tx, [device_id]))


def _refuse_twin(tx: Transaction, workspace_id: str, kind: Kind, config: Mapping[str, str]) -> None:
    """Refuse a second device for one thing: its limits would hold twice, and what people write would come in twice.

    Whoever makes devices does it alone, so that of two who add one at once, one is told.
    """
    meant = kind.device_meant(config)
    for other in devices.in_use(tx) if meant else ():
        if (other.workspace_id, other.channel) == (workspace_id, kind.name) and kind.device_meant(_config(other)) == meant:
            line_id = next(line.id for line in table.of_devices(tx, [other.device_id]) if line.deleted_at is None)
            raise Conflict(
                f"Line {line_id} is on this device already (the same {', '.join(kind.told_by)}): to share it, its gap and limits "
                f"included, add a line with deviceId {other.device_id} and without the fields of its channel",
                code="DEVICE_EXISTS",
                extra={"lineId": line_id, "deviceId": other.device_id},
            )


def _config(access: Access) -> dict[str, str]:
    return {"url": access.url, **access.config}


def _add_device(tx: Transaction, settings: Settings, workspace: Workspace, new: NewLine) -> Device:
    if new.kind is not None:
        _refuse_twin(tx, workspace.id, new.kind, new.config)
    device = Device(
        id=tx.new_id(),
        workspace_id=workspace.id,
        channel=new.channel,
        state="down",
        state_reason="it was not reached yet",
        state_at=tx.now,
        checked_at=None,
        failures=0,
        gap_ms=_or(new.device_gap_ms, _or(new.pace.gap_ms, settings.device_gap_ms)),
        free_at=0,
        ready_at=None,
        in_flight=0,
        max_in_flight=new.pace.max_in_flight,
        check_gap_ms=_or(new.check_gap_ms, settings.check_gap_ms),
        check_free_at=0,
        arrival_ms=_or(new.arrival_ms, _or(new.pace.arrival_ms, settings.arrival_ms)),
        cursor=0,
        files_arrival_ms=_or(new.arrival_ms, _or(new.pace.files_arrival_ms, _or(new.pace.arrival_ms, settings.arrival_ms))),
    )
    access = Access(device.id, workspace.id, new.channel, new.url.rstrip("/"), new.secret, {}, tx.secret(), 0, new.config)
    devices.add(tx, device, access)
    tx.wake("devices")
    return device


def _line(tx: Transaction, settings: Settings, workspace: Workspace, device: Device, new: NewLine, timezone: str) -> Line:
    return Line(
        id=tx.new_id(),
        workspace_id=workspace.id,
        device_id=device.id,
        message_type=new.message_type,
        phone=new.phone,
        email=new.email,
        first_name=new.first_name,
        last_name=new.last_name,
        is_active=True,
        timezone=timezone,
        messages_per_day=_or(new.messages_per_day, settings.line_messages_per_day),
        new_per_day=_or(new.new_per_day, settings.line_new_per_day),
        checks_per_day=_or(new.checks_per_day, settings.line_checks_per_day),
        contact_gap_ms=_or(new.contact_gap_ms, _or(new.pace.contact_gap_ms, settings.contact_gap_ms)),
        contact_free_at=0,
        usage_until=day_start_after(tx.now, timezone),
        usage_total=0,
        usage_new=0,
        usage_checks=0,
        chosen_at=0,
        chosen_total=0,
        chosen_new=0,
        created_at=tx.now,
        updated_at=tx.now,
    )


def _or(given: int | None, default: int) -> int:
    return default if given is None else given


def own_line(tx: Transaction, workspace_id: str, line_id: str) -> Line:
    """Return a line of a workspace that was not deleted."""
    line = table.find(tx, workspace_id, line_id)
    if line is None:
        raise NotFound("Line not found", code="LINE_NOT_FOUND")
    return line


def channel_of(tx: Transaction, workspace_id: str, line_id: str) -> str:
    """Return what a line's device speaks."""
    device_id = own_line(tx, workspace_id, line_id).device_id
    return devices.by_ids(tx, [device_id])[device_id].channel


def device_of_line(tx: Transaction, workspace_id: str, line_id: str) -> tuple[Access, bool]:
    """Return how a line's device is reached, and whether it counts as up."""
    device_id = own_line(tx, workspace_id, line_id).device_id
    return devices.access(tx, [device_id])[device_id], devices.by_ids(tx, [device_id])[device_id].is_up


def change_line(tx: Transaction, workspace_id: str, line_id: str, change: LineChange) -> LineView:
    """Change a line. A raised cap or a shortened gap lets go at once what it held."""
    if change.resetting is not None:
        workspaces.make_alone(tx)
    device_id = own_line(tx, workspace_id, line_id).device_id
    device = devices.lock(tx, [device_id])[device_id]
    line = own_line(tx, workspace_id, line_id)
    after = _changed(line, change, tx.now)
    table.save_limits(tx, after)
    # In another zone the day ends at another time, and with another gap its clock moves.
    table.save_counts(tx, [after])
    if change.resetting is not None:
        _reset(tx, device.id, change.resetting)
    if change.device_gap_ms is not None and change.device_gap_ms != device.gap_ms:
        _change_gap(tx, device, change.device_gap_ms)
    look_again(tx, [device.id])
    return line_view(tx, table.by_ids(tx, [line_id])[line_id], devices.by_ids(tx, [device.id])[device.id])


def _changed(line: Line, change: LineChange, now: int) -> Line:
    line = line.on_day_of(now)
    if change.timezone is not None and change.timezone != line.timezone:
        zone_named(change.timezone)
        # The day that has begun goes on with its counts; only its end moves.
        line = replace(line, timezone=change.timezone, usage_until=day_start_after(now, change.timezone))
    if change.contact_gap_ms is not None:
        line = replace(
            line,
            contact_gap_ms=change.contact_gap_ms,
            contact_free_at=_moved(line.contact_free_at, line.contact_gap_ms, change.contact_gap_ms),
        )
    return replace(
        line,
        is_active=line.is_active if change.is_active is None else change.is_active,
        messages_per_day=_or(change.messages_per_day, line.messages_per_day),
        new_per_day=_or(change.new_per_day, line.new_per_day),
        checks_per_day=_or(change.checks_per_day, line.checks_per_day),
        first_name=_named(change.first_name, line.first_name),
        last_name=_named(change.last_name, line.last_name),
        updated_at=now,
    )


def _named(given: str | None, kept: str | None) -> str | None:
    return kept if given is None else given or None


def _reset(tx: Transaction, device_id: str, resetting: Resetting) -> None:
    """Reach a device in another way from now on, and ping it at once."""
    access, kind, sealer = devices.access(tx, [device_id])[device_id], resetting.kind, resetting.sealer
    kept = Setup(_config(access), sealer.open(access.secret))
    setup = kind.changed(kept, resetting.given)
    if kind.device_meant(setup.config) != kind.device_meant(kept.config):
        _refuse_twin(tx, access.workspace_id, kind, setup.config)
    url = setup.config.get("url", "")
    devices.save_access(tx, changed(access, url=url, secret=sealer.seal(setup.secrets), config=setup.config))
    if kind.leads_elsewhere(kept.config, setup.config):
        devices.begin_anew(tx, device_id)  # What lies there already is no reply, and its order is not the old one's.
    _announce(tx, device_id)


def _announce(tx: Transaction, device_id: str) -> None:
    """Have every process let go of what it keeps for a device that is reached in another way now, and one ping it at once."""
    devices.hasten(tx, device_id, health_at=tx.now)
    tx.wake(f"device:{device_id}")
    tx.wake("devices")


def _change_gap(tx: Transaction, device: Device, gap_ms: int) -> None:
    devices.save_gap(tx, device.id, gap_ms)
    devices.save_clocks(tx, [replace(device, free_at=_moved(device.free_at, device.gap_ms, gap_ms))])


def _moved(free_at: int, old_gap_ms: int, gap_ms: int) -> int:
    """A gap is counted from the last send, so the moment at which it ends moves with it; 0 is that there was none."""
    return free_at + gap_ms - old_gap_ms if free_at else 0


def move_device(tx: Transaction, device_id: str, url: str, config: Mapping[str, str] | None = None) -> None:
    """Reach a device at another address from now on; what it is and owes stays."""
    devices.lock(tx, [device_id])
    access = devices.access(tx, [device_id])[device_id]
    moved = changed(access, url=url, config=access.config if config is None else config)
    if moved != access:
        devices.save_access(tx, moved)
        _announce(tx, device_id)
