"""The tables of workspaces and their API keys. Keys are found by their digest; the key itself is never stored."""

from dataclasses import dataclass

from posthaste.core.workspaces import Fallback, Workspace
from posthaste.store.transaction import Row, Transaction


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without the key: `hint` is its last four characters."""

    id: str
    workspace_id: str
    hint: str
    name: str
    created_at: int
    revoked_at: int | None


_COLUMNS = """
    w.id, w.name, w.region, w.timezone, w.is_sandbox, w.read_only_reason, w.created_at,
    w.fallback_enabled, w.fallback_line_id, w.send_fallback
"""


def _workspace(row: Row) -> Workspace:
    fallback = Fallback(bool(row[7]), row[8], bool(row[9]))
    return Workspace(row[0], row[1], row[2], row[3], bool(row[4]), row[5], row[6], fallback)


def make_alone(tx: Transaction) -> None:
    """Wait for whoever else is making a workspace or its lines, and keep the others out until the commit."""
    tx.rows("SELECT 1 /*pg FROM pg_advisory_xact_lock(hashtext('posthaste workspaces')) */")


def add(tx: Transaction, workspace: Workspace) -> None:
    tx.run(
        """
        INSERT INTO workspaces (id, name, region, timezone, is_sandbox, read_only_reason, created_at)
        VALUES (:id, :name, :region, :timezone, :is_sandbox, :read_only_reason, :created_at)
        """,
        {
            "id": workspace.id,
            "name": workspace.name,
            "region": workspace.region,
            "timezone": workspace.timezone,
            "is_sandbox": workspace.is_sandbox,
            "read_only_reason": workspace.read_only_reason,
            "created_at": workspace.created_at,
        },
    )


def find(tx: Transaction, workspace_id: str) -> Workspace | None:
    row = tx.one(
        f"SELECT {_COLUMNS} FROM workspaces AS w WHERE w.id = :id",
        {"id": workspace_id},
    )
    return _workspace(row) if row else None


def save_fallback(tx: Transaction, workspace_id: str, fallback: Fallback) -> None:
    tx.run(
        """
        UPDATE workspaces
        SET fallback_enabled = :is_enabled, fallback_line_id = :line_id, send_fallback = :send_on_failed
        WHERE id = :id
        """,
        {
            "id": workspace_id,
            "is_enabled": fallback.is_enabled,
            "line_id": fallback.line_id,
            "send_on_failed": fallback.send_on_failed,
        },
    )


def every(tx: Transaction) -> list[Workspace]:
    rows = tx.rows(f"SELECT {_COLUMNS} FROM workspaces AS w ORDER BY w.created_at, w.id")
    return [_workspace(row) for row in rows]


def add_key(tx: Transaction, key: ApiKey, digest: str) -> None:
    tx.run(
        """
        INSERT INTO api_keys (id, workspace_id, digest, hint, name, created_at, revoked_at)
        VALUES (:id, :workspace_id, :digest, :hint, :name, :created_at, NULL)
        """,
        {
            "id": key.id,
            "workspace_id": key.workspace_id,
            "digest": digest,
            "hint": key.hint,
            "name": key.name,
            "created_at": key.created_at,
        },
    )


def workspace_of_key(tx: Transaction, digest: str) -> Workspace | None:
    """Find the workspace of a key that was not revoked. Runs once per key and cache time; served by the unique digest."""
    row = tx.one(
        f"""
        SELECT {_COLUMNS}
        FROM api_keys AS k
        JOIN workspaces AS w ON w.id = k.workspace_id
        WHERE k.digest = :digest AND k.revoked_at IS NULL
        """,
        {"digest": digest},
    )
    return _workspace(row) if row else None


def keys(tx: Transaction, workspace_id: str | None) -> list[ApiKey]:
    rows = tx.rows(
        """
        SELECT id, workspace_id, hint, name, created_at, revoked_at
        FROM api_keys
        WHERE workspace_id = COALESCE(:workspace_id, workspace_id)
        ORDER BY created_at, id
        """,
        {"workspace_id": workspace_id},
    )
    return [ApiKey(*row) for row in rows]


def revoke_key(tx: Transaction, key_id: str) -> bool:
    return bool(
        tx.run("UPDATE api_keys SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL", {"id": key_id, "now": tx.now})
    )
