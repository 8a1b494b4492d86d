"""The REST face of Sendblue: its table of routes, each reached as `/sendblues/{sendblue}/...`.

What is not in the table the real one may still know (groups, contacts, calls, locations); here it is a plain 404, so that
nobody takes an empty answer for a feature.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar, assert_never

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from posthaste.sandbox import sendblue_sending
from posthaste.sandbox.connection import ConnectionDied
from posthaste.sandbox.control_call import answer
from posthaste.sandbox.entries import SendblueHook, SendblueHooksKept, SendblueRow
from posthaste.sandbox.instants import instant
from posthaste.sandbox.numbers import normal
from posthaste.sandbox.sendblue import HOOK_TYPES, Sendblue
from posthaste.sandbox.sendblue_render import answer_json, hooks_json, listed_json
from posthaste.sandbox.sendblue_sending import Asked
from posthaste.sandbox.world import World

_PAGE, _LONGEST_PAGE = 50, 100
_LONGEST_TEXT = 18_996

T = TypeVar("T")


class NewMessage(msgspec.Struct, frozen=True):
    number: str = ""
    from_number: str | None = None
    content: str | None = None
    media_url: str | None = None
    status_callback: str | None = None


class HookGiven(msgspec.Struct, frozen=True):
    url: str
    secret: str | None = None
    sendblue_numbers: list[str] | None = None


class HookChange(msgspec.Struct, frozen=True):
    webhooks: list[str | HookGiven]
    type: str = "receive"


class TypingAsked(msgspec.Struct, frozen=True):
    number: str = ""


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not a defect
    """An answer that is not a success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = answer({"status": "ERROR", "message": message, "error_message": message}, status)


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one account."""

    world: World
    account: Sendblue
    request: Request

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params

    async def body(self, into: type[T]) -> T:
        try:
            return msgspec.json.decode(await self.request.body(), type=into)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise Refusal(400, str(error)) from None


async def send(call: Call) -> Response:
    asked = _checked(call, await call.body(NewMessage))
    outcome = await sendblue_sending.send(call.world, call.account, asked)
    match outcome:
        case sendblue_sending.Answered(row):
            return answer(answer_json(call.account, row))
        case sendblue_sending.TimedOut():
            raise Refusal(504, "no answer in time")
        case sendblue_sending.Died():
            raise ConnectionDied
        case _:
            assert_never(outcome)


async def status(call: Call) -> Response:
    return answer(answer_json(call.account, _row(call, call.query.get("handle", ""))))


async def find(call: Call) -> Response:
    row = _row(call, str(call.request.path_params["handle"]))
    return answer({"status": "OK", "data": listed_json(call.account, row)})


async def search(call: Call) -> Response:
    found = sorted((row for row in call.account.rows.values() if _is_wanted(call, row)), key=lambda row: row.created_at)
    if call.query.get("order_direction", "desc") != "asc":
        found.reverse()
    offset, limit = _number(call, "offset", 0, 2**31), _number(call, "limit", _PAGE, _LONGEST_PAGE)
    page = found[offset : offset + limit]
    pagination = {"total": len(found), "limit": limit, "offset": offset, "hasMore": offset + limit < len(found)}
    data = [listed_json(call.account, row) for row in page]
    return answer({"status": "OK", "data": data, "pagination": pagination})


async def evaluate(call: Call) -> Response:
    number = normal(call.query.get("number", ""))
    if not number:
        raise Refusal(400, "number is missing")
    return answer({"number": number, "service": sendblue_sending.carrier_of(number)})


async def find_hooks(call: Call) -> Response:
    return answer({"status": "OK", "webhooks": hooks_json(call.account)})


async def add_hooks(call: Call) -> Response:
    kind, hooks = await _hooks_given(call)
    return _keep_hooks(call, kind, [*call.account.hooks_of(kind), *hooks])


async def drop_hooks(call: Call) -> Response:
    kind, hooks = await _hooks_given(call)
    gone = {hook.url for hook in hooks}
    return _keep_hooks(call, kind, [hook for hook in call.account.hooks_of(kind) if hook.url not in gone])


async def show_typing(call: Call) -> Response:
    number = normal((await call.body(TypingAsked)).number)
    if not number:
        raise Refusal(400, "number is missing")
    return answer({"number": number, "status": "SENT", "error_message": None})


async def unknown(call: Call) -> Response:
    return Response("Not Found", 404, media_type="text/plain")


def _checked(call: Call, new: NewMessage) -> Asked:
    number = normal(new.number)
    if not number.startswith("+"):
        raise Refusal(400, "number must be a phone number")
    if new.from_number is not None and normal(new.from_number) != call.account.phone:
        raise Refusal(400, "from_number is not a number of this account")
    if not new.content and not new.media_url:
        raise Refusal(400, "content or media_url must be given")
    if len(new.content or "") > _LONGEST_TEXT:
        raise Refusal(400, "content is too long")
    return Asked(number, new.content or "", new.media_url or None, new.status_callback or None)


def _row(call: Call, handle: str) -> SendblueRow:
    row = call.account.rows.get(handle)
    if row is None:
        raise Refusal(404, "there is no such message")
    return row


def _is_wanted(call: Call, row: SendblueRow) -> bool:
    wanted = {name: call.query.get(name) for name in ("number", "is_outbound", "status", "sendblue_number", "service")}
    shown = {
        "number": row.number,
        "is_outbound": "true" if row.is_outbound else "false",
        "status": row.status,
        "sendblue_number": call.account.phone,
        "service": row.service,
    }
    since, until = _instant_asked(call, "created_at_gte", 0), _instant_asked(call, "created_at_lte", 2**53)
    return since <= row.created_at <= until and all(value is None or value == shown[name] for name, value in wanted.items())


def _instant_asked(call: Call, name: str, otherwise: int) -> int:
    text = call.query.get(name)
    if text is None:
        return otherwise
    try:
        return instant(text)
    except ValueError:
        raise Refusal(400, f"{name} is not an ISO 8601 time") from None


def _number(call: Call, name: str, otherwise: int, most: int) -> int:
    text = call.query.get(name, "")
    return min(int(text), most) if text.isascii() and text.isdigit() else otherwise


async def _hooks_given(call: Call) -> tuple[str, list[SendblueHook]]:
    given = await call.body(HookChange)
    if given.type not in HOOK_TYPES:
        raise Refusal(400, "there is no such type")
    hooks = [HookGiven(one) if isinstance(one, str) else one for one in given.webhooks]
    return given.type, [SendblueHook(one.url, one.secret, one.sendblue_numbers) for one in hooks]


def _keep_hooks(call: Call, kind: str, hooks: list[SendblueHook]) -> Response:
    call.world.record(SendblueHooksKept(call.account.id, kind, hooks))
    return answer({"status": "OK", "message": "Webhooks updated", "webhooks": hooks_json(call.account)})


def _face(endpoint: Callable[[Call], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Make an ASGI endpoint of a route: find the account, check the key, answer refusals."""

    async def respond(request: Request) -> Response:
        world: World = request.app.state.world
        account = world.sendblues.get(request.path_params["sendblue"])
        if account is None:
            return Response("Not Found", 404, media_type="text/plain")
        _die_with(account)
        try:
            _authorise(account, request.headers)
            response = await endpoint(Call(world, account, request))
        except Refusal as refusal:
            response = refusal.answer
        _die_with(account)
        return response

    return respond


