"""The tables of files that are kept here, and of the messages that use them.

A content is only read by itself: it may be as large as the largest attachment.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from posthaste.store.transaction import Row, Transaction

UPLOAD, RECEIVED = "upload", "received"

_NAMES = "id, workspace_id, name, media_type, size, origin, keep_until, created_at"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A row of `files` without its content."""

    id: str
    workspace_id: str
    name: str
    media_type: str
    size: int
    origin: str
    keep_until: int | None
    created_at: int


@dataclass(frozen=True, slots=True)
class Use:
    """A message that a file is sent with; the message's fallback is a use of its own."""

    status: str
    updated_at: int


def add(tx: Transaction, file: StoredFile, content: bytes) -> None:
    tx.run(
        f"""
        INSERT INTO files ({_NAMES}, content)
        VALUES (:id, :workspace_id, :name, :media_type, :size, :origin, :keep_until, :created_at, :content)
        """,
        {
            "id": file.id,
            "workspace_id": file.workspace_id,
            "name": file.name,
            "media_type": file.media_type,
            "size": file.size,
            "origin": file.origin,
            "keep_until": file.keep_until,
            "created_at": file.created_at,
            "content": content,
        },
    )


def by_ids(tx: Transaction, ids: Collection[str]) -> dict[str, StoredFile]:
    return _files(tx.rows(f"SELECT {_NAMES} FROM files WHERE id IN EACH(:ids)", {"ids": list(ids)}))


def content_of(tx: Transaction, file_id: str) -> bytes | None:
    row = tx.one("SELECT content FROM files WHERE id = :id", {"id": file_id})
    return None if row is None else bytes(row[0])


def hold(tx: Transaction, ids: Collection[str]) -> dict[str, StoredFile]:
    """Return files that stay until this transaction has ended, in order of their ids."""
    rows = tx.rows(
        f"SELECT {_NAMES} FROM files WHERE id IN EACH(:ids) ORDER BY id /*pg FOR SHARE */",
        {"ids": sorted(ids)},
    )
    return _files(rows)


def note_uses(tx: Transaction, workspace_id: str, uses: Iterable[tuple[str, str]]) -> None:
    """Note which files are sent with which messages, as (file id, message id)."""
    tx.many(
        """
        INSERT INTO file_uses (file_id, message_id, workspace_id) VALUES (:file_id, :message_id, :workspace_id)
        ON CONFLICT DO NOTHING
        """,
        [{"file_id": one, "message_id": message_id, "workspace_id": workspace_id} for one, message_id in sorted(uses)],
    )


def take_due(tx: Transaction, limit: int) -> list[StoredFile]:
    """Lock files that may perhaps go. Served by files_to_sweep; those that are being used for a message are passed over."""
    rows = tx.rows(
        f"""
        SELECT {_NAMES}
        FROM files
        WHERE keep_until <= :now
        ORDER BY keep_until
        LIMIT :limit
        /*pg FOR UPDATE SKIP LOCKED */
        """,
        {"now": tx.now, "limit": limit},
    )
    return list(_files(rows).values())


def uses_of(tx: Transaction, ids: Collection[str]) -> Mapping[str, Sequence[Use]]:
    """Return the messages that files are sent with, and the fallbacks of those messages."""
    rows = tx.rows(
        """
        SELECT u.file_id, m.status, m.updated_at, f.status, f.updated_at
        FROM file_uses AS u
        JOIN messages AS m ON m.id = u.message_id
        LEFT JOIN messages AS f ON f.id = m.fallback_message_id
        WHERE u.file_id IN EACH(:ids)
        """,
        {"ids": list(ids)},
    )
    found: dict[str, list[Use]] = defaultdict(list)
    for file_id, status, updated_at, later_status, later_at in rows:
        found[file_id].append(Use(status, updated_at))
        if later_status is not None:
            found[file_id].append(Use(later_status, later_at))
    return found


def keep(tx: Transaction, until: Mapping[str, int]) -> None:
    tx.many(
        "UPDATE files SET keep_until = :keep_until WHERE id = :id",
        [{"id": file_id, "keep_until": at} for file_id, at in sorted(until.items())],
    )


def remove(tx: Transaction, ids: Collection[str]) -> None:
    tx.run("DELETE FROM file_uses WHERE file_id IN EACH(:ids)", {"ids": list(ids)})
    tx.run("DELETE FROM inbound_files WHERE file_id IN EACH(:ids)", {"ids": list(ids)})
    tx.run("DELETE FROM files WHERE id IN EACH(:ids)", {"ids": list(ids)})


def _files(rows: Iterable[Row]) -> dict[str, StoredFile]:
    return {row[0]: StoredFile(*row) for row in rows}
