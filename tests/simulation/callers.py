"""Callers of the API: they ask, are patient or not, repeat what was not answered, change lines and cancel.

They note every answer, because an answer is a promise that the judgement holds the system to.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2

from .plan import Request
from .wire import OURS

if TYPE_CHECKING:
    from .town import Town

_AWAY = (httpx2.HTTPError, TimeoutError)
_TIRED_S = 120.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller was told."""

    at: int
    request: Request
    status: int
    body: dict[str, Any]
    is_replay: bool

    @property
    def message_id(self) -> str | None:
        if self.body.get("skipped"):
            return str(self.body["originalMessageId"])
        document = self.body.get("message")
        return str(document["_id"]) if self.status < 300 and document else None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A cancellation that was confirmed."""

    at: int
    message_id: str


class Callers:
    """Everybody who calls."""

    def __init__(self, town: "Town") -> None:
        self._town = town
        self.key = ""
        self.busy = 0
        self._resting: dict[object, float] = {}
        self.answers: list[Answer] = []
        self.cancelled: list[Cancelled] = []
        self._client = httpx2.AsyncClient(base_url=f"http://{OURS}", transport=town.network.transport(None))
        self._tasks: dict[asyncio.Task[None], None] = {}

    def next_at_s(self) -> float:
        """Return when the next caller asks again who pauses now."""
        return min(self._resting.values(), default=float("inf"))

    def begin(self, request: Request) -> None:
        self._spawn(self._ask(request))

    def patch(self, line: int, rules: dict[str, Any]) -> None:
        self._spawn(self._patch(line, rules))

    def _spawn(self, coro: Any) -> None:
        task = asyncio.get_running_loop().create_task(coro)
        self.busy += 1
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.busy -= 1
        del self._tasks[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._town.complaints.append(f"a caller: {error!r}")

    async def _ask(self, request: Request) -> None:
        answer = await self._persist(request)
        if answer is None or request.cancel_after_ms is None or answer.message_id is None:
            return
        await self._rest(request.cancel_after_ms / 1000)
        response = await self._try("DELETE", f"/api/messages/{answer.message_id}")
        if response is not None and response.status_code == 200:
            self._town.trace.say("caller", f"has cancelled {answer.message_id}")
            self.cancelled.append(Cancelled(self._town.clock.now_ms(), answer.message_id))

    async def _persist(self, request: Request) -> Answer | None:
        """Ask again while there is no answer and patience lasts."""
        body = dict(request.body)
        if request.line is not None:
            body["fromLineId"] = self._town.line_ids[request.line]
        headers = {"Idempotency-Key": request.key} if request.key else {}
        if request.prefer:
            headers["Prefer"] = request.prefer
        for _ in range(request.patience + 1):
            response = await self._try("POST", "/api/messages", body, headers)
            if response is not None and response.status_code not in (409, 503):
                return self._note(request, response)
            await self._rest(request.pause_ms / 1000)
        return None

    async def _patch(self, line: int, rules: dict[str, Any]) -> None:
        from .town import Change

        asked_at = self._town.clock.now_ms()
        for _ in range(12):
            response = await self._try("PATCH", f"/api/lines/{self._town.line_ids[line]}", rules)
            if response is not None:
                self._town.trace.say("caller", f"changes line {line}: {rules} → {response.status_code}")
                self._town.changes.append(Change(asked_at, self._town.clock.now_ms(), line, rules))
                return
            await self._rest(60.0)
        self._town.changes.append(Change(asked_at, None, line, rules))

    async def _rest(self, pause_s: float) -> None:
        me = object()
        self._resting[me] = asyncio.get_running_loop().time() + pause_s
        self.busy -= 1
        await asyncio.sleep(pause_s)
        self.busy += 1
        del self._resting[me]

    async def _try(
        self, method: str, path: str, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
    ) -> httpx2.Response | None:
        auth = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        try:
            async with asyncio.timeout(_TIRED_S):
                response = await self._client.request(method, path, json=body, headers=auth)
        except _AWAY as error:
            self._town.trace.say("caller", f"{method} {path[:14]}: {type(error).__name__}")
            return None
        if response.status_code >= 500 and response.status_code != 503:
            self._town.complaints.append(f"{method} {path} was answered {response.status_code}: {response.text}")
        return response

    def _note(self, request: Request, response: httpx2.Response) -> Answer:
        replay = response.headers.get("idempotent-replayed") == "true"
        answer = Answer(self._town.clock.now_ms(), request, response.status_code, response.json(), replay)
        self.answers.append(answer)
        told = answer.body.get("status") or answer.body.get("error")
        self._town.trace.say("caller", f"{request.mark} → {answer.status} {told} {answer.message_id}{' again' if replay else ''}")
        return answer
