"""What the store itself can fail with; the databases' own errors pass through unchanged.

Nothing here speaks of messages or lines: a caller that wants a code and an HTTP status makes them from these.
"""


class StoreError(Exception):
    """The store cannot do what was asked."""


class StoreClosedError(StoreError):
    """The store was closed before the action began."""


class CommitInDoubtError(StoreError):
    """The connection was lost during COMMIT: the action may have happened or not, and it is not run again."""


class TransactionLostError(StoreError):
    """The database ended the transaction by itself, so nothing that the action did has happened."""


class SchemaError(StoreError):
    """The database's schema is newer than this program, or older and not to be migrated."""


class FolderInUseError(StoreError):
    """Another process holds the data folder."""
