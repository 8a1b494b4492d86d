"""How Sendblue is asked: one request with the key of the account, and what an answer that is no answer means.

Harmless questions alone; the one request that sends goes through `exchange` too, but the channel judges what comes of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import httpx2
import msgspec

from posthaste.channels.base import Connection, Unreachable
from posthaste.channels.http import Answer, Limits, NeverLeft, NoAnswer, exchange
from posthaste.channels.reading import not_understood, understood
from posthaste.channels.sendblue import meaning, wire
from posthaste.channels.sendblue.wire import Row

BASE_URL: Final = "https://api.sendblue.co"

_PAGE_ROWS = 100
_PAGES = 10
_SENDBLUE = "Sendblue"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: object = None
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listed:
    """Messages; `is_whole` if no other fits the question, `is_clear` if all could be read."""

    rows: Sequence[Row]
    is_whole: bool
    is_clear: bool


class Asking:
    """Asks Sendblue, for whichever account."""

    def __init__(self, client: httpx2.AsyncClient, questions: Limits) -> None:
        self._client, self._questions = client, questions

    async def rows(self, device: Connection, query: Mapping[str, str]) -> Listed:
        """Return messages in the order in which they were made."""
        rows: list[Row] = []
        is_clear = True
        for page in range(_PAGES):
            order = {"order_by": "createdAt", "order_direction": "asc", "limit": str(_PAGE_ROWS)}
            asked = {**query, **order, "offset": str(page * _PAGE_ROWS)}
            listed = await self.ask(device, Request("GET", "/api/v2/messages", query=asked), wire.Rows)
            legible = listed.legible
            if listed.data and not legible:
                raise not_understood(_SENDBLUE)
            rows += legible
            is_clear = is_clear and len(legible) == len(listed.data)
            if not listed.pagination.has_more or not listed.data:
                return Listed(rows, True, is_clear)
        return Listed(rows, False, is_clear)

    async def ask(self, device: Connection, request: Request, shape: type[T]) -> T:
        return understood((await self.good(device, request)).body, shape, _SENDBLUE)

    async def good(self, device: Connection, request: Request) -> Answer:
        """Ask something harmless; raise `Unreachable` for every answer but a good one."""
        return good(await self.answer(device, request))

    async def answer(self, device: Connection, request: Request) -> Answer:
        """Ask something harmless; raise `Unreachable` if nobody answers."""
        match await self.exchange(device, request, self._questions):
            case NeverLeft(why) | NoAnswer(why):
                raise Unreachable(why)
            case Answer() as answer:
                return answer

    async def exchange(self, device: Connection, request: Request, limits: Limits) -> Answer | NeverLeft | NoAnswer:
        return await exchange(
            self._client,
            request.method,
            f"{base_url(device)}{request.path}",
            query=request.query,
            content=None if request.body is None else msgspec.json.encode(request.body),
            limits=limits,
            headers=_key(device),
        )


def base_url(device: Connection) -> str:
    return (device.config.get("baseUrl") or BASE_URL).rstrip("/")


def _key(device: Connection) -> Mapping[str, str]:
    return {
        "sb-api-key-id": _printable(device.config.get("apiKeyId", "")),
        "sb-api-secret-key": _printable(device.secrets.get("apiSecretKey", "")),
    }


def _printable(value: str) -> str:
    """Spoil what no header can carry, and no key of Sendblue's has: it is answered as a wrong key, and raises nothing."""
    return "".join(one if " " < one <= "~" else "?" for one in value)


def good(answer: Answer) -> Answer:
    if not 200 <= answer.status < 300:
        raise Unreachable(meaning.complaint(answer))
    return answer
