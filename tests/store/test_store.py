"""What every store promises, whichever database is behind it."""

import asyncio
import sqlite3
import threading

import psycopg
import pytest
from stores import NOON, Open, add, ids

from posthaste.store.errors import StoreClosed, StoreUnavailable
from posthaste.store.transaction import Transaction

DATABASE_ERRORS = (sqlite3.Error, psycopg.Error)
PATIENCE_S = 20


def test_an_action_gets_its_arguments_and_its_caller_the_result(open_it: Open) -> None:
    async def main() -> None:
        async with open_it() as store:
            assert await store.write(add, 1, text="one") == 1
            assert await store.read(lambda tx: tx.one("SELECT text FROM notes WHERE id = :id", {"id": 1})) == ("one",)
            assert await store.read(lambda tx: tx.one("SELECT text FROM notes WHERE id = :id", {"id": 2})) is None

    asyncio.run(main())


def test_an_error_rolls_back_and_comes_out(open_it: Open) -> None:
    def add_and_stumble(tx: Transaction) -> None:
        add(tx, 1)
        raise LookupError("stumbled")

    async def main() -> None:
        async with open_it() as store:
            with pytest.raises(LookupError, match="stumbled"):
                await store.write(add_and_stumble)
            assert await store.read(ids) == []

    asyncio.run(main())


def test_one_that_fails_among_fifty_fails_alone(open_it: Open) -> None:
    def add_or_stumble(tx: Transaction, id: int) -> int:
        add(tx, id)
        add(tx, id + 100)
        if id == 17:
            add(tx, id)
        return id

    async def main() -> None:
        async with open_it() as store:
            writes = [store.write(add_or_stumble, id) for id in range(50)]
            results = await asyncio.gather(*writes, return_exceptions=True)
            assert isinstance(results.pop(17), DATABASE_ERRORS)
            good = [id for id in range(50) if id != 17]
            assert results == good
            assert await store.read(ids) == good + [id + 100 for id in good]

    asyncio.run(main())


def test_reading_actions_cannot_write(open_it: Open) -> None:
    async def main() -> None:
        async with open_it() as store:
            with pytest.raises((*DATABASE_ERRORS, StoreUnavailable), match=r"(?i)read-?only"):
                await store.read(add, 1)
            assert await store.read(ids) == []
            assert await store.write(add, 1) == 1

    asyncio.run(main())


def test_a_read_sees_one_snapshot(open_threaded: Open) -> None:
    looked, written = threading.Event(), threading.Event()

    def look_twice(tx: Transaction) -> tuple[list[int], list[int]]:
        before = ids(tx)
        looked.set()
        assert written.wait(PATIENCE_S)
        return before, ids(tx)

    async def main() -> None:
        async with open_threaded() as store:
            await store.write(add, 1)
            reading = asyncio.ensure_future(store.read(look_twice))
            assert await asyncio.to_thread(looked.wait, PATIENCE_S)
            await store.write(add, 2)
            written.set()
            assert await reading == ([1], [1])
            assert await store.read(ids) == [1, 2]

    asyncio.run(main())


def test_wakes_follow_commits_and_only_commits(open_it: Open) -> None:
    woken: list[str] = []

    def add_and_wake(tx: Transaction, id: int) -> None:
        tx.wake("devices")
        tx.wake("devices")
        tx.wake(f"message:{id}")
        add(tx, id)

    async def main() -> None:
        async with open_it() as store:
            stop = store.on_wake("devices", woken.append)
            store.on_wake("message:*", woken.append)
            store.on_wake("message:2", lambda topic: woken.append("only " + topic))
            await store.write(add_and_wake, 1)
            assert woken == ["devices", "message:1"]
            with pytest.raises(DATABASE_ERRORS):
                await store.write(add_and_wake, 1)
            assert woken == ["devices", "message:1"]
            stop()
            stop()
            await store.write(add_and_wake, 2)
            assert woken == ["devices", "message:1", "only message:2", "message:2"]

    asyncio.run(main())


def test_one_commit_may_wake_very_many(open_it: Open) -> None:
    woken: list[str] = []

    def wake(tx: Transaction) -> None:
        for n in range(3_000):
            tx.wake(f"message:{n}")

    async def main() -> None:
        async with open_it() as store:
            store.on_wake("message:*", woken.append)
            await store.write(wake)
            assert woken == [f"message:{n}" for n in range(3_000)]

    asyncio.run(main())


