"""What only PostgreSQL can do to us: deadlocks, lost connections, commits in doubt, wake-ups between processes."""

import asyncio
import threading
from collections.abc import Callable

import psycopg
import pytest
from stores import NOON, StoppedClock, add, ids, opened

from posthaste.clock import SystemClock
from posthaste.ids import Ids
from posthaste.store.errors import CommitInDoubt, StoreUnavailable, TransactionLost
from posthaste.store.jobs import Job
from posthaste.store.opening import open_store
from posthaste.store.postgres import WRITERS, PostgresStore
from posthaste.store.postgres_runner import WRITING, PostgresRunner
from posthaste.store.transaction import Transaction

PATIENCE_S = 20


async def open_postgres(url: str, *, database_clock: bool = False) -> PostgresStore:
    store = await open_store(url, StoppedClock(), Ids(), database_clock=database_clock)
    assert isinstance(store, PostgresStore)
    return store


def end_myself(tx: Transaction) -> None:
    tx.rows("SELECT pg_terminate_backend(pg_backend_pid())")


def test_the_database_tells_the_time(postgres_url: str) -> None:
    async def main() -> None:
        async with opened(await open_postgres(postgres_url, database_clock=True)) as store:
            before = SystemClock().now_ms()
            now = await store.write(lambda tx: tx.now)
            assert type(now) is int
            assert before - 1 <= now <= SystemClock().now_ms() + 1
            assert await store.read(lambda tx: tx.now) >= now

    asyncio.run(main())


def test_a_deadlock_is_run_again(postgres_url: str) -> None:
    both_hold_one = threading.Barrier(2)
    runs: list[int] = []

    def cross(tx: Transaction, first: int, second: int) -> int:
        runs.append(first)
        tx.run("UPDATE notes SET flag = flag + 1 WHERE id = :id", {"id": first})
        if len(runs) <= 2:
            both_hold_one.wait(PATIENCE_S)
        tx.run("UPDATE notes SET flag = flag + 1 WHERE id = :id", {"id": second})
        tx.wake("crossed")
        return first

    async def main() -> None:
        woken: list[str] = []
        async with opened(await open_postgres(postgres_url)) as store:
            store.on_wake("crossed", woken.append)
            await store.write(add, 1)
            await store.write(add, 2)
            assert await asyncio.gather(store.write(cross, 1, 2), store.write(cross, 2, 1)) == [1, 2]
            assert len(runs) == 3
            assert woken == ["crossed"] * 2
            assert await store.read(lambda tx: tx.rows("SELECT flag FROM notes")) == [(2,), (2,)]

    asyncio.run(main())


def test_a_connection_lost_before_the_commit_is_replaced(postgres_url: str) -> None:
    runs: list[int] = []

    def lose_once(tx: Transaction) -> int:
        runs.append(1)
        add(tx, 1)
        if len(runs) == 1:
            end_myself(tx)
        return len(runs)

    async def main() -> None:
        async with opened(await open_postgres(postgres_url)) as store:
            assert await store.write(lose_once) == 2
            assert await store.read(ids) == [1]

    asyncio.run(main())


def test_an_action_that_loses_every_connection_fails_in_the_end(postgres_url: str) -> None:
    runs: list[int] = []

    def lose(tx: Transaction) -> None:
        runs.append(1)
        end_myself(tx)

    async def main() -> None:
        async with opened(await open_postgres(postgres_url)) as store:
            with pytest.raises(StoreUnavailable):
                await store.write(lose)
            assert len(runs) == 4
            assert await store.write(add, 1) == 1

    asyncio.run(main())


def test_connections_that_died_idle_are_not_noticed_by_callers(postgres_url: str) -> None:
    async def main() -> None:
        async with opened(await open_postgres(postgres_url)) as store:
            await asyncio.gather(*[store.write(add, id) for id in range(20)])
            with psycopg.connect(postgres_url, autocommit=True) as other:
                other.execute("""
                    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()
                """)
            assert await asyncio.gather(*[store.write(add, id) for id in range(20, 40)]) == list(range(20, 40))
            assert await store.read(ids) == list(range(40))

    asyncio.run(main())


def test_a_commit_without_an_answer_is_in_doubt_and_not_run_again(postgres_url: str) -> None:
    runs: list[int] = []

    def die_at_commit(tx: Transaction) -> None:
        tx.run(
            "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'"
        )
        tx.run(
            "CREATE CONSTRAINT TRIGGER dies AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW WHEN (NEW.text = 'die') EXECUTE FUNCTION die()"
        )

    def add_and_note(tx: Transaction) -> None:
        runs.append(1)
        add(tx, 1, "die")
        tx.wake("notes")

    async def main() -> None:
        woken: list[str] = []
        async with opened(await open_postgres(postgres_url)) as store:
            await store.write(die_at_commit)
            store.on_wake("notes", woken.append)
            with pytest.raises(CommitInDoubt):
                await store.write(add_and_note)
            assert runs == [1]
            assert await store.write(add, 2) == 2
            assert await store.read(ids) == [2]
            assert woken == []

    asyncio.run(main())


