"""The REST face of a BlueBubbles server: its table of routes, and those too small for a file of their own.

Each route is reached as `/macs/{mac}/api/v1/...`. What is not in the table a real server may still know (reactions,
edits, contacts); here it is a plain 404, so that nobody takes an empty answer for a feature.
"""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from posthaste.sandbox import attachments, chats, messages
from posthaste.sandbox.connection import ConnectionDied
from posthaste.sandbox.entries import HookDropped, HookKept
from posthaste.sandbox.envelope import (
    Call,
    Endpoint,
    bad_request,
    face,
    not_found,
    require_private_api,
    success,
    validate,
)
from posthaste.sandbox.numbers import course_of, normal
from posthaste.sandbox.render import handle_json, hook_json
from posthaste.sandbox.validation import ARRAY, REQUIRED, STRING
from posthaste.sandbox.webhooks import EVENTS

SERVER_VERSION = "1.9.9"


async def unknown(request: Request) -> Response:
    """Answer for any other path: not there, or nothing at all from a Mac that is down."""
    mac = request.app.state.world.macs.get(request.path_params["mac"])
    if mac and not mac.is_up:
        raise ConnectionDied
    return PlainTextResponse("Not Found", 404)


async def ping(call: Call) -> Response:
    return success("Ping received!", data="pong")


async def server_info(call: Call) -> Response:
    settings = call.mac.settings
    data = {
        "computer_id": f"sandbox@{settings.id}",
        "os_version": settings.macos_version,
        "server_version": SERVER_VERSION,
        "private_api": settings.private_api,
        "proxy_service": "dynamic-dns",
        "helper_connected": settings.private_api,
        "detected_icloud": f"{settings.id}@sandbox.example",
        "detected_imessage": settings.phone,
        "macos_time_sync": 0.0,
        "local_ipv4s": ["127.0.0.1"],
        "local_ipv6s": ["::1"],
    }
    return success(data=data)


async def imessage_availability(call: Call) -> Response:
    require_private_api(call)
    validate(call.query, {"address": (REQUIRED, STRING)})
    return success(data={"available": course_of(normal(call.query["address"])).on_imessage})


async def find_handles(call: Call) -> Response:
    address = str(call.body.get("address") or "")
    found = [handle_json(chat) for chat in call.mac.chats.values() if not address or chat.address == normal(address)]
    metadata = {"total": len(found), "offset": 0, "limit": 1000, "count": len(found)}
    return success(data=found, metadata=metadata)


async def count_handles(call: Call) -> Response:
    return success(data={"total": len(call.mac.chats)})


async def find_hooks(call: Call) -> Response:
    url, hook_id = call.query.get("url"), call.query.get("id")
    hooks = [
        hook for hook in call.mac.hooks.values() if (not url or hook.url == url) and (not hook_id or str(hook.id) == hook_id)
    ]
    return success("Successfully fetched webhooks!", data=[hook_json(hook) for hook in hooks])


async def register_hook(call: Call) -> Response:
    validate(call.body, {"url": (REQUIRED, STRING), "events": (REQUIRED, ARRAY)})
    url, events = str(call.body["url"]), call.body["events"]
    if not url.startswith("http"):
        raise bad_request("Webhook URL must include an HTTP scheme!")
    # One row per url: a second registration answers with the first and does not even look at the new events.
    hook = call.mac.hook_of(url) or _new_hook(call, url, _known_events(events))
    return success("Successfully created webhook!", data=hook_json(hook))


async def delete_hook(call: Call) -> Response:
    hook = next((hook for hook in call.mac.hooks.values() if str(hook.id) == call.param("id")), None)
    if hook is None:
        raise not_found("Webhook does not exist!")
    call.world.record(HookDropped(call.mac.id, hook.id))
    return success("Successfully deleted webhook!")


def _known_events(events: object) -> list[str]:
    known: list[str] = []
    for event in events if isinstance(events, list) else []:
        if not isinstance(event, str):
            raise bad_request("Webhook events must be strings!")
        if event not in EVENTS:
            raise bad_request(f"Invalid webhook event: {event}! Webhook must be one of: {','.join(EVENTS)}")
        known.append(event)
    return known


def _new_hook(call: Call, url: str, events: list[str]) -> HookKept:
    hook = HookKept(call.mac.id, call.mac.last_hook_id + 1, url, events, call.world.now_ms())
    call.world.record(hook)
    return hook


def _route(method: str, path: str, endpoint: Endpoint) -> Route:
    return Route(f"/api/v1{path}", face(endpoint), methods=[method])


ROUTES = Mount(
    "/macs/{mac}",
    routes=[
        _route("POST", "/message/text", messages.send_text),
        _route("POST", "/message/attachment", attachments.send_one),
        _route("POST", "/message/multipart", attachments.send_several),
        _route("POST", "/message/query", messages.search),
        _route("POST", "/chat/new", chats.create),
        _route("POST", "/chat/query", chats.search),
        _route("GET", "/handle/availability/imessage", imessage_availability),
        _route("GET", "/ping", ping),
        _route("GET", "/server/info", server_info),
        _route("GET", "/message/count", messages.count),
        _route("GET", "/message/count/me", messages.count_mine),
        _route("GET", "/message/count/updated", messages.count_updated),
        _route("GET", "/message/{guid}", messages.find),
        _route("GET", "/chat/count", chats.count),
        _route("GET", "/chat/{guid}", chats.find),
        _route("GET", "/chat/{guid}/message", chats.messages),
        _route("POST", "/chat/{guid}/read", chats.mark_read),
        _route("POST", "/chat/{guid}/typing", chats.start_typing),
        _route("DELETE", "/chat/{guid}/typing", chats.stop_typing),
        _route("POST", "/attachment/upload", attachments.upload),
        _route("GET", "/attachment/count", attachments.count),
        # A guid may have a prefix with a slash in it.
        _route("GET", "/attachment/{guid:path}/download", attachments.download),
        _route("GET", "/attachment/{guid:path}", attachments.find),
        _route("GET", "/handle/count", count_handles),
        _route("POST", "/handle/query", find_handles),
        _route("GET", "/webhook", find_hooks),
        _route("POST", "/webhook", register_hook),
        _route("DELETE", "/webhook/{id}", delete_hook),
        Route("/{path:path}", unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ],
)
