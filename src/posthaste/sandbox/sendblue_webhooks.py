"""Post webhooks as Sendblue does: with the webhook's own secret, and again a few times until somebody takes them.

There is no order between posts.
"""

import asyncio
from collections.abc import Callable

import httpx2
import msgspec

from posthaste.sandbox.posts import Posts

_FETCH_S = 5.0
_PAUSES_S = (5, 30, 120)
_SECRET_HEADER = "sb-signing-secret"


class SendblueWebhooks:
    """The webhooks of all Sendblue accounts of one world."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client, self._posts = client, Posts(client)

    def fire(self, url: str, body: object, secret: str | None, is_up: Callable[[], bool]) -> asyncio.Event:
        """Start to post; what is returned is set once the first try is over."""
        headers = {_SECRET_HEADER: secret} if secret else {}
        return self._posts.fire_until_taken(url, msgspec.json.encode(body), lambda: headers, is_up, _PAUSES_S)

    async def fetch(self, url: str, most_bytes: int) -> bytes | None:
        """Fetch a file that is to be sent; None if it cannot be had or is too large."""
        try:
            async with asyncio.timeout(_FETCH_S):
                answer = await self._client.get(url)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError):
            return None
        return answer.content if answer.is_success and len(answer.content) <= most_bytes else None

    async def close(self) -> None:
        await self._posts.close()
