"""Group commit: many actions, one transaction, one fsync. Plain blocking code, run on the writer's thread.

Each action stands behind its own savepoint, so its error takes back its own changes only. A full disk, an I/O error
or a busy file may roll back the whole transaction under the others: then nobody has succeeded, and all are run
again one by one, so that the one that cannot be done does not take the others with it.
"""

import sqlite3
from collections.abc import Sequence

from posthaste.clock import Clock
from posthaste.ids import Ids
from posthaste.store.errors import TransactionLost
from posthaste.store.jobs import Job
from posthaste.store.sqlite_transaction import SqliteTransaction, as_ours

BATCH_MS = 20
"""A batch is committed after this time although jobs are left, so that the first ones need not wait for the last."""


def fail_all(jobs: Sequence[Job], error: BaseException) -> None:
    """Have all callers get one error."""
    for job in jobs:
        job.fail(as_ours(error))


class SqliteRunner:
    """Runs jobs on one connection."""

    __slots__ = ("_begin", "_clock", "_connection", "_ids", "commits")

    def __init__(self, connection: sqlite3.Connection, clock: Clock, ids: Ids, *, begin: str) -> None:
        self._connection = connection
        self._clock = clock
        self._ids = ids
        self._begin = begin
        self.commits = 0

    def run(self, jobs: Sequence[Job]) -> int:
        """Run jobs from the first on and commit them; return how many were done with, at least one."""
        if len(jobs) == 1:
            self._run_alone(jobs[0])
            return 1
        return self._run_together(jobs)

    def close(self) -> None:
        """Let go; the last connection to close folds the write-ahead log into the file."""
        self._connection.close()

    def _run_together(self, jobs: Sequence[Job]) -> int:
        try:
            self._connection.execute(self._begin)
        except sqlite3.Error as error:
            # Nothing has begun, and each would wait for the same lock again.
            fail_all(jobs, error)
            return len(jobs)
        try:
            done = self._run_behind_savepoints(jobs)
            self._commit()
        except (sqlite3.Error, TransactionLost):
            self._roll_back()
            for job in jobs:
                job.fail(TransactionLost())
                self._run_alone(job)
            return len(jobs)
        return done

    def _run_behind_savepoints(self, jobs: Sequence[Job]) -> int:
        until = self._clock.monotonic_ms() + BATCH_MS
        for count, job in enumerate(jobs, start=1):
            self._run_behind_savepoint(job)
            if self._clock.monotonic_ms() >= until:
                return count
        return len(jobs)

    def _run_behind_savepoint(self, job: Job) -> None:
        if job.is_unwanted:
            return
        self._connection.execute("SAVEPOINT action")
        try:
            job.run(self._open())
        except BaseException as error:
            job.fail(as_ours(error))
            # If the database has ended the whole transaction, this fails too, and the batch with it.
            self._connection.execute("ROLLBACK TO action")
        self._connection.execute("RELEASE action")

    def _run_alone(self, job: Job) -> None:
        if job.is_unwanted:
            return
        try:
            self._connection.execute(self._begin)
            job.run(self._open())
            self._commit()
        except BaseException as error:
            job.fail(as_ours(error))
            self._roll_back()

    def _open(self) -> SqliteTransaction:
        return SqliteTransaction(self._connection, self._ids, self._clock.now_ms())

    def _commit(self) -> None:
        self._connection.execute("COMMIT")
        self.commits += 1

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
