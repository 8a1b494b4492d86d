"""Calls that arrive together share one transaction.

While one batch is with the database the next one collects; nobody waits for a batch to fill. The batch runs in a
task of its own, so a caller that is cancelled (its client hung up) leaves the transaction whole.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from posthaste.core.errors import PosthasteError

Ask = TypeVar("Ask")
Got = TypeVar("Got")


class Gatherer(Generic[Ask, Got]):
    """Runs `run` over lists of what single callers ask."""

    def __init__(self, run: Callable[[Sequence[Ask]], Awaitable[Sequence[Got | Exception]]], batch_max: int) -> None:
        self._run = run
        self._batch_max = batch_max
        self._waiting: list[tuple[Ask, asyncio.Future[Got]]] = []
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
                batch = self._waiting[: self._batch_max]
                del self._waiting[: self._batch_max]
                await self._answer(batch)
        finally:
            self._task = None
            self._let_go()

    def _let_go(self) -> None:
        # Only when the loop itself is being stopped: whoever still waits must not wait for ever.
        for _, future in self._waiting:
            future.cancel()
        self._waiting.clear()

    async def _answer(self, batch: Sequence[tuple[Ask, asyncio.Future[Got]]]) -> None:
        try:
            results = await self._results([ask for ask, _ in batch])
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        for (_, future), result in zip(batch, results, strict=True):
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
