"""Post webhooks as the SMS Gate app does: signed, and again with growing pauses until somebody takes them.

A post that failed is tried up to fourteen times more, after 10 s, 20 s and so on; there is no order between posts.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping

import httpx2
import msgspec

from posthaste.clock import Clock
from posthaste.sandbox.posts import Posts

_RETRIES = 14
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 10, 5 * 3600
_PAUSES_S = [min(_FIRST_PAUSE_S << retry, _LONGEST_PAUSE_S) for retry in range(_RETRIES)]


class AndroidWebhooks:
    """The webhooks of all Android phones of one world."""

    def __init__(self, client: httpx2.AsyncClient, clock: Clock) -> None:
        self._posts, self._clock = Posts(client), clock

    def fire(self, url: str, event: object, key: str, is_up: Callable[[], bool]) -> asyncio.Event:
        """Start to post; what is returned is set once the first try is over."""
        body = msgspec.json.encode(event)
        return self._posts.fire_until_taken(url, body, lambda: self._signature(body, key), is_up, _PAUSES_S)

    async def close(self) -> None:
        await self._posts.close()

    def _signature(self, body: bytes, key: str) -> Mapping[str, str]:
        timestamp = str(self._clock.now_ms() // 1000)
        signature = hmac.new(key.encode(), body + timestamp.encode(), hashlib.sha256).hexdigest()
        return {"X-Timestamp": timestamp, "X-Signature": signature}
