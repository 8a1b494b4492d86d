"""How SMS Gate is asked: one request with the right credentials, and what an answer that is no answer means.

Harmless questions alone; the one request that sends goes through `exchange` too, but `smsgate` judges what comes of it.
A fault is told by its status and by the shape of its body: SMS Gate's own refusals are a complaint in JSON or have no
body, while a tunnel or another server at the same address shows a page.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar
from urllib.parse import quote

import httpx2
import msgspec

from posthaste.channels.base import Connection, Unreachable
from posthaste.channels.http import Answer, Limits, NeverLeft, NoAnswer, exchange
from posthaste.channels.reading import read, understood
from posthaste.channels.scrubbing import scrubbed
from posthaste.channels.smsgate import meaning, wire
from posthaste.core.schedule import render_instant

_PAGE_ROWS = 500
# Ten thousand texts between two polls are more than a SIM receives in weeks.
_PAGES = 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: object = None
    query: Mapping[str, str] = field(default_factory=dict)


class Missing(Unreachable):
    """SMS Gate itself answered that there is no such thing."""


class NotTaken(Unreachable):
    """SMS Gate itself answered that it does not take what was asked."""


class Asking:
    """Asks phones, whichever they are."""

    def __init__(self, client: httpx2.AsyncClient, questions: Limits) -> None:
        self._client, self._questions = client, questions

    async def hooks(self, device: Connection) -> Sequence[wire.Hook]:
        return await self._ask(device, Request("GET", "/webhooks"), list[wire.Hook])

    async def message(self, device: Connection, message_id: str) -> wire.Message:
        """Ask what became of a message; raise `Missing` if there is none with this id."""
        return await self._ask(device, Request("GET", f"/messages/{quote(message_id, safe='')}"), wire.Message)

    async def inbox(self, device: Connection, since: int) -> Sequence[wire.Incoming]:
        """Return what came since a time in milliseconds, the oldest first; the app itself shows the newest first."""
        found: list[wire.Incoming] = []
        for page in range(_PAGES):
            query = {"from": render_instant(since), "limit": str(_PAGE_ROWS), "offset": str(page * _PAGE_ROWS)}
            rows = await self._inbox_page(device, query | {"includeAttachments": "true"})
            found += rows
            if len(rows) < _PAGE_ROWS:
                break
        return found[::-1]

    async def _inbox_page(self, device: Connection, query: Mapping[str, str]) -> Sequence[wire.Incoming]:
        try:
            return await self._ask(device, Request("GET", "/inbox", query={**query, **of_device(device)}), list[wire.Incoming])
        except Missing:  # The app is too old to keep what comes.
            return ()

    async def _ask(self, device: Connection, request: Request, shape: type[T]) -> T:
        return understood((await self.answer(device, request)).body, shape, "the server")

    async def answer(self, device: Connection, request: Request, most_bytes: int | None = None) -> Answer:
        """Make a harmless request; raise `Unreachable` for every answer but a good one."""
        limits = self._questions if most_bytes is None else replace(self._questions, answer_bytes=most_bytes)
        match await self.exchange(device, request, limits):
            case NeverLeft(why) | NoAnswer(why):
                raise Unreachable(why)
            case Answer() as answer if answer.status < 300:
                return answer
            case Answer() as answer:
                raise _fault(answer)(scrubbed(meaning.put_into_words(answer), secrets_of(device)))

    async def exchange(self, device: Connection, request: Request, limits: Limits) -> Answer | NeverLeft | NoAnswer:
        return await exchange(
            self._client,
            request.method,
            f"{device.url.rstrip('/')}{request.path}",
            query=request.query,
            content=None if request.body is None else msgspec.json.encode(request.body),
            limits=limits,
            headers={"Authorization": f"Basic {_credentials(device)}"},
        )


def of_device(device: Connection) -> Mapping[str, str]:
    """Name the phone, where one account has several."""
    device_id = device.config.get("phoneId", "")
    return {"deviceId": device_id} if device_id else {}


def secrets_of(device: Connection) -> Sequence[str]:
    """Return the password, and what travels in its place."""
    return _password(device), _credentials(device)


def _fault(answer: Answer) -> type[Unreachable]:
    is_its_own = not answer.body.strip() or read(answer.body, wire.Complaint) is not None
    match answer.status:
        case 404 | 501 if is_its_own:
            return Missing
        case 400 if is_its_own:
            return NotTaken
        case _:
            return Unreachable


def _credentials(device: Connection) -> str:
    return base64.b64encode(f"{device.config.get('username', '')}:{_password(device)}".encode()).decode()


def _password(device: Connection) -> str:
    return device.secrets.get("password", "")