def test_lists_of_any_length(open_it: Open) -> None:
    def find(tx: Transaction, wanted: object) -> int:
        return len(
            tx.rows(
                "SELECT id FROM notes WHERE id IN EACH(:wanted) AND text NOT IN EACH(:none)",
                {"wanted": wanted, "none": ()},
            )
        )

    def find_texts(tx: Transaction, wanted: object) -> list[tuple[int]]:
        return tx.rows("SELECT id FROM notes WHERE text IN EACH(:wanted) ORDER BY id", {"wanted": wanted})

    def drop(tx: Transaction, kept: object) -> int:
        return tx.run("DELETE FROM notes WHERE id NOT IN EACH(:kept)", {"kept": kept})

    async def main() -> None:
        async with open_it() as store:
            many = [{"id": id, "text": f"text {id} 'ü%'"} for id in range(10_000)]
            await store.write(lambda tx: tx.many("INSERT INTO notes (id, text) VALUES (:id, :text)", many))
            assert await store.read(find, []) == 0
            assert await store.read(find, range(10_000)) == 10_000
            assert await store.read(find, {3, 4, 5, -1}) == 3
            assert await store.read(find_texts, ("text 7 'ü%'", "no")) == [(7,)]
            assert await store.write(drop, [1, 2]) == 9_998

    asyncio.run(main())


def test_any_number_of_rows_is_inserted_in_order_and_none_twice(open_it: Open) -> None:
    insert = "INSERT INTO notes (id, text) VALUES (:id, :text) ON CONFLICT DO NOTHING"

    async def main() -> None:
        async with open_it() as store:
            for count in (0, 1, 7, 8, 33, 41, 100):
                numbers = range(count)
                # Twice, and each row twice: what is there already is passed over, whichever statement brings it.
                rows = [{"text": f"t{id}", "id": id} for id in (*numbers, *numbers)]
                await store.write(lambda tx, rows=rows: tx.many(insert, rows))
                found = await store.read(lambda tx: tx.rows("SELECT id, text FROM notes ORDER BY id"))
                assert found == [(id, f"t{id}") for id in numbers]

    asyncio.run(main())


def test_values_come_back_alike(open_it: Open) -> None:
    def values(tx: Transaction) -> tuple[object, ...] | None:
        tx.run("INSERT INTO notes (id, text, flag) VALUES (1, 'a', :yes), (2, 'b', :no)", {"yes": True, "no": False})
        return tx.one("""
            SELECT sum(id), sum(flag), count(*), 'no' = 'no', string_agg(text, '+'), CAST(NULL AS TEXT), max(id) / 2.0
            FROM notes
        """)

    async def main() -> None:
        async with open_it() as store:
            row = await store.write(values)
            assert row == (3, 1, 2, 1, "a+b", None, 1.0)
            assert [type(value) for value in row[:4]] == [int] * 4
            flag = await store.read(lambda tx: tx.rows("SELECT flag FROM notes WHERE flag = :yes", {"yes": True}))
            assert flag == [(1,)] and type(flag[0][0]) is int

    asyncio.run(main())


def test_odd_texts_and_great_numbers_come_back_as_they_were(open_it: Open) -> None:
    async def main() -> None:
        async with open_it() as store:
            for id, text in [(-(2**63), "':x %s % %% /*pg*/ -- \\"), (2**63 - 1, "é\U0001f600\u202e\u0301"), (0, "")]:
                await store.write(add, id, text)
                assert await store.read(lambda tx, id=id: tx.rows("SELECT text FROM notes WHERE id = :id", {"id": id})) == [
                    (text,)
                ]

    asyncio.run(main())


def test_changed_rows_are_counted(open_it: Open) -> None:
    def change(tx: Transaction) -> list[int]:
        tx.many("INSERT INTO notes (id, text) VALUES (:id, '')", [{"id": id} for id in range(5)])
        tx.many("INSERT INTO notes (id, text) VALUES (:id, '')", [])
        return [
            tx.run("UPDATE notes SET text = 'x' WHERE id > 2"),
            tx.run("UPDATE notes SET text = 'x' WHERE id > 7"),
            tx.run("INSERT INTO notes (id, text) VALUES (1, '') ON CONFLICT DO NOTHING"),
            tx.run("-- why\nWITH low AS (SELECT 1 AS id) UPDATE notes SET text = 'y' WHERE id IN (SELECT id FROM low)"),
            len(tx.rows("UPDATE notes SET text = 'z' WHERE id < 2 RETURNING id")),
        ]

    async def main() -> None:
        async with open_it() as store:
            assert await store.write(change) == [2, 0, 0, 1, 2]

    asyncio.run(main())


