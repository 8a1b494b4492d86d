"""The table of devices: the scarce things whose rows are the locks of all sending.

Whoever changes what a device may do next locks its row first (`lock`, in order of ids), then touches messages.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import json

from posthaste.core.lines import NEVER_AT, Device
from posthaste.store.transaction import Row, Transaction

_COLUMNS = """
    id, workspace_id, channel, state, state_reason, state_at, checked_at, failures, gap_ms, free_at, ready_at, in_flight,
    max_in_flight, check_gap_ms, check_free_at, arrival_ms, cursor, files_arrival_ms
"""


@dataclass(frozen=True, slots=True)
class Access:
    """How a device is reached: what only its channel reads. `secret` is sealed; `failures` are the pings in a row that it has
    not answered.
    """

    device_id: str
    workspace_id: str
    channel: str
    url: str
    secret: str
    options: Mapping[str, object]
    hook_token: str
    cursor: int
    config: Mapping[str, str] = field(default_factory=dict)
    failures: int = 0


def _json(value: Mapping[str, object] | Mapping[str, str]) -> str:
    return json.encode(dict(value)).decode()


def _device(row: Row) -> Device:
    return Device(*row)


def add(tx: Transaction, device: Device, access: Access) -> None:
    tx.run(
        """
        INSERT INTO devices (
            id, workspace_id, channel, url, secret, config, options, hook_token, state, state_reason, state_at, checked_at,
            failures, gap_ms, free_at, ready_at, in_flight, max_in_flight, check_gap_ms, check_free_at, arrival_ms, cursor,
            files_arrival_ms, health_due_at, poll_due_at, created_at)
        VALUES (
            :id, :workspace_id, :channel, :url, :secret, :config, :options, :hook_token, :state, :state_reason, :now, NULL, 0,
            :gap_ms, 0, NULL, 0, :max_in_flight, :check_gap_ms, 0, :arrival_ms, :cursor,
            :files_arrival_ms, :now, :now, :now)
        """,
        {
            "id": device.id,
            "workspace_id": device.workspace_id,
            "channel": device.channel,
            "url": access.url,
            "secret": access.secret,
            "config": _json(access.config),
            "options": _json(access.options),
            "hook_token": access.hook_token,
            "state": device.state,
            "state_reason": device.state_reason,
            "gap_ms": device.gap_ms,
            "max_in_flight": device.max_in_flight,
            "check_gap_ms": device.check_gap_ms,
            "arrival_ms": device.arrival_ms,
            "cursor": device.cursor,
            "files_arrival_ms": device.files_arrival_ms,
            "now": tx.now,
        },
    )


def by_ids(tx: Transaction, ids: Collection[str]) -> dict[str, Device]:
    rows = tx.rows(f"SELECT {_COLUMNS} FROM devices WHERE id IN EACH(:ids)", {"ids": list(ids)})
    return {row[0]: _device(row) for row in rows}


def lock(tx: Transaction, ids: Collection[str]) -> dict[str, Device]:
    """Lock devices in order of their ids and return them as they then are."""
    rows = tx.rows(
        f"SELECT {_COLUMNS} FROM devices WHERE id IN EACH(:ids) ORDER BY id /*pg FOR UPDATE */",
        {"ids": sorted(ids)},
    )
    return {row[0]: _device(row) for row in rows}


def take_ready(tx: Transaction, limit: int) -> dict[str, Device]:
    """Lock the devices that have had work for the longest.

    Served by devices_ready; those that others hold are passed over.
    """
    rows = tx.rows(
        f"""
        SELECT {_COLUMNS}
        FROM devices
        WHERE ready_at <= :now
        ORDER BY ready_at
        LIMIT :limit
        /*pg FOR UPDATE SKIP LOCKED */
        """,
        {"now": tx.now, "limit": limit},
    )
    return {row[0]: _device(row) for row in rows}


def next_ready_at(tx: Transaction) -> int | None:
    """Return when the next device has work, for the sender's alarm."""
    row = tx.one("SELECT min(ready_at) FROM devices WHERE ready_at IS NOT NULL")
    return row[0] if row else None


def save_clocks(tx: Transaction, devices: Sequence[Device]) -> None:
    """Write when each device is free and ready, and how much it has in flight."""
    tx.many(
        "UPDATE devices SET free_at = :free_at, ready_at = :ready_at, in_flight = :in_flight WHERE id = :id",
        [{"id": one.id, "free_at": one.free_at, "ready_at": one.ready_at, "in_flight": one.in_flight} for one in devices],
    )


def save_state(tx: Transaction, device: Device) -> None:
    """Write a device's health."""
    tx.run(
        """
        UPDATE devices
        SET state = :state, state_reason = :state_reason, state_at = :state_at, checked_at = :checked_at, failures = :failures
        WHERE id = :id
        """,
        {
            "id": device.id,
            "state": device.state,
            "state_reason": device.state_reason,
            "state_at": device.state_at,
            "checked_at": device.checked_at,
            "failures": device.failures,
        },
    )


def save_gap(tx: Transaction, device_id: str, gap_ms: int) -> None:
    tx.run("UPDATE devices SET gap_ms = :gap_ms WHERE id = :id", {"id": device_id, "gap_ms": gap_ms})


