"""What Sendblue puts on the wire, for the cases beside this file: the line, its messages, and steps of a script."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import httpx2
from wire import Answerer, Step, Wire, breaks, says

from posthaste.channels.base import NOWHERE, Connection, Order, Sender, Target, Trace
from posthaste.channels.fetch.fetcher import Fetched, Write
from posthaste.channels.sendblue.channel import PHONE, Sendblue
from posthaste.core import files
from posthaste.core.outcomes import Deferred, Rejected

SECRET = "s3cret?&é#"
LINE, PERSON = "+16285553000", "+12025550143"
HOOK = "https://ours.test/hooks/sendblue/token-1"
WAY = f"key/{LINE}"
HANDLE = "8A1E0C5E-0000-4000-8000-000000000001"
MADE, MADE_AT = "2026-11-24T19:30:46.000Z", 1_795_548_646_000
LATER, LATER_AT = "2026-11-24T19:30:50.250Z", 1_795_548_650_250
NOW_MS = 1_795_549_000_000
TEXT = "Hi José, it's  Ana\nshall we talk?"

DEVICE = Connection("device-1", "", {"apiSecretKey": SECRET}, {}, {"apiKeyId": "key", "baseUrl": "http://blue.test/sb"}, HOOK)
OF_NUMBER = replace(DEVICE, config={**DEVICE.config, "fromNumber": LINE})
WITH_SECRET = replace(DEVICE, secrets={**DEVICE.secrets, "webhookSecret": "hush"})
ORDER = Order(PERSON, TEXT, "marker-1", Target(PHONE, WAY), sender=Sender(LINE))
TRACE = Trace(PERSON, TEXT, "marker-1", Target(PHONE, WAY), 0, MADE_AT, frozenset(), sender=Sender(LINE))
UNPREPARED = replace(ORDER, target=NOWHERE)

Json = dict[str, Any]
T = TypeVar("T")

NO_ANSWERS: list[Answerer] = [
    says(401, {"status": "ERROR"}), says(500, "x"), says(200, "<html>"), says(302, ""), breaks(httpx2.ConnectError),
    breaks(httpx2.ReadTimeout),
]  # fmt: skip


def row(**fields: object) -> Json:
    """Return a message that the line sent, changed as the case says."""
    return {
        "accountEmail": "a@b.c", "content": TEXT, "is_outbound": True, "status": "SENT", "error_code": None,
        "error_message": None, "error_key": None, "message_handle": HANDLE, "date_sent": MADE, "date_updated": MADE,
        "from_number": LINE, "number": PERSON, "to_number": PERSON, "sendblue_number": LINE, "was_downgraded": False,
        "media_url": "", "group_id": "", "message_type": "message", "service": "iMessage", "plan": "x", "opted_out": False,
    } | fields  # fmt: skip


def wrote(**fields: object) -> Json:
    """Return a message that the person wrote."""
    theirs = {"content": "Yes", "is_outbound": False, "status": "RECEIVED", "from_number": PERSON, "to_number": LINE}
    return row(**(theirs | fields))


def step(method: str, path: str, answer: Answerer, body: object = None, query: Mapping[str, str] | None = None) -> Step:
    return Step(method, f"/sb{path}", answer, body, query)


def page(*rows: Json, query: Mapping[str, str], offset: int = 0, more: bool = False) -> Step:
    order = {"order_by": "createdAt", "order_direction": "asc", "limit": "100", "offset": str(offset)}
    pagination = {"total": 9_000, "limit": 100, "offset": offset, "hasMore": more}
    return step(
        "GET",
        "/api/v2/messages",
        says(200, {"status": "OK", "data": list(rows), "pagination": pagination}),
        query={**query, **order},
    )


def encoded(body: object) -> bytes:
    return json.dumps(body).encode()


@dataclass
class Depot:
    """Where Sendblue keeps files: a fetcher that brings `content`, or says why not."""

    content: bytes | Deferred | Rejected = b""
    asked: list[str] = field(default_factory=list)

    async def fetch(self, url: str, write: Write) -> Fetched | Deferred | Rejected:
        self.asked.append(url)
        if not isinstance(self.content, bytes):
            return self.content
        write(self.content)
        return Fetched(len(self.content), files.PNG, None)


def ask(call: Callable[[Sendblue], Awaitable[T]], *steps: Step) -> T:
    async def main() -> T:
        async with Wire(*steps) as wire:
            return await call(Sendblue(wire.client, lambda: NOW_MS, Depot()))

    return asyncio.run(main())
