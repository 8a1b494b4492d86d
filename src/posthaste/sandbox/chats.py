"""BlueBubbles' `/chat` routes: begin a conversation with a first message, find conversations, mark them read, type.

`chat/new` differs from `message/text` in ways that matter: it checks no `tempGuid`, and through the Private API it
answers success with whatever message it finds, even one that failed, so its `messages[0].error` must be read. Group
chats are not simulated.
"""

import msgspec
from starlette.responses import Response

from posthaste.sandbox import query, sending
from posthaste.sandbox.connection import ConnectionDied
from posthaste.sandbox.entries import ChatOpened, Row
from posthaste.sandbox.envelope import (
    Call,
    checked,
    gateway_timeout,
    not_found,
    require_private_api,
    success,
    unhandled,
    validate,
)
from posthaste.sandbox.mac import Mac
from posthaste.sandbox.messages import APPLE_SCRIPT, APPLE_SCRIPT_BROKEN, PRIVATE_API, asks_for
from posthaste.sandbox.numbers import normal
from posthaste.sandbox.render import Json, chat_json, handle_json, message_json
from posthaste.sandbox.validation import ARRAY, NUMERIC, REQUIRED, STRING, at_least, at_most, one_of

_NEW_RULES = {
    "addresses": (REQUIRED, ARRAY),
    "message": (STRING,),
    "method": (STRING, one_of(APPLE_SCRIPT, PRIVATE_API)),
    "service": (STRING, one_of("iMessage", "SMS")),
    "tempGuid": (STRING,),
    "effectId": (STRING,),
    "subject": (STRING,),
}
_PAGE_RULES = {"offset": (NUMERIC, at_least(0)), "limit": (NUMERIC, at_least(1), at_most(1000))}
_QUERY_RULES = {"with": (ARRAY,), "sort": (STRING, one_of("lastmessage"))} | _PAGE_RULES
_MESSAGES_RULES = {
    "sort": (STRING, one_of("DESC", "ASC")),
    "after": (NUMERIC, at_least(0)),
    "before": (NUMERIC, at_least(1)),
} | _PAGE_RULES


class NewChat(msgspec.Struct, frozen=True, rename="camel"):
    addresses: list[str]
    message: str | None = None
    method: str | None = None
    service: str | None = None
    temp_guid: str | None = None


class ChatQuery(msgspec.Struct, frozen=True, rename={"with_": "with"}):
    with_: list[str] = []
    guid: str | None = None
    sort: str | None = None
    offset: int | None = None
    limit: int | None = None


async def create(call: Call) -> Response:
    asked = checked(call, _NEW_RULES, NewChat)
    way = asked.method or APPLE_SCRIPT
    _refuse_impossible(call.mac, asked, way)
    address = normal(asked.addresses[0])
    if not address:
        raise unhandled("Failed to create chat!")
    chat = call.world.open_chat(call.mac, address)
    # Only AppleScript waits for a match, so only there does the caller's own guid come back in a webhook.
    draft = sending.Draft(asked.message or "", temp_guid=asked.temp_guid, is_matched=way == APPLE_SCRIPT)
    outcome = await sending.send(call.world, call.mac, chat, draft)
    row = _row_of(outcome, way)
    return success("Successfully created chat!", data=_created(call.mac, chat, row, asked.temp_guid))


async def search(call: Call) -> Response:
    asked = checked(call, _QUERY_RULES, ChatQuery)
    with_last = bool({"lastmessage", "last-message"} & {name.lower() for name in asked.with_})
    chats = [chat for chat in call.mac.chats.values() if not asked.guid or chat.guid == asked.guid]
    found = [_full(call.mac, chat, with_last=with_last) for chat in _by_last_message(call.mac, chats, when=with_last)]
    offset, limit = asked.offset or 0, asked.limit or 1000
    page = found[offset : offset + limit]
    given = {name: call.body[name] for name in ("offset", "limit") if name in call.body}
    return success(data=page, metadata={"count": len(page), "total": len(found)} | given)


async def find(call: Call) -> Response:
    chat = _chat_of(call)
    names = {name.strip().lower() for name in call.query.get("with", "").split(",")}
    found = chat_json(chat) | {"participants": [handle_json(chat)] if "participants" in names else []}
    if "lastmessage" in names:
        found["lastMessage"] = _last_message(call.mac, chat)
    return success(data=found)