def save_options(tx: Transaction, device_id: str, options: Mapping[str, object]) -> None:
    tx.run("UPDATE devices SET options = :options WHERE id = :id", {"id": device_id, "options": _json(options)})


def save_access(tx: Transaction, access: Access) -> None:
    """Write how a device is reached from now on."""
    tx.run(
        "UPDATE devices SET url = :url, secret = :secret, config = :config WHERE id = :id",
        {"id": access.device_id, "url": access.url, "secret": access.secret, "config": _json(access.config)},
    )


def raise_cursor(tx: Transaction, device_id: str, cursor: int) -> None:
    """Note that the provider's order has come to `cursor`; it never goes back."""
    tx.run("UPDATE devices SET cursor = :cursor WHERE id = :id AND cursor < :cursor", {"id": device_id, "cursor": cursor})


def begin_anew(tx: Transaction, device_id: str) -> None:
    """Forget what is known of a device and how far its order has come: another one is in its place."""
    tx.run("UPDATE devices SET cursor = 0, options = '{}' WHERE id = :id", {"id": device_id})


def reserve_check(tx: Transaction, device_id: str, at: int) -> None:
    """Note that the device's next availability check may start at `at`."""
    tx.run("UPDATE devices SET check_free_at = :at WHERE id = :id", {"id": device_id, "at": at})


_ACCESS = "id, workspace_id, channel, url, secret, options, hook_token, cursor, config, failures"


def _access(row: Row) -> Access:
    return Access(row[0], row[1], row[2], row[3], row[4], json.decode(row[5]), row[6], row[7], json.decode(row[8]), row[9])


def access(tx: Transaction, ids: Collection[str]) -> dict[str, Access]:
    rows = tx.rows(f"SELECT {_ACCESS} FROM devices WHERE id IN EACH(:ids)", {"ids": list(ids)})
    return {row[0]: _access(row) for row in rows}


def lock_as_reached(tx: Transaction, asked: Access) -> bool:
    """Lock a device, and tell whether it is still reached as it was when it was asked something."""
    lock(tx, [asked.device_id])
    row = access(tx, [asked.device_id])[asked.device_id]
    return (row.url, row.secret, row.config) == (asked.url, asked.secret, asked.config)


def by_token(tx: Transaction, hook_token: str) -> Access | None:
    row = tx.one(f"SELECT {_ACCESS} FROM devices WHERE hook_token = :token", {"token": hook_token})
    return _access(row) if row else None


def every_access(tx: Transaction) -> list[Access]:
    return [_access(row) for row in tx.rows(f"SELECT {_ACCESS} FROM devices ORDER BY created_at, id")]


def in_use(tx: Transaction) -> list[Access]:
    """Return the devices that have a line, oldest first."""
    rows = tx.rows(
        f"""
        SELECT {_ACCESS}
        FROM devices AS d
        WHERE EXISTS (SELECT 1 FROM lines AS l WHERE l.device_id = d.id AND l.deleted_at IS NULL)
        ORDER BY d.created_at, d.id
        """
    )
    return [_access(row) for row in rows]


def take_due_for_health(tx: Transaction, every_ms: int, limit: int) -> list[Access]:
    """Take the devices whose ping is due, and put their next one off, so that one node pings each."""
    rows = tx.rows(
        f"""
        UPDATE devices SET health_due_at = :next
        WHERE id IN (
            SELECT id FROM devices WHERE health_due_at <= :now ORDER BY health_due_at LIMIT :limit /*pg FOR UPDATE SKIP LOCKED */
        )
        RETURNING {_ACCESS}
        """,
        {"now": tx.now, "next": tx.now + every_ms, "limit": limit},
    )
    return [_access(row) for row in rows]


def take_due_for_poll(tx: Transaction, every_ms: int, limit: int) -> list[Access]:
    """Take the devices that are up and whose poll is due, and put their next one off, so that one node polls each."""
    rows = tx.rows(
        f"""
        UPDATE devices SET poll_due_at = :next
        WHERE id IN (
            SELECT id FROM devices
            WHERE poll_due_at <= :now AND state = 'up'
            ORDER BY poll_due_at
            LIMIT :limit
            /*pg FOR UPDATE SKIP LOCKED */
        )
        RETURNING {_ACCESS}
        """,
        {"now": tx.now, "next": tx.now + every_ms, "limit": limit},
    )
    return [_access(row) for row in rows]


def hasten(tx: Transaction, device_id: str, *, health_at: int | None = None, poll_at: int | None = None) -> None:
    """Bring a device's next ping or poll forward, unless it was let go of."""
    tx.run(
        """
        UPDATE devices
        SET health_due_at = CASE WHEN :health_at < health_due_at THEN :health_at ELSE health_due_at END,
            poll_due_at = CASE WHEN :poll_at < poll_due_at THEN :poll_at ELSE poll_due_at END
        WHERE id = :id AND health_due_at < :never
        """,
        {"id": device_id, "health_at": health_at, "poll_at": poll_at, "never": NEVER_AT},
    )


def postpone(tx: Transaction, device_id: str, until: int) -> None:
    """Put a device's next ping and poll off."""
    tx.run("UPDATE devices SET health_due_at = :until, poll_due_at = :until WHERE id = :id", {"id": device_id, "until": until})
