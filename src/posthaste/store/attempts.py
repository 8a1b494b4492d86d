"""The table of attempts: one row for each handing-over of a message to a provider, written before the provider is called.

`claimed` means surely not handed over, `handed` means perhaps. The two are never guessed at afterwards: the row says which.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec.structs import asdict

from posthaste.core import row
from posthaste.store.transaction import Row, Transaction


class Attempt(row.Row, frozen=True):
    """A row of `attempts`. `opened`: it opened the conversation; `occupies`: it holds a slot of its device."""

    id: str
    workspace_id: str
    message_id: str
    device_id: str
    line_id: str
    number: int
    state: str
    outcome: str | None
    detail: str | None
    owner: str | None
    lease_until: int
    occupies: bool
    opened: bool
    usage_until: int
    address: str
    target: str | None
    text: str | None
    cursor: int | None
    external_id: str | None
    arrives_until: int | None
    looks: int
    claimed_at: int
    handed_at: int | None
    started_at: int | None
    finished_at: int | None

    @property
    def marker(self) -> str:
        """What goes along with the text, for providers that pass it back."""
        return _MARK + self.id


_MARK = "posthaste-"
_NAMES = Attempt.__struct_fields__
_COLUMNS = ", ".join(_NAMES)


def _attempt(columns: Row) -> Attempt:
    return Attempt(*columns[:11], bool(columns[11]), bool(columns[12]), *columns[13:])  # type: ignore[call-arg]


def _params(attempt: Attempt) -> dict[str, object]:
    return asdict(attempt) | {"occupies": int(attempt.occupies), "opened": int(attempt.opened)}


def add(tx: Transaction, attempts: Iterable[Attempt]) -> None:
    values = ", ".join(f":{name}" for name in _NAMES)
    tx.many(f"INSERT INTO attempts ({_COLUMNS}) VALUES ({values})", [_params(one) for one in attempts])


def by_ids(tx: Transaction, ids: Collection[str]) -> dict[str, Attempt]:
    rows = tx.rows(f"SELECT {_COLUMNS} FROM attempts WHERE id IN EACH(:ids)", {"ids": list(ids)})
    return {row[0]: _attempt(row) for row in rows}


def of_message(tx: Transaction, message_id: str) -> list[Attempt]:
    rows = tx.rows(f"SELECT {_COLUMNS} FROM attempts WHERE message_id = :id ORDER BY claimed_at, id", {"id": message_id})
    return [_attempt(row) for row in rows]


def handed_of(tx: Transaction, message_ids: Collection[str]) -> set[str]:
    """Return which messages have an attempt that was handed over and is still open. Served by attempts_of_message."""
    rows = tx.rows(
        "SELECT message_id FROM attempts WHERE message_id IN EACH(:ids) AND state = 'handed'", {"ids": list(message_ids)}
    )
    return {row[0] for row in rows}


def unanswered(tx: Transaction, message_ids: Collection[str]) -> set[str]:
    """Return which messages have an open attempt whose call has ended without an answer. Served by attempts_of_message."""
    rows = tx.rows(
        "SELECT message_id FROM attempts WHERE message_id IN EACH(:ids) AND state = 'handed' AND occupies = 0",
        {"ids": list(message_ids)},
    )
    return {row[0] for row in rows}


def by_marker(tx: Transaction, device_id: str, marker: str) -> Attempt | None:
    """Return the attempt that a marker names, whatever became of it: what comes late is evidence, too."""
    attempt = by_ids(tx, [marker.removeprefix(_MARK)]).get(marker.removeprefix(_MARK))
    return attempt if attempt is not None and attempt.device_id == device_id and attempt.marker == marker else None


def by_external_id(tx: Transaction, device_id: str, external_id: str) -> Attempt | None:
    row = tx.one(
        f"SELECT {_COLUMNS} FROM attempts WHERE device_id = :device_id AND external_id = :external_id",
        {"device_id": device_id, "external_id": external_id},
    )
    return _attempt(row) if row else None


def holders(tx: Transaction, external_ids: Collection[str]) -> dict[tuple[str, str], str]:
    """Return which attempts hold provider's ids, as (device id, external id) → attempt id.

    Served by attempts_by_external_id.
    """
    rows = tx.rows(
        "SELECT device_id, external_id, id FROM attempts WHERE external_id IN EACH(:ids)",
        {"ids": list(external_ids)},
    )
    return {(row[0], row[1]): row[2] for row in rows}


def hand(tx: Transaction, rows: Sequence[dict[str, object]]) -> None:
    """Write down that attempts are handed over now.

    Runs for attempts that the caller has found to be its own and claimed.
    """
    tx.many(
        """
        UPDATE attempts
        SET state = 'handed', handed_at = :handed_at, arrives_until = :arrives_until, lease_until = :lease_until,
            address = :address, target = :target, text = :text, cursor = :cursor
        WHERE id = :id AND state = 'claimed'
        """,
        rows,
    )


def prolong(tx: Transaction, attempt_id: str, arrives_until: int) -> None:
    """Note until when an attempt that was handed over again may still arrive."""
    tx.run("UPDATE attempts SET arrives_until = :until WHERE id = :id", {"id": attempt_id, "until": arrives_until})


def save(tx: Transaction, attempts: Iterable[Attempt]) -> None:
    """Write what became of attempts; the caller has locked their devices."""
    tx.many(
        """
        UPDATE attempts
        SET state = :state, outcome = :outcome, detail = :detail, owner = :owner, lease_until = :lease_until,
            occupies = :occupies, external_id = :external_id, looks = :looks, started_at = :started_at, finished_at = :finished_at
        WHERE id = :id
        """,
        [_changing(one) for one in attempts],
    )


def _changing(attempt: Attempt) -> dict[str, object]:
    return {
        "id": attempt.id,
        "state": attempt.state,
        "outcome": attempt.outcome,
        "detail": attempt.detail,
        "owner": attempt.owner,
        "lease_until": attempt.lease_until,
        "occupies": int(attempt.occupies),
        "external_id": attempt.external_id,
        "looks": attempt.looks,
        "started_at": attempt.started_at,
        "finished_at": attempt.finished_at,
    }


def renew(tx: Transaction, owner: str, ids: Collection[str], lease_until: int) -> None:
    """Keep an owner's attempts for longer."""
    tx.run(
        "UPDATE attempts SET lease_until = :until WHERE id IN EACH(:ids) AND owner = :owner AND state <> 'done'",
        {"owner": owner, "ids": list(ids), "until": lease_until},
    )


