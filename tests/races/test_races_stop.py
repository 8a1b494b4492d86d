"""STOP against the sender: whatever the order in which they meet, nothing is handed over after the opt-out has committed.

The opt-out counts the hand-overs in its own transaction, under its locks; none may come after.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from stock import Stock, stock

from posthaste.actions.accept import Acceptance
from posthaste.actions.claim import Claimed, claim
from posthaste.actions.hand import Handing, hand
from posthaste.actions.receive import receive
from posthaste.actions.record import Report, record
from posthaste.core.messages import Sending
from posthaste.core.outcomes import Accepted
from posthaste.core.signals import Inbound
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.store.transaction import Transaction

PHONE, OTHER = "+12025557001", "+12025557002"
ROUNDS = 12
TEXTS = 8


def _handed(tx: Transaction) -> set[str]:
    return {row[0] for row in tx.rows("SELECT id FROM attempts WHERE handed_at IS NOT NULL")}


def _stop(tx: Transaction, settings: Settings, device_id: str, number: int) -> set[str]:
    """Take a STOP in and return what was handed over until then, all in one transaction."""
    receive(tx, settings, device_id, [Inbound(f"stop-{number}", 1, OTHER, "STOP", tx.now)], "a webhook")
    return _handed(tx)


def _statuses(tx: Transaction, ids: Sequence[str]) -> dict[str, str]:
    return dict(tx.rows("SELECT id, status FROM messages WHERE id IN EACH(:ids)", {"ids": list(ids)}))


def _start_over(tx: Transaction) -> None:
    tx.run("DELETE FROM do_not_contact")


class _Count:
    """Hand-overs so far, and a wait for the next ones: the opt-out comes after another number of them each round."""

    def __init__(self) -> None:
        self._made = asyncio.Semaphore(0)

    def one_more(self) -> None:
        self._made.release()

    async def reached(self, number: int) -> None:
        for _ in range(number):
            await self._made.acquire()


async def _send(store: Store, settings: Settings, owner: str, stopped: asyncio.Event, count: _Count) -> None:
    """Send as a worker does, until the opt-out is in and nothing is left to claim."""
    while True:
        was_stopped = stopped.is_set()
        taken = (await store.write(claim, settings, owner, 4)).claimed
        await asyncio.gather(*(_deliver(store, settings, owner, one, count) for one in taken))
        if not taken and was_stopped:
            return
        await asyncio.sleep(0)


async def _deliver(store: Store, settings: Settings, owner: str, one: Claimed, count: _Count) -> None:
    handing = Handing(one.attempt.id, owner, one.message.address, "{}", one.message.text)
    if await store.write(hand, settings, [handing]) == [True]:
        count.one_more()
        await store.write(record, settings, [Report(one.attempt, Accepted(one.attempt.id), 1)])


async def _race(made: Stock, number: int) -> tuple[int, int]:
    """Let one STOP meet the senders; return how many messages left and how many were cancelled."""
    await made.store.write(_start_over)
    person = {"phone": PHONE, "alt_phones": (OTHER, None, None)}
    asked = [Sending(text=f"{number}/{n}", from_line_id=made.lines[n % len(made.lines)].line.id, **person) for n in range(TEXTS)]  # type: ignore[arg-type]
    ids = [one.message_id for one in await made.accept(*asked) if isinstance(one, Acceptance)]
    assert len(ids) == TEXTS
    stopped, count = asyncio.Event(), _Count()
    senders = [asyncio.create_task(_send(one, made.settings, f"w{i}", stopped, count)) for i, one in enumerate(made.stores)]
    await count.reached(number % TEXTS)
    handed = await made.store.write(_stop, made.settings, made.lines[-1].device.id, number)
    stopped.set()
    await asyncio.gather(*senders)
    assert await made.store.read(_handed) == handed, "something was handed over after the opt-out"
    statuses = await made.store.read(_statuses, ids)
    assert set(statuses.values()) <= {"sent", "cancelled"}, statuses
    return list(statuses.values()).count("sent"), list(statuses.values()).count("cancelled")


def _races(url: str, stores: int) -> list[tuple[int, int]]:
    async def main() -> list[tuple[int, int]]:
        async with stock(url, Settings(double_send_ms=0), devices=2, stores=stores) as made:
            return [await _race(made, number) for number in range(ROUNDS)]

    return asyncio.run(main())


def test_nothing_leaves_after_stop_with_four_workers(postgres_url: str) -> None:
    results = _races(postgres_url, 4)
    assert sum(sent for sent, _ in results) > 0 and sum(cancelled for _, cancelled in results) > 0, results


def test_nothing_leaves_after_stop_on_sqlite(tmp_path: Path) -> None:
    results = _races(f"sqlite:///{tmp_path}/posthaste.db", 1)
    assert sum(sent for sent, _ in results) > 0 and sum(cancelled for _, cancelled in results) > 0, results
