"""From when on what people write to a device is for us: what was there before it was met, and what a wrong clock dates."""

from collections.abc import Iterable
from typing import Final

from posthaste.channels.base import Connection

MET_AT: Final = "met_at"
"""The option under which it is kept when a device was met."""


def met_at(device: Connection, now: int, *, is_known: bool) -> int:
    """Return when a device was met, to be kept: now, unless it is known; of one that is, but not since when, all counts."""
    return time_kept(device, MET_AT) if MET_AT in device.options or is_known else now


def time_kept(device: Connection, name: str) -> int:
    """Return a time that is kept of a device; 0 if there is none."""
    at = device.options.get(name)
    return at if isinstance(at, int) else 0


def reached(cursor: int, times: Iterable[int], now: int) -> int:
    """Return the cursor after what came at `times`.

    Some of it is dated by a wrong clock, and a time to come would hide what everybody else writes until then.
    """
    return max([cursor, *(min(at, now) for at in times)])