async def messages(call: Call) -> Response:
    validate(call.query, _MESSAGES_RULES)
    chat = _chat_of(call)
    page = query.run(call.mac, query.parse({**call.query, "chatGuid": chat.guid}))
    with_files = asks_for(call.query.get("with", ""), "attachment")
    rows = page.rows if page else []
    limit = int(call.query.get("limit") or query.DEFAULT_LIMIT)
    metadata = {
        "offset": page.offset if page else 0,
        "limit": limit,
        "total": page.total if page else 0,
        "count": len(rows),
    }
    data = [message_json(call.mac, row, with_chats=False, with_files=with_files) for row in rows]
    return success(data=data, metadata=metadata)


async def count(call: Call) -> Response:
    total = len(call.mac.chats)
    return success(data={"total": total, "breakdown": {"iMessage": total} if total else {}})


async def mark_read(call: Call) -> Response:
    require_private_api(call)
    chat = _chat_of(call)
    sending.announce(call.world, call.mac, "chat-read-status-changed", {"chatGuid": chat.guid, "read": True})
    return success("Successfully marked chat as read!")


async def start_typing(call: Call) -> Response:
    require_private_api(call)
    call.mac.typing_to.add(_chat_of(call).address)
    call.world.version += 1
    return success("Successfully started typing!")


async def stop_typing(call: Call) -> Response:
    require_private_api(call)
    call.mac.typing_to.discard(_chat_of(call).address)
    call.world.version += 1
    return success("Successfully stopped typing!")


def _refuse_impossible(mac: Mac, asked: NewChat, way: str) -> None:
    if not asked.addresses:
        raise unhandled("No addresses provided!")
    if way == APPLE_SCRIPT and len(asked.addresses) > 1:
        raise unhandled("Cannot create group chats on macOS Big Sur or newer!")
    if way == APPLE_SCRIPT and not asked.message:
        raise unhandled("A message is required when creating chats on macOS Big Sur or newer!")
    if way == APPLE_SCRIPT and mac.is_tahoe:
        raise unhandled(APPLE_SCRIPT_BROKEN)
    if way == PRIVATE_API and not mac.settings.private_api:
        raise unhandled("iMessage Private API is not enabled!")
    if not asked.message:
        raise unhandled("A message is required when creating chats with the Private API!")
    if len(asked.addresses) > 1:
        raise unhandled("The sandbox has no group chats")


def _row_of(outcome: sending.Outcome, way: str) -> Row:
    match outcome:
        case sending.Sent(row):
            return row
        case sending.Failed(row):
            if way == APPLE_SCRIPT:
                raise unhandled("Failed to send message! See attached message error code.")
            return row
        case sending.TimedOut():
            raise gateway_timeout()
        case sending.Died():
            raise ConnectionDied


def _created(mac: Mac, chat: ChatOpened, row: Row, temp_guid: str | None) -> Json:
    message = message_json(mac, row, with_chats=False)
    del message["chats"]
    own: Json = {"tempGuid": temp_guid} if temp_guid else {}
    return chat_json(chat) | {"participants": [handle_json(chat)], "messages": [message | own]}


def _chat_of(call: Call) -> ChatOpened:
    chat = call.mac.chats.get(call.param("guid"))
    if chat is None:
        raise not_found("Chat does not exist!")
    return chat


def _full(mac: Mac, chat: ChatOpened, *, with_last: bool) -> Json:
    full = chat_json(chat) | {"participants": [handle_json(chat)]}
    return full | {"lastMessage": _last_message(mac, chat)} if with_last else full


def _last_message(mac: Mac, chat: ChatOpened) -> Json | None:
    row = mac.last_row_of(chat.guid)
    return message_json(mac, row, with_chats=False) if row else None


def _by_last_message(mac: Mac, chats: list[ChatOpened], *, when: bool) -> list[ChatOpened]:
    if not when:
        return chats

    def newest(chat: ChatOpened) -> int:
        row = mac.last_row_of(chat.guid)
        return -row.created_at if row else 0

    return sorted(chats, key=newest)
