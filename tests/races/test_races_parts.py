"""Parts of one long reply that two processes take in at once: one whole text, stored once; beside the janitor nothing is lost."""

import asyncio

import pytest
from stock import Stock, stock

from posthaste.actions import parts
from posthaste.actions.parts import give_out_incomplete
from posthaste.actions.receive import receive
from posthaste.core.signals import InboundPart
from posthaste.settings import Settings
from posthaste.store.transaction import Transaction

ROUNDS = 40
SETTINGS = Settings()


def a_part(number: int, reference: int, total: int) -> InboundPart:
    return InboundPart(f"{reference}-{number}", "+12025557001", "+16285550000", f"{number} ", 0, reference, total, number)


def _texts(tx: Transaction) -> list[str]:
    return [row[0] for row in tx.rows("SELECT text FROM messages ORDER BY id")]


def test_parts_that_several_processes_take_in_at_once_are_one_text(postgres_url: str) -> None:
    async def main() -> list[str]:
        async with stock(postgres_url, SETTINGS, stores=2) as it:
            for reference in range(ROUNDS):
                await asyncio.gather(*(_take(it, number, a_part(number, reference, 3)) for number in (1, 2, 3, 1)))
            return await it.store.read(_texts)

    assert asyncio.run(main()) == ["1 2 3 "] * ROUNDS


def test_the_last_part_beside_the_janitor_is_in_its_text_or_one_by_itself(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_INCOMPLETE_MS", -1)

    async def main() -> list[str]:
        async with stock(postgres_url, SETTINGS, stores=2) as it:
            for reference in range(ROUNDS):
                await _take(it, 0, a_part(1, reference, 2))
                await asyncio.gather(
                    _take(it, 0, a_part(2, reference, 2)), *(one.write(give_out_incomplete, SETTINGS) for one in it.stores)
                )
            await it.store.write(give_out_incomplete, SETTINGS)
            return await it.store.read(_texts)

    texts = asyncio.run(main())
    assert set(texts) <= {"1 2 ", "1 …", "…2 "}
    assert texts.count("1 2 ") + texts.count("1 …") == ROUNDS
    assert texts.count("1 2 ") + texts.count("…2 ") == ROUNDS


async def _take(it: Stock, number: int, part: InboundPart) -> None:
    store = it.stores[number % len(it.stores)]
    await store.write(receive, SETTINGS, it.lines[0].device.id, [part], "its connection")
