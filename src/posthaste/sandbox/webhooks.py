"""Post webhooks as BlueBubbles does: once, without waiting, and nobody is told when it fails.

There is no retry and no order here on purpose: whoever relies on either does not survive a real Mac. Posts under way
are bounded; beyond the bound a webhook is lost, as it may be in the world.
"""

import asyncio

import httpx2
import msgspec

TIMEOUT_S = 5.0
UNDER_WAY_LIMIT = 2_000

EVENTS = (
    "*", "new-message", "updated-message", "message-send-error", "group-name-change", "group-icon-changed",
    "group-icon-removed", "participant-removed", "participant-added", "participant-left", "chat-read-status-changed",
    "typing-indicator", "scheduled-message-error", "server-update", "new-server", "new-findmy-location", "hello-world",
    "incoming-facetime", "ft-call-status-changed", "imessage-alias-removed", "theme-backup-created",
    "theme-backup-updated", "theme-backup-deleted", "settings-backup-created",
    "settings-backup-updated", "settings-backup-deleted",
)  # fmt: skip


class Webhooks:
    """The posts of one world."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self._under_way: set[asyncio.Task[None]] = set()
        self.lost = 0

    def fire(self, url: str, event: str, payload: object) -> asyncio.Task[None] | None:
        """Start a post; the task is for the rare caller that must know when it is over."""
        if len(self._under_way) >= UNDER_WAY_LIMIT:
            self.lost += 1
            return None
        body = msgspec.json.encode({"type": event, "data": payload})
        task = asyncio.get_running_loop().create_task(self._post(url, body))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _post(self, url: str, body: bytes) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._client.post(url, content=body, headers={"Content-Type": "application/json"})
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError):
            self.lost += 1
