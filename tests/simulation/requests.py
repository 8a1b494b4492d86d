"""Tell a request that sends from one that only asks, and what it sends under which mark: the network's view of a provider.

Written from what the providers document and not from our channels, so that the judgement knows of a send that ours forgot.
"""

import email
from email.message import Message
from email.policy import HTTP

import httpx2
import msgspec

_TEXTS = ("/message/text", "/chat/new")


def asked_to_send(request: httpx2.Request, path: str, body: bytes) -> tuple[str, str] | None:
    """Return the mark and the text of a request that sends; None of any other."""
    if request.method != "POST":
        return None
    if path in _TEXTS:
        asked = msgspec.json.decode(body)
        return asked["tempGuid"], asked["message"]
    if path == "/message/multipart":
        asked = msgspec.json.decode(body)
        return asked["tempGuid"], "".join(part.get("text") or "" for part in asked["parts"])
    if path == "/message/attachment":
        return _form(request, body)["tempGuid"], ""
    if path == "/messages":
        asked = msgspec.json.decode(body)
        return asked["id"], asked["textMessage"]["text"]
    return None


def _form(request: httpx2.Request, body: bytes) -> dict[str, str]:
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parts = email.message_from_bytes(head + body, policy=HTTP).get_payload()
    assert isinstance(parts, list)
    return {_name(part): str(part.get_payload()) for part in parts if isinstance(part, Message)}


def _name(part: Message) -> str:
    return str(part.get_param("name", header="content-disposition"))
