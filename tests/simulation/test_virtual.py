"""The ground that the simulation stands on: time that jumps, waits that would never end, and no threads."""

import asyncio
import threading

import pytest

from .virtual import Stuck, VirtualClock, VirtualLoop, run


def test_a_week_costs_nothing_and_is_a_week_long() -> None:
    async def main(loop: VirtualLoop) -> None:
        clock = VirtualClock(loop, 1_000)
        await asyncio.sleep(7 * 86_400)
        assert clock.now_ms() == 1_000 + 7 * 86_400_000

    run(main)


def test_timers_ring_in_order_each_at_its_own_time() -> None:
    async def main(loop: VirtualLoop) -> None:
        clock, rang = VirtualClock(loop, 0), []
        for after_ms in (30, 1, 7):
            loop.call_later(after_ms / 1000, lambda: rang.append(clock.now_ms()))
        await asyncio.sleep(0.05)
        assert rang == [1, 7, 30]

    run(main)


def test_a_wait_that_nothing_ends_is_told_of() -> None:
    async def main(loop: VirtualLoop) -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck):
        run(main)


def test_a_loop_that_spins_is_told_of() -> None:
    async def main(loop: VirtualLoop) -> None:
        for _ in range(1_000_000):
            await asyncio.sleep(0)

    with pytest.raises(Stuck):
        run(main)


def test_there_are_no_threads() -> None:
    async def main(loop: VirtualLoop) -> None:
        assert await asyncio.to_thread(threading.get_ident) == threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 / 0)

    run(main)
