"""Post webhooks as the SMS Gate app does: signed, and again with growing pauses until somebody takes them.

A post that failed is tried up to fourteen times more, after 10 s, 20 s and so on; there is no order between posts.
What waits to be tried again is forgotten when the sandbox stops.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable

import httpx2
import msgspec

from posthaste.clock import Clock

TIMEOUT_S = 5.0
RETRIES = 14
FIRST_PAUSE_S = 10
LONGEST_PAUSE_S = 5 * 3600
UNDER_WAY_LIMIT = 2_000


class AndroidWebhooks:
    """The posts of all Android phones of one world."""

    def __init__(self, client: httpx2.AsyncClient, clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._under_way: set[asyncio.Task[None]] = set()
        self.lost = 0

    def fire(self, url: str, event: object, key: str, is_up: Callable[[], bool]) -> asyncio.Event:
        """Start to post; what is returned is set once the first try is over. A phone that is down posts nothing."""
        tried = asyncio.Event()
        if len(self._under_way) >= UNDER_WAY_LIMIT:
            self.lost += 1
            tried.set()
            return tried
        task = asyncio.get_running_loop().create_task(self._deliver(url, msgspec.json.encode(event), key, is_up, tried))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return tried

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, url: str, body: bytes, key: str, is_up: Callable[[], bool], tried: asyncio.Event) -> None:
        for retry in range(RETRIES + 1):
            is_taken = is_up() and await self._post(url, body, key)
            tried.set()
            if is_taken:
                return
            await asyncio.sleep(min(FIRST_PAUSE_S << retry, LONGEST_PAUSE_S))
        self.lost += 1

    async def _post(self, url: str, body: bytes, key: str) -> bool:
        timestamp = str(self._clock.now_ms() // 1000)
        signature = hmac.new(key.encode(), body + timestamp.encode(), hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "X-Timestamp": timestamp, "X-Signature": signature}
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return (await self._client.post(url, content=body, headers=headers)).is_success
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError):
            return False
