"""The table of addresses that nothing is sent to."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from posthaste.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Blocked:
    """A row: an address, and why nothing is sent to it."""

    id: str
    workspace_id: str
    address: str
    reason: str | None
    created_at: int


def add(tx: Transaction, workspace_id: str, addresses: Collection[str], reason: str | None) -> None:
    """Put addresses on the list; one that is there stays as it is, with its first reason."""
    tx.many(
        """
        INSERT INTO do_not_contact (workspace_id, address, id, reason, created_at)
        VALUES (:workspace_id, :address, :id, :reason, :now)
        ON CONFLICT DO NOTHING
        """,
        [
            {"workspace_id": workspace_id, "address": one, "id": tx.new_id(), "reason": reason, "now": tx.now}
            for one in sorted(addresses)
        ],
    )


def remove(tx: Transaction, workspace_id: str, addresses: Collection[str]) -> None:
    tx.run(
        "DELETE FROM do_not_contact WHERE workspace_id = :workspace_id AND address IN EACH(:addresses)",
        {"workspace_id": workspace_id, "addresses": sorted(addresses)},
    )


def among(tx: Transaction, people: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return which people, as (workspace_id, address), nothing is sent to. Served by the primary key."""
    addresses: dict[str, set[str]] = defaultdict(set)
    for workspace_id, address in people:
        addresses[workspace_id].add(address)
    return {
        (workspace_id, row[0])
        for workspace_id in sorted(addresses)
        for row in tx.rows(
            "SELECT address FROM do_not_contact WHERE workspace_id = :workspace_id AND address IN EACH(:addresses)",
            {"workspace_id": workspace_id, "addresses": sorted(addresses[workspace_id])},
        )
    }


def by_address(tx: Transaction, workspace_id: str, address: str) -> Blocked | None:
    row = tx.one(
        """
        SELECT id, workspace_id, address, reason, created_at FROM do_not_contact
        WHERE workspace_id = :workspace_id AND address = :address
        """,
        {"workspace_id": workspace_id, "address": address},
    )
    return Blocked(*row) if row else None


def by_id(tx: Transaction, workspace_id: str, row_id: str) -> Blocked | None:
    row = tx.one(
        """
        SELECT id, workspace_id, address, reason, created_at FROM do_not_contact
        WHERE workspace_id = :workspace_id AND id = :id
        """,
        {"workspace_id": workspace_id, "id": row_id},
    )
    return Blocked(*row) if row else None


def page(tx: Transaction, workspace_id: str, search: str | None, offset: int, limit: int) -> list[Blocked]:
    """Return one page of the list, newest first; `search` is a part of the address. Served by do_not_contact_newest."""
    rows = tx.rows(
        """
        SELECT id, workspace_id, address, reason, created_at FROM do_not_contact
        WHERE workspace_id = :workspace_id AND (CAST(:search AS TEXT) IS NULL OR address LIKE :search)
        ORDER BY created_at DESC, id DESC
        LIMIT :limit OFFSET :offset
        """,
        {"workspace_id": workspace_id, "search": _containing(search), "limit": limit, "offset": offset},
    )
    return [Blocked(*row) for row in rows]


def count(tx: Transaction, workspace_id: str, search: str | None) -> int:
    row = tx.one(
        """
        SELECT count(*) FROM do_not_contact
        WHERE workspace_id = :workspace_id AND (CAST(:search AS TEXT) IS NULL OR address LIKE :search)
        """,
        {"workspace_id": workspace_id, "search": _containing(search)},
    )
    return int(row[0]) if row else 0


def _containing(search: str | None) -> str | None:
    # An address has neither % nor, but for e-mail, _; there it stands for itself and any other character.
    return None if search is None else f"%{search.lower().replace('%', '')}%"