def _die_with(account: Sendblue) -> None:
    if not account.is_up:
        raise ConnectionDied


def _authorise(account: Sendblue, headers: Mapping[str, str]) -> None:
    settings = account.settings
    given = (headers.get("sb-api-key-id", ""), headers.get("sb-api-secret-key", ""))
    wanted = (settings.api_key_id, settings.api_secret_key)
    if not all(hmac.compare_digest(one.encode(), other.encode()) for one, other in zip(given, wanted, strict=True)):
        raise Refusal(401, "the API key is wrong")


def _route(method: str, path: str, endpoint: Callable[[Call], Awaitable[Response]]) -> Route:
    return Route(path, _face(endpoint), methods=[method])


ROUTES = Mount(
    "/sendblues/{sendblue}",
    routes=[
        _route("POST", "/api/send-message", send),
        _route("GET", "/api/status", status),
        _route("GET", "/api/evaluate-service", evaluate),
        _route("GET", "/api/v2/messages", search),
        _route("GET", "/api/v2/messages/{handle}", find),
        _route("GET", "/api/account/webhooks", find_hooks),
        _route("POST", "/api/account/webhooks", add_hooks),
        _route("DELETE", "/api/account/webhooks", drop_hooks),
        _route("POST", "/api/send-typing-indicator", show_typing),
        Route("/{path:path}", _face(unknown), methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ],
)
