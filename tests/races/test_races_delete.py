"""A line is deleted while others send, accept and delete: counts stay exact, nothing is lost, nobody waits for ever."""

import asyncio
import threading
import time

from stock import Stock, stock

from posthaste.actions.accept import Acceptance
from posthaste.actions.claim import claim
from posthaste.actions.delete_line import clear_deleted_lines, delete_line
from posthaste.core.messages import Sending
from posthaste.settings import Settings
from posthaste.store import devices, lines
from posthaste.store.transaction import Transaction

SETTINGS = Settings()
_WITHIN_S = 20.0
_MESSAGES = 40


def test_what_others_counted_while_a_line_was_cleared_stays_counted(postgres_url: str) -> None:
    async def main() -> None:
        async with stock(postgres_url, SETTINGS, devices=2) as made:
            await accept(made, _MESSAGES)
            gone, other = made.lines[0], made.lines[2]
            await made.store.write(delete_line, made.workspace.id, gone.line.id)
            holds, go = threading.Event(), threading.Event()
            claiming = asyncio.create_task(made.store.write(_claim_late, other.device.id, holds, go))
            await asyncio.to_thread(holds.wait, _WITHIN_S)
            clearing = asyncio.create_task(made.store.write(clear_deleted_lines))
            go.set()
            claimed = await claiming
            assert await clearing
            assert claimed
            used = await made.store.read(lines.by_ids, [view.line.id for view in made.lines])
            assert sum(line.usage_total for line in used.values()) == claimed, "a claim was counted away"

    asyncio.run(main())


def _claim_late(tx: Transaction, device_id: str, holds: threading.Event, go: threading.Event) -> int:
    """Claim while somebody else waits for the device."""
    devices.lock(tx, [device_id])
    holds.set()
    assert go.wait(_WITHIN_S)
    deadline = time.monotonic() + _WITHIN_S
    while not tx.rows("SELECT pid FROM pg_locks WHERE NOT granted"):
        assert time.monotonic() < deadline, "nobody came to wait for the lock"
        tx.rows("SELECT pg_sleep(0.01)")
    return len(claim(tx, SETTINGS, "worker", 8).claimed)


def test_lines_are_deleted_while_messages_are_accepted_and_claimed(postgres_url: str) -> None:
    """Two lines go, two stay: in the end everything waits on a line that is there, or was claimed before."""

    async def main() -> None:
        async with stock(postgres_url, SETTINGS, devices=2, stores=2) as made:
            first, second = made.stores
            gone = [made.lines[0].line.id, made.lines[3].line.id]
            work = [accept(made, 20, start=100 * number) for number in range(4)]
            work += [_delete(made, line_id) for line_id in gone]
            work += [_claim(made) for _ in range(6)]
            await asyncio.wait_for(asyncio.gather(*work), _WITHIN_S)
            while await second.write(clear_deleted_lines):
                pass
            stranded = await first.read(_waiting_on, gone)
            assert stranded == 0
            assert await first.read(_count) == 80

    asyncio.run(main())


async def accept(made: Stock, count: int, start: int = 0) -> None:
    sendings = [Sending(text="Hi", phone=f"+1202555{start + number:04d}") for number in range(count)]
    results = await made.accept(*sendings)
    assert all(isinstance(one, Acceptance) for one in results), results


async def _delete(made: Stock, line_id: str) -> None:
    await made.stores[1].write(delete_line, made.workspace.id, line_id)
    for _ in range(3):
        await made.stores[1].write(clear_deleted_lines)


async def _claim(made: Stock) -> None:
    await made.store.write(claim, SETTINGS, "worker", 8)


def _waiting_on(tx: Transaction, line_ids: list[str]) -> int:
    row = tx.one("SELECT count(*) FROM messages WHERE line_id IN EACH(:ids) AND status = 'waiting'", {"ids": line_ids})
    assert row is not None
    return int(row[0])


def _count(tx: Transaction) -> int:
    row = tx.one("SELECT count(*) FROM messages WHERE status IN ('waiting', 'sending')")
    assert row is not None
    return int(row[0])
