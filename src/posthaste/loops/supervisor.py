"""Run the loops, and start one again that fell over, more slowly each time.

A loop falls over when the database is away or when we made a mistake; neither may end the process, whose other loops
and API go on.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

_log = logging.getLogger(__name__)
_FIRST_S, _LONGEST_S = 0.1, 10.0


class Supervisor:
    """The tasks of one process's loops."""

    def __init__(self, loops: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
        self._loops = loops
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(_keep_running(name, run), name=name) for name, run in self._loops.items()]

    async def stop(self) -> None:
        """Cancel the loops and wait until they have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _keep_running(name: str, run: Callable[[], Awaitable[None]]) -> None:
    wait_s = _FIRST_S
    while True:
        began = asyncio.get_running_loop().time()
        try:
            return await run()
        except Exception:
            _log.exception("loop fell over and is started again: loop=%s", name)
        ran_s = asyncio.get_running_loop().time() - began
        wait_s = _FIRST_S if ran_s > _LONGEST_S else min(wait_s * 2, _LONGEST_S)
        await asyncio.sleep(wait_s)