def void_leases(tx: Transaction) -> int:
    """End every lease: on SQLite nobody but this process can hold one, and it has only just begun."""
    return tx.run("UPDATE attempts SET lease_until = 0, owner = NULL WHERE state <> 'done' AND owner IS NOT NULL")


def abandoned(tx: Transaction, limit: int) -> list[Attempt]:
    """Return open attempts that nobody holds any more. Served by attempts_open."""
    rows = tx.rows(
        f"""
        SELECT {_COLUMNS} FROM attempts
        WHERE state <> 'done' AND lease_until <= :now
        ORDER BY lease_until
        LIMIT :limit
        /*pg FOR UPDATE SKIP LOCKED */
        """,
        {"now": tx.now, "limit": limit},
    )
    return [_attempt(row) for row in rows]


def next_abandoned_at(tx: Transaction) -> int | None:
    """Return when the next attempt is to be looked at, for the rescuer's alarm."""
    row = tx.one("SELECT min(lease_until) FROM attempts WHERE state <> 'done'")
    return row[0] if row else None


def in_doubt_for(tx: Transaction, people: Mapping[str, Collection[str]]) -> dict[tuple[str, str], int]:
    """Return for whom of these addresses by workspace a send is under way or in doubt, and when to ask again.

    Served by attempts_in_doubt_for.
    """
    rows = tx.rows(
        """
        SELECT a.workspace_id, a.address, max(a.lease_until)
        FROM attempts AS a
        JOIN messages AS m ON m.id = a.message_id
        WHERE a.state <> 'done' AND a.workspace_id IN EACH(:workspaces) AND a.address IN EACH(:addresses)
            AND m.status = 'sending'
        GROUP BY a.workspace_id, a.address
        """,
        {"workspaces": sorted(people), "addresses": sorted({one for every in people.values() for one in every})},
    )
    return {(row[0], row[1]): row[2] for row in rows}


def bound_ids(tx: Transaction, device_id: str, attempt_id: str, address: str) -> frozenset[str]:
    """Return the provider's ids that belong to other attempts for the same address. Served by attempts_bound."""
    rows = tx.rows(
        """
        SELECT external_id FROM attempts
        WHERE device_id = :device_id AND address = :address AND id <> :id AND external_id IS NOT NULL
        """,
        {"device_id": device_id, "address": address, "id": attempt_id},
    )
    return frozenset(row[0] for row in rows)


def has_rival(tx: Transaction, attempt: Attempt) -> bool:
    """Tell whether another send to the same person through the same device is handed over and not answered yet.

    Served by attempts_in_doubt_for.
    """
    row = tx.one(
        """
        SELECT 1
        FROM attempts AS a
        JOIN messages AS m ON m.id = a.message_id
        WHERE a.workspace_id = :workspace_id AND a.address = :address AND a.state <> 'done'
            AND a.state = 'handed' AND a.device_id = :device_id AND a.id <> :id AND m.status = 'sending'
        LIMIT 1
        """,
        {
            "workspace_id": attempt.workspace_id,
            "address": attempt.address,
            "device_id": attempt.device_id,
            "id": attempt.id,
        },
    )
    return row is not None


def look_now(tx: Transaction, device_id: str) -> None:
    """Have a device's attempts in doubt looked up at once. Served by attempts_open."""
    tx.run(
        """
        UPDATE attempts SET lease_until = :now
        WHERE device_id = :device_id AND state <> 'done' AND state = 'handed' AND owner IS NULL AND lease_until > :now
        """,
        {"device_id": device_id, "now": tx.now},
    )


def revive_lost(tx: Transaction, device_id: str, finished_after: int) -> None:
    """Have attempts that ended as unknown looked up once more, now that their device answers again. Served by attempts_lost."""
    tx.run(
        """
        UPDATE attempts SET state = 'handed', owner = NULL, lease_until = :now, finished_at = NULL
        WHERE device_id = :device_id AND outcome = 'unknown' AND state = 'done' AND finished_at > :finished_after
        """,
        {"device_id": device_id, "now": tx.now, "finished_after": finished_after},
    )
