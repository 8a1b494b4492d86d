"""Calls that arrive together share one transaction.

While one batch is with the database the next one collects; nobody waits for a batch to fill. What goes into a batch
is settled only when its transaction looks at it, on the database's thread: who came in while it was on its way goes
along, and a batch of sixty costs little more than one of thirty. The batch runs in a task of its own, so a caller that
is cancelled (its client hung up) leaves the transaction whole.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

from posthaste.core.errors import PosthasteError

Ask = TypeVar("Ask")
Got = TypeVar("Got")


class Batch(Sequence[Ask], Generic[Ask, Got]):
    """What one transaction is asked: those who wait when it is first looked at, and the same ever after."""

    def __init__(self, waiting: deque[tuple[Ask, asyncio.Future[Got]]], most: int) -> None:
        self._waiting, self._most = waiting, most
        self._lock = threading.Lock()
        self._drawn: list[tuple[Ask, asyncio.Future[Got]]] | None = None
        self._asks: list[Ask] = []

    def callers(self) -> list[asyncio.Future[Got]]:
        self._draw()
        return [future for _, future in self._drawn or ()]

    def __len__(self) -> int:
        return len(self._draw())

    def __iter__(self) -> Iterator[Ask]:
        return iter(self._draw())

    @overload
    def __getitem__(self, index: int) -> Ask: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Ask]: ...
    def __getitem__(self, index: int | slice) -> Ask | Sequence[Ask]:
        return self._draw()[index]

    def _draw(self) -> list[Ask]:
        # The loop's thread draws, too, when it has to tell the callers of a batch that never began.
        with self._lock:
            if self._drawn is None:
                self._drawn = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                self._asks = [ask for ask, _ in self._drawn]
            return self._asks


class Gatherer(Generic[Ask, Got]):
    """Runs `run` over lists of what single callers ask."""

    def __init__(self, run: Callable[[Sequence[Ask]], Awaitable[Sequence[Got | Exception]]], batch_max: int) -> None:
        self._run = run
        self._batch_max = batch_max
        self._waiting: deque[tuple[Ask, asyncio.Future[Got]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def ask(self, ask: Ask) -> Got:
        """Return the result for one, or raise its error."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Got] = loop.create_future()
        self._waiting.append((ask, future))
        if self._task is None:
            self._task = loop.create_task(self._work())
        return await future

    async def _work(self) -> None:
        try:
            while self._waiting:
                await self._answer(Batch(self._waiting, self._batch_max))
                # Let those who were answered ask again before the next batch sets off.
                await asyncio.sleep(0)
        finally:
            self._task = None
            self._let_go()

    def _let_go(self) -> None:
        # Only when the loop itself is being stopped: whoever still waits must not wait for ever.
        for _, future in self._waiting:
            future.cancel()
        self._waiting.clear()

    async def _answer(self, batch: Batch[Ask, Got]) -> None:
        try:
            results = await self._results(batch)
        except asyncio.CancelledError:
            for future in batch.callers():
                future.cancel()
            raise
        for future, result in zip(batch.callers(), results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    async def _results(self, asks: Sequence[Ask]) -> Sequence[Got | Exception]:
        try:
            return await self._run(asks)
        except Exception as error:
            # A database that is away is away for all. A mistake of ours was rolled back and is met again by one alone.
            if len(asks) == 1 or isinstance(error, PosthasteError):
                return [error] * len(asks)
        return [result for ask in asks for result in await self._results([ask])]
