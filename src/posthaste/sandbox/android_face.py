"""The REST face of the SMS Gate app's local server: its table of routes, and those too small for a file of their own.

Each route is reached as `/androids/{android}/...`, as on a phone at `http://phone:8080/...`. What is not in the table
a real phone may still know (settings, logs, tokens, MMS); here it is a plain 404, so that nobody takes an empty answer
for a feature.
"""

from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from posthaste.sandbox import android_messages
from posthaste.sandbox.android_call import (
    AndroidCall,
    AndroidEndpoint,
    Refusal,
    android_face,
    answer,
    instant_asked,
    number,
    read_instant,
    require_own_device,
)
from posthaste.sandbox.android_render import device_json, health_json, hook_json, inbox_json
from posthaste.sandbox.android_sending import look_for_missed
from posthaste.sandbox.connection import ConnectionDied
from posthaste.sandbox.entries import AndroidHookDropped, AndroidHookKept

EVENTS = (
    "sms:received", "sms:data-received", "sms:sent", "sms:delivered", "sms:failed", "system:ping", "mms:received",
    "mms:downloaded",
)  # fmt: skip
INBOX_TYPES = ("SMS", "DATA_SMS", "MMS", "MMS_DOWNLOADED")
_REFRESHABLE_TYPES = ("SMS", "MMS")
_PAGE, _LONGEST_PAGE = 50, 500
_LONGEST_ID = 36


class NewHook(msgspec.Struct, frozen=True, rename="camel"):
    url: str
    event: str
    id: str | None = None
    device_id: str | None = None


class Refresh(msgspec.Struct, frozen=True, rename="camel"):
    since: str
    until: str
    device_id: str | None = None
    message_types: list[str] | None = None
    trigger_webhooks: bool = False


async def unknown(request: Request) -> Response:
    """Answer for any other path: not there, or nothing at all from a phone that is down."""
    phone = request.app.state.world.androids.get(request.path_params["android"])
    if phone and not phone.is_up:
        raise ConnectionDied
    return Response(status_code=404)


async def health(call: AndroidCall) -> Response:
    return answer(health_json())


async def model(call: AndroidCall) -> Response:
    return answer({"status": "ok", "model": "Sandbox"})


async def devices(call: AndroidCall) -> Response:
    return answer([device_json(call.phone, call.world.now_ms())])


async def find_hooks(call: AndroidCall) -> Response:
    return answer([hook_json(hook) for hook in call.phone.hooks.values()])


async def register_hook(call: AndroidCall) -> Response:
    new = await call.body(NewHook)
    require_own_device(call, new.device_id)
    if not _may_be_called(new.url):
        raise Refusal(400, "url must begin with https:// or http://127.0.0.1")
    if new.event not in EVENTS:
        raise Refusal(400, "there is no such event")
    if new.id is not None and not 0 < len(new.id) <= _LONGEST_ID:
        raise Refusal(400, "id must have 1 to 36 characters")
    hook = AndroidHookKept(call.phone.id, new.id if new.id is not None else call.world.new_id(), new.url, new.event)
    call.world.record(hook)
    return answer(hook_json(hook), 201)


async def delete_hook(call: AndroidCall) -> Response:
    # The app does not mind if there is none.
    call.world.record(AndroidHookDropped(call.phone.id, call.param("id")))
    return Response(status_code=204)


async def find_inbox(call: AndroidCall) -> Response:
    kind = call.query.get("type") or None
    if kind is not None and kind not in INBOX_TYPES:
        raise Refusal(400, "there is no such type")
    require_own_device(call, call.query.get("deviceId"))
    since, until = instant_asked(call, "from", 0), instant_asked(call, "to", call.world.now_ms())
    if since > until:
        raise Refusal(400, "from is later than to")
    found = [sms for sms in call.phone.inbox if since <= sms.at <= until and kind in (None, "SMS")]
    offset, limit = number(call, "offset", 0, 0, 2**31), number(call, "limit", _PAGE, 1, _LONGEST_PAGE)
    page = [inbox_json(call.phone, sms) for sms in found[offset : offset + limit]]
    return answer(page, headers={"X-Total-Count": str(len(found))})


async def refresh_inbox(call: AndroidCall) -> Response:
    asked = await call.body(Refresh)
    require_own_device(call, asked.device_id)
    since, until = read_instant(asked.since, "since"), read_instant(asked.until, "until")
    if since > until:
        raise Refusal(400, "since is later than until")
    kinds = _REFRESHABLE_TYPES if asked.message_types is None else asked.message_types
    if not kinds or not set(kinds) <= set(_REFRESHABLE_TYPES):
        raise Refusal(400, "messageTypes must be SMS, MMS or both")
    if "SMS" in kinds:
        look_for_missed(call.world, call.phone, since, until, tells=asked.trigger_webhooks)
    return Response(status_code=202)


def _may_be_called(url: str) -> bool:
    """Tell whether the app would post to this address; without TLS it trusts the phone itself alone."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host == "127.0.0.1"))


def _route(method: str, path: str, endpoint: AndroidEndpoint, *, is_open: bool = False) -> Route:
    return Route(path, android_face(endpoint, is_open=is_open), methods=[method])


ROUTES = Mount(
    "/androids/{android}",
    routes=[
        _route("POST", "/messages", android_messages.send),
        _route("GET", "/messages", android_messages.search),
        _route("GET", "/messages/{id}", android_messages.find),
        _route("GET", "/webhooks", find_hooks),
        _route("POST", "/webhooks", register_hook),
        _route("DELETE", "/webhooks/{id}", delete_hook),
        _route("GET", "/inbox", find_inbox),
        _route("POST", "/inbox/refresh", refresh_inbox),
        _route("GET", "/device", devices),
        _route("GET", "/devices", devices),
        _route("GET", "/health", health, is_open=True),
        _route("GET", "/", model),
        Route("/{path:path}", unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ],
)
