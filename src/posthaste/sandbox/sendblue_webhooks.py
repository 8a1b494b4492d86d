"""Post webhooks as Sendblue does: with the webhook's own secret, and again a few times until somebody takes them.

There is no order between posts. What waits to be tried again is forgotten when the sandbox stops.
"""

import asyncio
from collections.abc import Callable

import httpx2
import msgspec

TIMEOUT_S = 5.0
PAUSES_S = (5, 30, 120)
UNDER_WAY_LIMIT = 2_000
SECRET_HEADER = "sb-signing-secret"


class SendblueWebhooks:
    """The posts of all Sendblue accounts of one world."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self._under_way: set[asyncio.Task[None]] = set()
        self.lost = 0

    def fire(self, url: str, body: object, secret: str | None, is_up: Callable[[], bool]) -> asyncio.Event:
        """Start to post; what is returned is set once the first try is over."""
        tried = asyncio.Event()
        if len(self._under_way) >= UNDER_WAY_LIMIT:
            self.lost += 1
            tried.set()
            return tried
        task = asyncio.get_running_loop().create_task(self._deliver(url, msgspec.json.encode(body), secret, is_up, tried))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return tried

    async def fetch(self, url: str, most_bytes: int) -> bytes | None:
        """Fetch a file that is to be sent; None if it cannot be had or is too large."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._client.get(url)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError):
            return None
        return answer.content if answer.is_success and len(answer.content) <= most_bytes else None

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, url: str, body: bytes, secret: str | None, is_up: Callable[[], bool], tried: asyncio.Event) -> None:
        for pause_s in (*PAUSES_S, 0):
            is_taken = is_up() and await self._post(url, body, secret)
            tried.set()
            if is_taken:
                return
            await asyncio.sleep(pause_s)
        self.lost += 1

    async def _post(self, url: str, body: bytes, secret: str | None) -> bool:
        headers = {"Content-Type": "application/json"} | ({SECRET_HEADER: secret} if secret else {})
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return (await self._client.post(url, content=body, headers=headers)).is_success
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError):
            return False