def test_more_than_the_one_row_is_a_mistake(open_it: Open) -> None:
    async def main() -> None:
        async with open_it() as store:
            await store.write(add, 1)
            await store.write(add, 2)
            with pytest.raises(ValueError, match="at most one row"):
                await store.read(lambda tx: tx.one("SELECT id FROM notes"))

    asyncio.run(main())


def test_a_transaction_knows_its_instant_and_makes_ids_of_it(open_it: Open) -> None:
    def draw(tx: Transaction) -> tuple[int, list[str], str]:
        return tx.now, [tx.new_id() for _ in range(3)], tx.secret()

    async def main() -> None:
        async with open_it() as store:
            now, drawn, secret = await store.write(draw)
            later = (await store.write(draw))[1]
            assert now == NOON
            assert drawn + later == sorted({*drawn, *later})
            assert int(drawn[0][:8], 16) == NOON // 1000
            assert len(secret) == 48

    asyncio.run(main())


def test_closing_finishes_what_was_begun_and_refuses_what_comes_later(open_threaded: Open) -> None:
    async def main() -> None:
        async with open_threaded() as store:
            writes = [asyncio.ensure_future(store.write(add, id)) for id in range(200)]
            reads = [asyncio.ensure_future(store.read(ids)) for _ in range(20)]
            await asyncio.wait([*writes[:1], *reads[:1]])
            await asyncio.gather(store.close(), store.close())
            assert [await write for write in writes] == list(range(200))
            assert all([len(await read) <= 200 for read in reads])

    asyncio.run(main())


def test_a_closed_store_refuses(open_it: Open) -> None:
    async def main() -> None:
        async with open_it() as store:
            await store.close()
            with pytest.raises(StoreClosed):
                await store.write(add, 1)
            with pytest.raises(StoreClosed):
                await store.read(ids)

    asyncio.run(main())


def test_cancelled_callers_leave_nothing_behind(open_threaded: Open) -> None:
    began, go_on = threading.Event(), threading.Event()
    complaints: list[object] = []

    def add_slowly(tx: Transaction) -> int:
        tx.wake("kept")
        began.set()
        assert go_on.wait(PATIENCE_S)
        return add(tx, 1)

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
        is_committed = asyncio.Event()
        async with open_threaded() as store:
            store.on_wake("kept", lambda _topic: is_committed.set())
            running = asyncio.ensure_future(store.write(add_slowly))
            assert await asyncio.to_thread(began.wait, PATIENCE_S)
            waiting = [asyncio.ensure_future(store.write(add, id)) for id in range(2, 40)]
            await asyncio.gather(*[store.read(ids) for _ in range(3)])
            for task in (running, *waiting):
                task.cancel()
            results = await asyncio.gather(running, *waiting, return_exceptions=True)
            assert isinstance(results[0], asyncio.CancelledError)
            go_on.set()
            # What has begun is committed, and what was to follow follows, although nobody waits for it.
            async with asyncio.timeout(PATIENCE_S):
                await is_committed.wait()
            await store.write(add, 100)
            stored = await store.read(ids)
            # Of what had not begun, PostgreSQL's other threads may have done some.
            assert stored[0] == 1 and stored[-1] == 100
            assert {id for id in results if isinstance(id, int)} <= set(stored)
        assert complaints == []

    asyncio.run(main())


def test_an_action_that_raises_stop_iteration_does_not_hang(open_threaded: Open) -> None:
    async def main() -> None:
        async with open_threaded() as store:
            async with asyncio.timeout(PATIENCE_S):
                with pytest.raises(RuntimeError, match="StopIteration"):
                    await store.write(lambda tx: next(iter(tx.rows("SELECT 1 FROM notes"))))

    asyncio.run(main())


def test_a_listener_that_fails_takes_nothing_from_the_others(open_threaded: Open) -> None:
    woken: list[str] = []
    complaints: list[Exception] = []

    def fail(topic: str) -> None:
        raise LookupError(topic)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: complaints.append(context["exception"]))
        async with open_threaded() as store:
            store.on_wake("devices", fail)
            store.on_wake("devices", woken.append)
            await store.write(lambda tx: tx.wake("devices"))
            assert woken == ["devices"]
            assert [str(each) for each in complaints] == ["devices"]

    asyncio.run(main())


def test_more_callers_than_the_queue_holds_all_get_their_turn(open_threaded: Open) -> None:
    async def main() -> None:
        async with open_threaded() as store:
            assert await asyncio.gather(*[store.read(lambda tx, n=n: n) for n in range(5_000)]) == list(range(5_000))

    asyncio.run(main())
