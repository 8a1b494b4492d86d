"""Run actions on one PostgreSQL connection: each in a transaction of its own, again when the database asks for it.

Deadlocks, serialization failures and connections lost before COMMIT changed nothing, so the action is run again, a
few times. A connection lost during COMMIT leaves us not knowing, and that is what the caller hears: to run it again
might do it twice.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

import psycopg
from psycopg import sql
from psycopg.errors import DeadlockDetected, SerializationFailure
from psycopg.pq import TransactionStatus

from posthaste.clock import Clock
from posthaste.ids import Ids
from posthaste.store.errors import CommitInDoubt, StoreUnavailable, TransactionLost
from posthaste.store.jobs import Job
from posthaste.store.postgres_connection import Connection
from posthaste.store.postgres_transaction import PostgresTransaction
from posthaste.store.transaction import Row

WRITING = "BEGIN ISOLATION LEVEL READ COMMITTED"
READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
CHANNEL = "posthaste"

_NOW = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
_AGAIN_AFTER_S = (0.02, 0.1, 0.3)
"""Before an action is run again: at once it would take its locks back before the one it collided with wakes up."""
_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Between attempts to connect again, six seconds in all."""
_PLANS_MS = (1_000.0, 600_000.0)
"""How old a connection's plans may grow: at first, and at most."""


class Plans:
    """Tells when a connection's plans are to be made anew: soon at first, then less and less often.

    A plan made while its table was empty reads the whole table, or walks the wrong index, for as long as it is kept;
    the server itself drops it only when it next analyses the table, which may be minutes and many thousand rows later.
    """

    __slots__ = ("_clock", "_kept_ms", "_until")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept_ms = _PLANS_MS[0]
        self._until = clock.monotonic_ms() + self._kept_ms

    def are_old(self) -> bool:
        """Tell whether it is time; once asked and answered so, only again after twice the time."""
        if self._clock.monotonic_ms() < self._until:
            return False
        self._kept_ms = min(2 * self._kept_ms, _PLANS_MS[1])
        self._until = self._clock.monotonic_ms() + self._kept_ms
        return True


class PostgresRunner:
    """A connection that is opened when first needed and again whenever it was lost."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        clock: Clock,
        ids: Ids,
        *,
        begin: str,
        database_clock: bool,
        stopping: threading.Event,
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._ids = ids
        self._begin_text = f"{begin}; {_NOW}" if database_clock else begin
        self._plans = Plans(clock)
        self._has_clock = database_clock
        self._stopping = stopping
        self._connection: Connection | None = None
        self._is_down = False

    @property
    def pid(self) -> int | None:
        """The process at the server's end, by which a listener knows our own wake-ups."""
        connection = self._connection
        return connection.info.backend_pid if connection and not connection.closed else None

    def run(self, jobs: Sequence[Job]) -> int:
        """Run the first job."""
        if not jobs[0].is_unwanted:
            self._run(jobs[0])
        return 1

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection:
            self._connection.close()

    def _run(self, job: Job) -> None:
        for pause in (*_AGAIN_AFTER_S, None):
            try:
                self._run_once(job)
            except psycopg.OperationalError as error:
                job.fail(_as_ours(error))
                if pause is None or not self._changed_nothing(error):
                    return
                self._stopping.wait(pause * (1 + self._ids.jitter()))
            except BaseException as error:
                job.fail(error)
                return
            else:
                return

    def _changed_nothing(self, error: psycopg.OperationalError) -> bool:
        lost = self._connection is None or self._connection.closed
        return lost or isinstance(error, SerializationFailure | DeadlockDetected)

    def _run_once(self, job: Job) -> None:
        connection = self._connected()
        try:
            with connection.cursor() as cursor:
                transaction = self._begin(cursor)
                job.run(transaction)
                self._commit(cursor, transaction)
        except BaseException:
            self._roll_back(connection)
            raise

    def _begin(self, cursor: psycopg.Cursor[Row]) -> PostgresTransaction:
        """Begin and ask for the time in one round trip."""
        if self._plans.are_old():
            cursor.execute("DISCARD PLANS", prepare=False)
        cursor.execute(self._begin_text, prepare=False)
        if not self._has_clock:
            return PostgresTransaction(cursor, self._ids, self._clock.now_ms())
        cursor.nextset()
        (now,) = cursor.fetchall()[0]
        return PostgresTransaction(cursor, self._ids, now)

    def _commit(self, cursor: psycopg.Cursor[Row], transaction: PostgresTransaction) -> None:
        text = _announcing(transaction.topics)
        try:
            cursor.execute(text, prepare=False)
        except psycopg.OperationalError as error:
            self._roll_back(cursor.connection)
            if cursor.connection.closed:
                raise CommitInDoubt from error
            raise
        while cursor.nextset():
            pass
        # An action that swallowed a database error: PostgreSQL answers COMMIT with ROLLBACK, and no error.
        if cursor.statusmessage != "COMMIT":
            raise TransactionLost

    def _roll_back(self, connection: psycopg.Connection[Row]) -> None:
        # It fails when the connection is gone, which closes it, and that is what the caller looks at.
        with suppress(psycopg.Error):
            connection.execute("ROLLBACK", prepare=False)
        if connection.info.transaction_status is not TransactionStatus.IDLE:
            connection.close()

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._reconnect()
        return self._connection

    def _reconnect(self) -> Connection:
        """Connect, patiently the first time; while the server stays away, callers hear so at once."""
        pauses = () if self._is_down else _PAUSES_S
        for pause in (*pauses, None):
            try:
                connection = self._connect()
            except psycopg.OperationalError as error:
                if pause is None or self._stopping.wait(pause):
                    self._is_down = True
                    raise StoreUnavailable("cannot connect to the database") from error
            else:
                self._is_down = False
                return connection
        raise AssertionError("unreachable")


def _announcing(topics: dict[str, None]) -> sql.Composed | sql.SQL:
    """Return COMMIT, with the wake-ups before it in the same round trip and the same transaction."""
    if not topics:
        return sql.SQL("COMMIT")
    text = sql.SQL("SELECT pg_notify({}, topic) FROM unnest({}::text[]) AS topic; COMMIT")
    return text.format(CHANNEL, list(topics))


def _as_ours(error: psycopg.OperationalError) -> Exception:
    ours = StoreUnavailable(f"the database cannot work now: {type(error).__name__}")
    ours.__cause__ = error
    return ours
