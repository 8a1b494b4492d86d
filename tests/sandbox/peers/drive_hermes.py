"""Drive a BlueBubbles server with the adapter of hermes-agent, and print what it made of it as one line of JSON.

Runs in the peer's own environment, so nothing of ours is imported here. It connects, sends to a person that is new and
to the same one again, waits for the answer to come in by webhook, asks who is in the chat, sends a picture and a
document, types, takes in what the person sends, and disconnects. What the person does is asked of the sandbox itself.
"""

import asyncio
import json
import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
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


async def main(url: str, password: str, port: str, person: str, line: str, picture: str, document: str) -> None:
    extra = {"server_url": url, "password": password, "webhook_host": "127.0.0.1", "webhook_port": int(port)}
    adapter = Listener(PlatformConfig(enabled=True, extra=extra))
    told: dict[str, Any] = {"connected": await adapter.connect()}
    try:
        told["sends"] = [_result(await adapter.send(person, text)) for text in ("Hello from a stranger", "And again")]
        event = await _next(adapter, lambda event: True)
        told["inbound"] = {"text": event.text, "chat": event.source.chat_id, "sender": event.source.user_id}
        told["chat"] = await adapter.get_chat_info(person)
        told["marked_read"] = await adapter.mark_read(person)
        told["files"] = [
            _result(await adapter.send_image_file(person, picture, caption="The house")),
            _result(await adapter.send_document(person, document, file_name="the plan.pdf")),
        ]
        told["typing"] = await _typing(adapter, url, person)
        told["media"] = await _media(adapter, url, person, line, [picture, document])
    finally:
        await adapter.disconnect()
    print(json.dumps(told))


async def _typing(adapter: Listener, url: str, person: str) -> list[list[str]]:
    """Return which lines type at the phone while the adapter does, and afterwards."""
    seen = []
    for act in (adapter.send_typing, adapter.stop_typing):
        await act(person)
        phones = (await adapter.client.get(f"{_sandbox(url)}/state")).json()["phones"]
        seen.append(next(phone["typing"] for phone in phones if phone["number"] == person))
    return seen


async def _media(adapter: Listener, url: str, person: str, line: str, paths: list[str]) -> dict[str, Any]:
    """Let the person send the same files, and return what the adapter fetched of them."""
    asked = {"to": line, "text": "And yours", "attachments": [_encoded(Path(path)) for path in paths]}
    (await adapter.client.post(f"{_sandbox(url)}/phones/{person}/send", json=asked)).raise_for_status()
    event = await _next(adapter, lambda event: event.media_urls)
    fetched = [_digest(Path(path)) for path in event.media_urls]
    return {"types": event.media_types, "sha256": fetched, "kind": str(event.message_type), "text": event.text}


async def _next(adapter: Listener, fits: Any) -> Any:
    async with asyncio.timeout(INBOUND_WITHIN_S):
        while not fits(event := await adapter.inbox.get()):
            pass
    return event


def _encoded(path: Path) -> dict[str, str]:
    return {"name": path.name, "contentBase64": b64encode(path.read_bytes()).decode()}


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _sandbox(url: str) -> str:
    return url.partition("/macs/")[0]


def _result(result: Any) -> dict[str, Any]:
    return {"success": result.success, "error": result.error, "message_id": result.message_id}


asyncio.run(main(*sys.argv[1:]))
