"""Post webhooks as BlueBubbles does: once, without waiting, and nobody is told when it fails.

There is no retry and no order here on purpose: whoever relies on either does not survive a real Mac.
"""

import asyncio

import httpx2
import msgspec

from posthaste.sandbox.posts import Posts

EVENTS = (
    "*", "new-message", "updated-message", "message-send-error", "group-name-change", "group-icon-changed",
    "group-icon-removed", "participant-removed", "participant-added", "participant-left", "chat-read-status-changed",
    "typing-indicator", "scheduled-message-error", "server-update", "new-server", "new-findmy-location", "hello-world",
    "incoming-facetime", "ft-call-status-changed", "imessage-alias-removed", "theme-backup-created",
    "theme-backup-updated", "theme-backup-deleted", "settings-backup-created",
    "settings-backup-updated", "settings-backup-deleted",
)  # fmt: skip


class Webhooks:
    """The webhooks of all Macs of one world."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._posts = Posts(client)

    def fire(self, url: str, event: str, payload: object) -> asyncio.Task[None] | None:
        """Start to post; the task is for the rare caller that must know when it is over."""
        return self._posts.fire(url, msgspec.json.encode({"type": event, "data": payload}))

    async def close(self) -> None:
        await self._posts.close()
