"""A bounded queue from the event loop to one or more database threads, and the way back.

It knows nothing of databases: a runner does the work. Results of one batch come back to the loop in one call,
because with sixty callers one call each would cost more than the database does. A thread takes all jobs that wait,
up to a batch, so batches form by themselves.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from posthaste.store.errors import StoreClosed
from posthaste.store.jobs import Job, deliver, report_to
from posthaste.store.wakes import Wakes

QUEUE = 4096
"""Most jobs on their way; more callers than that wait for room."""


class Runner(Protocol):
    """What runs jobs on one database connection; used by one thread."""

    def run(self, jobs: Sequence[Job]) -> int:
        """Run jobs from the first on, and return how many were done with: at least one."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class Lane:
    """The queue and its threads, one for each runner."""

    def __init__(self, name: str, runners: Sequence[Runner], wakes: Wakes, *, batch: int = 1) -> None:
        self._loop = asyncio.get_running_loop()
        self._report = report_to(self._loop)
        self._wakes = wakes
        self._batch = batch
        self._room = asyncio.BoundedSemaphore(QUEUE)
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._is_closed = False
        self._ended = [self._loop.create_future() for _ in runners]
        for number, (runner, ended) in enumerate(zip(runners, self._ended, strict=True)):
            threading.Thread(target=self._work, args=(runner, ended), name=f"{name}-{number}", daemon=True).start()

    async def put(self, action: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Have an action run and return its result."""
        await self._room.acquire()
        if self._is_closed:
            self._room.release()
            raise StoreClosed
        future: asyncio.Future[Any] = self._loop.create_future()
        self._queue.put(Job(future, action, args, kwargs))
        return await future

    async def close(self) -> None:
        """Finish what waits and end the threads."""
        if not self._is_closed:
            self._is_closed = True
            for _ in self._ended:
                self._queue.put(None)
        await asyncio.wait(self._ended)

    def _work(self, runner: Runner, ended: asyncio.Future[None]) -> None:
        jobs: list[Job] = []
        is_open = True
        while is_open or jobs:
            is_open = is_open and self._take(jobs)
            if jobs:
                done = _run(runner, jobs)
                self._tell(self._deliver, jobs[:done])
                del jobs[:done]
        try:
            runner.close()
        except Exception as error:
            self._tell(self._report, error)
        self._tell(_end, ended)

    def _take(self, jobs: list[Job]) -> bool:
        """Fill up to a batch, waiting for the first; false once nothing more will come."""
        with suppress(Empty):
            while len(jobs) < self._batch:
                job = self._queue.get(block=not jobs)
                if job is None:
                    return False
                jobs.append(job)
        return True

    def _tell(self, call: Callable[..., object], *args: object) -> None:
        # The loop is closed when a program ended without closing its store: nobody waits any more.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *args)

    def _deliver(self, jobs: Sequence[Job]) -> None:
        for _ in jobs:
            self._room.release()
        deliver(jobs, self._wakes)


def _run(runner: Runner, jobs: Sequence[Job]) -> int:
    """Run jobs; what a runner itself stumbles over goes to the callers, for whom nobody else would answer."""
    try:
        return runner.run(jobs)
    except BaseException as error:
        for job in jobs:
            job.fail(error)
        return len(jobs)


def _end(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)