def test_a_commit_that_the_database_refuses_is_an_ordinary_error(postgres_url: str) -> None:
    def defer(tx: Transaction) -> None:
        tx.run("CREATE TABLE parts (id BIGINT REFERENCES notes DEFERRABLE INITIALLY DEFERRED)")

    async def main() -> None:
        async with opened(await open_postgres(postgres_url)) as store:
            await store.write(defer)
            with pytest.raises(psycopg.IntegrityError):
                await store.write(lambda tx: tx.run("INSERT INTO parts VALUES (1)"))
            assert await store.read(lambda tx: tx.rows("SELECT * FROM parts")) == []

    asyncio.run(main())


def test_an_action_that_swallows_an_error_has_not_succeeded(postgres_url: str) -> None:
    def swallow(tx: Transaction) -> None:
        add(tx, 1)
        try:
            add(tx, 1)
        except psycopg.IntegrityError:
            return

    async def main() -> None:
        async with opened(await open_postgres(postgres_url)) as store:
            with pytest.raises(TransactionLost):
                await store.write(swallow)
            assert await store.read(ids) == []

    asyncio.run(main())


def test_while_the_server_is_away_callers_hear_so() -> None:
    attempts: list[int] = []

    def fail() -> psycopg.Connection[tuple[object, ...]]:
        attempts.append(1)
        raise psycopg.OperationalError("connection refused")

    async def main() -> None:
        stopping = threading.Event()
        stopping.set()
        runner = PostgresRunner(fail, StoppedClock(), Ids(), begin=WRITING, database_clock=False, stopping=stopping)
        for _ in range(3):
            future = asyncio.get_running_loop().create_future()
            job = Job(future, add, (1,), {})
            assert runner.run([job]) == 1
            job.resume()
            with pytest.raises(StoreUnavailable):
                await future
        assert len(attempts) == 3

    asyncio.run(main())


async def until(is_so: Callable[[], bool], changed: asyncio.Event) -> None:
    """Wait for a condition that may only change when the event is set."""
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():
            changed.clear()
            await changed.wait()


def test_wakes_reach_other_processes_and_come_once(postgres_url: str) -> None:
    def wake(tx: Transaction, topic: str) -> None:
        tx.wake(topic)

    async def main() -> None:
        changed = asyncio.Event()
        here: list[str] = []
        there: list[str] = []

        def note(topic: str) -> None:
            there.append(topic)
            changed.set()

        async with opened(await open_postgres(postgres_url)) as near:
            far = await open_postgres(postgres_url)
            near.on_wake("*", here.append)
            far.on_wake("*", note)
            odd = "topic'; DROP TABLE notes -- ü"
            await asyncio.gather(*[near.write(wake, f"{odd}{n}") for n in range(3 * WRITERS)])
            await far.write(wake, "last")
            await near.write(wake, "end")
            await until(lambda: "end" in there, changed)
            assert sorted(there) == sorted([f"{odd}{n}" for n in range(3 * WRITERS)] + ["last", "end"])
            await far.close()
            # NOTIFY comes in the order of the commits, so what came from far has come before this.
            third = await open_postgres(postgres_url)
            third_woken = asyncio.Event()
            near.on_wake("bye", lambda _topic: third_woken.set())
            await third.write(wake, "bye")
            async with asyncio.timeout(PATIENCE_S):
                await third_woken.wait()
            await third.close()
            assert sorted(here) == sorted([*there, "bye"])

    asyncio.run(main())


def test_after_an_outage_everybody_is_woken(postgres_url: str) -> None:
    async def main() -> None:
        changed = asyncio.Event()
        woken: list[str] = []

        def note(topic: str) -> None:
            woken.append(topic)
            changed.set()

        async with opened(await open_postgres(postgres_url)) as store:
            store.on_wake("devices", note)
            store.on_wake("message:*", note)
            await store.write(
                lambda tx: tx.rows("""
                SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                WHERE datname = current_database() AND query LIKE 'LISTEN%'
            """)
            )
            await until(lambda: len(woken) == 2, changed)
            assert woken == ["devices", "message:*"]
            other = await open_postgres(postgres_url)
            await other.write(lambda tx: tx.wake("devices"))
            await until(lambda: len(woken) == 3, changed)
            await other.close()

    asyncio.run(main())


def test_no_statement_holds_us_for_ever(postgres_url: str) -> None:
    names = (
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "TimeZone",
        "synchronous_commit",
    )

    def settings(tx: Transaction) -> list[object]:
        return [tx.rows(f"SHOW {name}")[0][0] for name in names]

    async def main() -> None:
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("ALTER ROLE postgres SET synchronous_commit = off")
        try:
            async with opened(await open_postgres(postgres_url)) as store:
                assert await store.write(settings) == ["30s", "10s", "1min", "UTC", "on"]
                assert await store.write(lambda tx: tx.now) == NOON
        finally:
            with psycopg.connect(postgres_url, autocommit=True) as other:
                other.execute("ALTER ROLE postgres RESET synchronous_commit")

    asyncio.run(main())
