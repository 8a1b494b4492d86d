"""What the store itself fails with, as leaves of the tree in `core.errors`.

A mistake in our own SQL or a broken constraint passes through as the database's own error: nobody but a bug report
can use it.
"""

# ruff: noqa: N818 - as in core.errors.

from posthaste.core.errors import SettingError, Unavailable


class StoreUnavailable(Unavailable):
    """The database cannot work now: no connection, a full disk, a lock held for too long. Nothing has happened."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="STORE_UNAVAILABLE")


class StoreClosed(Unavailable):
    """The store was closed before the action began. Nothing has happened."""

    def __init__(self) -> None:
        super().__init__("The store is closed", code="STORE_CLOSED")


class TransactionLost(Unavailable):
    """The database ended the transaction by itself. Nothing has happened."""

    def __init__(self) -> None:
        super().__init__("The database ended the transaction", code="TRANSACTION_LOST")


class CommitInDoubt(Unavailable):
    """The connection was lost during COMMIT: the action may have happened or not, and it is not run again."""

    def __init__(self) -> None:
        super().__init__("The database did not say whether it committed", code="COMMIT_IN_DOUBT")


class SchemaMismatch(SettingError):
    """The database's schema is newer than this program, or older and not to be migrated."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="SCHEMA_MISMATCH")


class FolderInUse(SettingError):
    """Another process holds the data folder."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="FOLDER_IN_USE")
