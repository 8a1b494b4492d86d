"""What simulated devices post to webhooks, one try at a time.

Posts under way are bounded: one beyond the bound is lost, as it may be in the world. What waits to be tried again is forgotten
when the sandbox stops. When and how often something is posted is told beside each device.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

import httpx2

_TIMEOUT_S = 5.0
_MOST_UNDER_WAY = 2_000

Headers = Callable[[], Mapping[str, str]]


class Posts:
    """The posts of one kind of device."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self._under_way: set[asyncio.Task[None]] = set()

    def fire(self, url: str, body: bytes) -> asyncio.Task[None] | None:
        """Start to post once, for nobody to know what came of it; None if it is lost."""
        return self._start(lambda: self._once(url, body))

    def fire_until_taken(
        self, url: str, body: bytes, headers: Headers, is_up: Callable[[], bool], pauses_s: Iterable[float]
    ) -> asyncio.Event:
        """Start to post, again after each pause until somebody takes it; what is returned is set once the first try is over.

        The headers are made for each try, and a device that is down posts nothing.
        """
        tried = asyncio.Event()

        async def deliver() -> None:
            for pause_s in (*pauses_s, None):
                answer = await self._post(url, body, headers()) if is_up() else None
                tried.set()
                if pause_s is None or (answer is not None and answer.is_success):
                    return
                await asyncio.sleep(pause_s)

        if self._start(deliver) is None:
            tried.set()
        return tried

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> httpx2.Response | None:
        """Post JSON; None if nobody answers."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await self._client.post(url, content=body, headers={"Content-Type": "application/json", **headers})
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError):
            return None

    async def _once(self, url: str, body: bytes) -> None:
        await self._post(url, body, {})

    def _start(self, make: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None] | None:
        if len(self._under_way) >= _MOST_UNDER_WAY:
            return None
        task = asyncio.get_running_loop().create_task(make())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task
