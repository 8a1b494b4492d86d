"""Virtual time: an event loop whose clock jumps when all wait, and a clock that reads it.

Nothing here ever blocks: the loop has no sockets, no pipe and no threads, so a run depends on its seed alone. `leap` lets
a story pass over the hours in which nothing can happen; without it each of thousands of idle ticks would be run.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

_SPINS_AT_MOST = 100_000


class Stuck(BaseException):
    """Nothing is scheduled and the story is not over, or time stands still."""


class _Waits:
    """The selector: instead of waiting, let the time be over."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop
        self._spins = 0

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stuck("everybody waits and nothing will ever happen")
        self._spins = 0 if timeout > 0 else self._spins + 1
        if self._spins > _SPINS_AT_MOST:
            self._spins = 0
            raise Stuck("the loop spins and time stands still")
        if timeout > 0:
            self._loop.pass_time(timeout)
        elif self._loop.stall is not None:
            self._loop.stand_still(self._loop.stall())
        return []

    def close(self) -> None:
        pass


class VirtualLoop(asyncio.BaseEventLoop):
    """A plain asyncio loop without a machine below it."""

    leap: Callable[[float, float], float] | None = None
    """Asked when all wait: given now and the next timer, return the time to go to, at or after that timer."""

    stall: Callable[[], float] | None = None
    """Asked between any two steps: return for how many seconds the machine stands still now."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._selector = _Waits(self)
        self._clock_resolution = 1e-7

    def time(self) -> float:
        return self._now_s

    def pass_time(self, by_s: float) -> None:
        wakes_at = self._now_s + by_s
        self._now_s = wakes_at if self.leap is None else self.leap(self._now_s, wakes_at)

    def stand_still(self, for_s: float) -> None:
        self._now_s += for_s

    def run_in_executor(self, executor: None, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Do at once what a thread would do: another one would make the story unrepeatable."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


class VirtualClock:
    """The wall clock of a story, which began at `began_at`."""

    def __init__(self, loop: VirtualLoop, began_at: int) -> None:
        self._loop = loop
        self.began_at = began_at

    def now_ms(self) -> int:
        # A little more than nothing, so that a timer of one millisecond is over after one.
        return self.began_at + int(self._loop.time() * 1000 + 1e-3)

    def monotonic_ms(self) -> float:
        return self._loop.time() * 1000

    def seconds_at(self, at: int) -> float:
        """Return the loop's time of an instant."""
        return (at - self.began_at) / 1000


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, None]]) -> None:
    """Run a story to its end in a fresh loop."""
    loop = VirtualLoop()
    try:
        contextvars.Context().run(loop.run_until_complete, main(loop))
    finally:
        try:
            _end_all(loop)
        finally:
            loop.close()


def _end_all(loop: VirtualLoop) -> None:
    left = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
