"""Group commit, and what becomes of a batch when the database itself fails."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from stores import StoppedClock, add, ids, opened

from posthaste.core.errors import SettingError
from posthaste.ids import Ids
from posthaste.store.errors import StoreUnavailable, TransactionLost
from posthaste.store.jobs import Job
from posthaste.store.opening import open_store
from posthaste.store.sqlite import SqliteStore
from posthaste.store.sqlite_runner import SqliteRunner
from posthaste.store.sqlite_transaction import connect_writer, require_version
from posthaste.store.transaction import Transaction

PATIENCE_S = 20


async def open_sqlite(folder: Path, clock: StoppedClock | None = None) -> SqliteStore:
    store = await open_store(f"sqlite://{folder}/posthaste.db", clock or StoppedClock(), Ids())
    assert isinstance(store, SqliteStore)
    return store


class Gate:
    """Holds the writer thread in an action of its own, so that what is written meanwhile becomes one batch."""

    def __init__(self) -> None:
        self._began, self._go_on = threading.Event(), threading.Event()

    async def hold(self, store: SqliteStore) -> "asyncio.Task[None]":
        task = asyncio.create_task(store.write(self._wait))
        assert await asyncio.to_thread(self._began.wait, PATIENCE_S)
        return task

    async def release(self) -> None:
        # One turn of the loop, so that the tasks just made have put their actions into the queue.
        await asyncio.sleep(0)
        self._go_on.set()

    def _wait(self, tx: Transaction) -> None:
        self._began.set()
        assert self._go_on.wait(PATIENCE_S)


async def write_together(store: SqliteStore, *writes: object) -> list[object]:
    """Run coroutines so that their actions share a batch."""
    gate = Gate()
    held = await gate.hold(store)
    tasks = [asyncio.ensure_future(write) for write in writes]
    await gate.release()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await held
    return results


def test_what_waits_together_is_committed_together(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(await open_sqlite(tmp_path)) as store:
            before = store.commits
            assert await write_together(store, *[store.write(add, id) for id in range(100)]) == list(range(100))
            assert store.commits == before + 2

    asyncio.run(main())


def test_a_batch_is_bounded_in_number_and_in_time(tmp_path: Path) -> None:
    async def main() -> None:
        clock = StoppedClock()
        async with opened(await open_sqlite(tmp_path, clock)) as store:
            before = store.commits
            await write_together(store, *[store.write(add, id) for id in range(300)])
            assert store.commits == before + 1 + 3
            clock.step_ms = 7
            before = store.commits
            await write_together(store, *[store.write(add, id) for id in range(300, 312)])
            assert store.commits == before + 1 + 4
            assert await store.read(ids) == list(range(312))

    asyncio.run(main())


def test_a_transaction_that_the_database_ended_is_run_again_one_by_one(tmp_path: Path) -> None:
    runs: list[int] = []

    def add_and_note(tx: Transaction, id: int) -> int:
        runs.append(id)
        return add(tx, id)

    def lose_all(tx: Transaction) -> None:
        # What SQLite does by itself when the disk is full or fails.
        add(tx, 50)
        tx.run("ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")

    async def main() -> None:
        async with opened(await open_sqlite(tmp_path)) as store:
            before = store.commits
            writes = [store.write(lose_all) if id == 5 else store.write(add_and_note, id) for id in range(10)]
            results = await write_together(store, *writes)
            good = [id for id in range(10) if id != 5]
            assert isinstance(results.pop(5), sqlite3.OperationalError)
            assert results == good == await store.read(ids)
            assert runs == [0, 1, 2, 3, 4, *good]
            assert store.commits == before + 1 + len(good)

    asyncio.run(main())


def test_nobody_is_woken_by_a_lost_transaction_even_if_its_caller_has_gone(tmp_path: Path) -> None:
    def wake(tx: Transaction) -> None:
        tx.wake("notes")

    async def main() -> None:
        gone: asyncio.Future[object] = asyncio.get_running_loop().create_future()

        def lose_all(tx: Transaction) -> None:
            gone.cancel()
            tx.run("ROLLBACK")

        runner = SqliteRunner(connect_writer(tmp_path / "x.db"), StoppedClock(), Ids(), begin="BEGIN IMMEDIATE")
        jobs = [Job(gone, wake, (), {}), Job(asyncio.get_running_loop().create_future(), lose_all, (), {})]
        assert runner.run(jobs) == 2
        assert [*jobs[0].topics, *jobs[1].topics] == []
        runner.close()

    asyncio.run(main())


def test_a_commit_that_fails_is_nobodys_success(tmp_path: Path) -> None:
    woken: list[str] = []

    def add_and_wake(tx: Transaction, id: int) -> int:
        tx.wake(f"note:{id}")
        return add(tx, id)

    def break_the_commit(tx: Transaction) -> None:
        add_and_wake(tx, 50)
        tx.run("PRAGMA defer_foreign_keys = ON")
        tx.run("INSERT INTO api_keys VALUES ('k', 'no workspace', 'd', 'h', 'n', 0, NULL)")

    async def main() -> None:
        async with opened(await open_sqlite(tmp_path)) as store:
            store.on_wake("note:*", woken.append)
            writes = [store.write(break_the_commit) if id == 5 else store.write(add_and_wake, id) for id in range(10)]
            results = await write_together(store, *writes)
            good = [id for id in range(10) if id != 5]
            assert isinstance(results.pop(5), sqlite3.IntegrityError)
            assert results == good == await store.read(ids)
            assert woken == [f"note:{id}" for id in good]

    asyncio.run(main())


def test_a_full_disk_is_told_to_those_whom_it_hit_and_to_nobody_else(tmp_path: Path) -> None:
    def limit_pages(tx: Transaction, more: int) -> None:
        pages = tx.one("PRAGMA page_count")
        assert pages is not None
        tx.rows(f"PRAGMA max_page_count = {pages[0] + more}")

    async def main() -> None:
        async with opened(await open_sqlite(tmp_path)) as store:
            await store.write(limit_pages, 300)
            results = await write_together(store, *[store.write(add, id, "x" * 50_000) for id in range(60)])
            stored = [result for result in results if isinstance(result, int)]
            assert 10 < len(stored) < 60
            assert await store.read(ids) == stored
            failures = [result for result in results if not isinstance(result, int)]
            assert all(isinstance(failure, StoreUnavailable) for failure in failures)
            await store.write(limit_pages, 100_000)
            assert await store.write(add, 99) == 99

    asyncio.run(main())


@pytest.mark.parametrize("company", [0, 3])
def test_an_action_that_swallows_the_loss_cannot_commit_the_rest_by_itself(tmp_path: Path, company: int) -> None:
    def swallow(tx: Transaction) -> None:
        try:
            add(tx, 50)
            tx.run("ROLLBACK")
            raise sqlite3.OperationalError("database or disk is full")
        except sqlite3.OperationalError:
            add(tx, 51)

    async def main() -> None:
        async with opened(await open_sqlite(tmp_path)) as store:
            writes = [store.write(swallow), *[store.write(add, id) for id in range(company)]]
            results = await write_together(store, *writes)
            assert isinstance(results.pop(0), TransactionLost)
            assert results == list(range(company)) == await store.read(ids)

    asyncio.run(main())


def test_a_lock_that_another_process_holds_is_told_to_all(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(await open_sqlite(tmp_path)) as store:
            await store.write(lambda tx: tx.rows("PRAGMA busy_timeout = 10"))
            other = sqlite3.connect(tmp_path / "posthaste.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            results = await asyncio.gather(*[store.write(add, id) for id in range(5)], return_exceptions=True)
            assert all(isinstance(result, StoreUnavailable) for result in results)
            other.execute("ROLLBACK")
            other.close()
            assert await store.write(add, 20) == 20
            assert await store.read(ids) == [20]

    asyncio.run(main())


def test_what_was_answered_is_on_the_disk(tmp_path: Path) -> None:
    def settings(tx: Transaction) -> list[object]:
        names = ("synchronous", "journal_mode", "foreign_keys", "fullfsync")
        return [tx.rows(f"PRAGMA {name}")[0][0] for name in names]

    async def main() -> None:
        async with opened(await open_sqlite(tmp_path)) as store:
            assert await store.write(settings) == [2, "wal", 1, 1]
            assert await store.read(lambda tx: tx.rows("PRAGMA foreign_keys")) == [(1,)]

    asyncio.run(main())


def modes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


def test_closing_leaves_one_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(await open_sqlite(tmp_path)) as store:
            await store.write(add, 1)
            assert modes(tmp_path) == {"posthaste.db": 0o600, "posthaste.db-shm": 0o600, "posthaste.db-wal": 0o600}
        assert list(modes(tmp_path)) == ["posthaste.db"]
        store = await open_sqlite(tmp_path)
        assert await store.read(ids) == [1]
        await store.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    "url", ["sqlite:///no/such/folder/posthaste.db", "sqlite://", "sqlite:///", "mysql://x/y", "posthaste.db"]
)
def test_what_is_no_database_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(SettingError) as refusal:
        asyncio.run(open_store(url, StoppedClock(), Ids()))
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "posthaste.db"
    file.write_text("a letter, and not a database\n" * 100)
    with pytest.raises(SettingError, match="cannot open"):
        asyncio.run(open_store(f"sqlite://{file}", StoppedClock(), Ids()))
    assert file.read_text().startswith("a letter")


WRITE_UNTIL_KILLED = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from stores import StoppedClock, add, make_table
from posthaste.ids import Ids
from posthaste.store.opening import open_store

async def write(store, first):
    for id in range(first, 10**9, 16):
        print(await store.write(add, id), flush=True)

async def main():
    store = await open_store(sys.argv[1], StoppedClock(), Ids())
    await store.write(make_table)
    await asyncio.gather(*[write(store, first) for first in range(16)])

asyncio.run(main())
"""


def test_a_killed_process_has_everything_that_it_answered(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE_UNTIL_KILLED, f"sqlite://{tmp_path}/posthaste.db", str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        answered = [int(process.stdout.readline()) for _ in range(500)]
        process.kill()
        answered += [int(line) for line in process.stdout if line.endswith(b"\n")]

    async def main() -> None:
        store = await open_sqlite(tmp_path)
        stored = await store.read(ids)
        assert set(answered) <= set(stored)
        # At most what the sixteen callers were waiting for is there without an answer.
        assert len(stored) <= len(answered) + 16
        await store.close()

    asyncio.run(main())


def test_odd_folder_names_are_no_matter(tmp_path: Path) -> None:
    folder = tmp_path / "50% of #1? ü"
    folder.mkdir()

    async def main() -> None:
        store = await open_store(f"sqlite://{folder}/posthaste.db".replace("%", "%25"), StoppedClock(), Ids())
        await store.close()

    asyncio.run(main())
    assert (folder / "posthaste.db").exists()


def test_a_sqlite_without_returning_is_refused() -> None:
    require_version((3, 35, 0))
    with pytest.raises(SettingError, match=r"3\.34\.1"):
        require_version((3, 34, 1))
