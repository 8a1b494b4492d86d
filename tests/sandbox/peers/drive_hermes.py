"""Drive a BlueBubbles server with the adapter of hermes-agent, and print what it made of it as one line of JSON.

Runs in the peer's own environment, so nothing of ours is imported here. It connects, sends to a person that is new and
to the same one again, waits for the answer to come in by webhook, asks who is in the chat, and disconnects.
"""

import asyncio
import json
import sys
from typing import Any

from gateway.config import PlatformConfig
from gateway.platforms.bluebubbles import BlueBubblesAdapter

INBOUND_WITHIN_S = 15


class Listener(BlueBubblesAdapter):  # type: ignore[misc]
    """The adapter as it is, but what comes in is kept instead of being put before a language model."""

    def __init__(self, config: PlatformConfig) -> None:
        super().__init__(config)
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()

    async def handle_message(self, event: Any) -> None:
        await self.inbox.put(event)


async def main(url: str, password: str, port: str, person: str) -> None:
    extra = {"server_url": url, "password": password, "webhook_host": "127.0.0.1", "webhook_port": int(port)}
    adapter = Listener(PlatformConfig(enabled=True, extra=extra))
    told: dict[str, Any] = {"connected": await adapter.connect()}
    try:
        told["sends"] = [_result(await adapter.send(person, text)) for text in ("Hello from a stranger", "And again")]
        async with asyncio.timeout(INBOUND_WITHIN_S):
            event = await adapter.inbox.get()
        told["inbound"] = {"text": event.text, "chat": event.source.chat_id, "sender": event.source.user_id}
        told["chat"] = await adapter.get_chat_info(person)
        told["marked_read"] = await adapter.mark_read(person)
    finally:
        await adapter.disconnect()
    print(json.dumps(told))


def _result(result: Any) -> dict[str, Any]:
    return {"success": result.success, "error": result.error, "message_id": result.message_id}


asyncio.run(main(*sys.argv[1:]))
