"""The only place that reads time.

Everything else is handed a `Clock`, so that a test owns both the wall clock and the monotonic clock and never sleeps.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """What the program may ask of time."""

    def now_ms(self) -> int:
        """Return milliseconds since the epoch, UTC."""
        ...

    def monotonic_ms(self) -> float:
        """Return milliseconds on a clock that never steps back; only differences mean anything."""
        ...


class SystemClock:
    """The machine's clocks."""

    __slots__ = ()

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> float:
        return time.monotonic_ns() / 1_000_000
