"""The only place that draws random values: ids, API keys, secrets.

Ids are 24 lower-case hex digits: eight of seconds, then sixteen of randomness and order, the shape that clients of
the hosted product store. Ids made by one process sort in the order in which they were made; across processes they
sort by the second.
"""

import secrets
from collections.abc import Callable
from itertools import count
from random import Random

_COUNTER_MODULUS = 1 << 24


class Ids:
    """A source of ids and secrets; give it a seeded `Random` to make a run repeatable."""

    def __init__(self, random: Random | None = None) -> None:
        draw: Callable[[int], int] = random.getrandbits if random else secrets.randbits
        self._draw = draw
        self._process = f"{draw(40):010x}"
        # `next` of a count is one step to the interpreter, so database threads never draw the same number.
        self._counter = count(1)

    def new(self, now_ms: int) -> str:
        """Return a fresh id whose first eight digits are the second of `now_ms`."""
        second = now_ms // 1000
        # A counter that starts again each second would sort before the ids of the same second made by an earlier
        # process; only order within a process is promised, so it simply counts on and wraps after 16 million.
        return f"{second:08x}{self._process}{next(self._counter) % _COUNTER_MODULUS:06x}"

    def secret(self, bits: int = 192) -> str:
        """Return a secret for an API key or a webhook path, as lower-case hex."""
        return f"{self._draw(bits):0{bits // 4}x}"

    def jitter(self) -> float:
        """Return a number in [0, 1) to spread retries."""
        return self._draw(32) / (1 << 32)


def is_id(text: str) -> bool:
    """Tell whether a text has the shape of an id."""
    return len(text) == 24 and all(c in "0123456789abcdef" for c in text)
