"""BlueBubbles' `/message` routes: send a text, look messages up, count them.

`message/text` blocks until the text is in the Mac's database. Its `tempGuid` only keeps a second request out while the
first is in flight; sent again afterwards, the text goes out twice. AppleScript does not work at all from macOS 26 on.
"""

from typing import assert_never

import msgspec
from starlette.responses import Response

from posthaste.sandbox import query, sending
from posthaste.sandbox.connection import ConnectionDied
from posthaste.sandbox.entries import ChatOpened, Row
from posthaste.sandbox.envelope import (
    Call,
    Fault,
    Refusal,
    bad_request,
    checked,
    gateway_timeout,
    not_found,
    send_error,
    success,
    validate,
)
from posthaste.sandbox.render import message_json
from posthaste.sandbox.validation import NUMERIC, PRESENT, REQUIRED, STRING, at_least, one_of

APPLE_SCRIPT, PRIVATE_API = "apple-script", "private-api"
APPLE_SCRIPT_BROKEN = "execution error: Can't make any into type constant. (-1700)"

_TEXT_RULES = {
    "chatGuid": (REQUIRED, STRING),
    "tempGuid": (STRING,),
    "message": (PRESENT, STRING),
    "method": (STRING, one_of(APPLE_SCRIPT, PRIVATE_API)),
    "effectId": (STRING,),
    "subject": (STRING,),
    "selectedMessageGuid": (STRING,),
    "partIndex": (NUMERIC, at_least(0)),
}

_COUNT_RULES = {"after": (NUMERIC, at_least(0)), "before": (NUMERIC, at_least(1))}


class Text(msgspec.Struct, frozen=True, rename="camel"):
    chat_guid: str
    message: str | None
    temp_guid: str | None = None
    method: str | None = None
    effect_id: str | None = None
    subject: str | None = None
    selected_message_guid: str | None = None
    dd_scan: bool | None = None
    attributed_body: msgspec.Raw | None = None

    @property
    def way(self) -> str:
        """Return the method, which some fields force."""
        rich = (self.effect_id, self.subject, self.selected_message_guid, self.dd_scan, self.attributed_body)
        return PRIVATE_API if any(rich) else self.method or APPLE_SCRIPT


async def send_text(call: Call) -> Response:
    text = checked(call, _TEXT_RULES, Text)
    _refuse_incomplete(text)
    in_flight = call.mac.in_flight
    if text.temp_guid and text.temp_guid in in_flight:
        raise bad_request(f"Message is already queued to be sent! (Temp GUID: {text.temp_guid})")
    chat = _chat_for(call, text)
    in_flight.add(text.temp_guid or "")
    outcome: sending.Outcome | None = None
    try:
        outcome = await sending.send(call.world, call.mac, chat, text.message or "", text.temp_guid or None)
    finally:
        if not isinstance(outcome, sending.TimedOut):
            in_flight.discard(text.temp_guid or "")
    return _answer(call, text, outcome)


async def find(call: Call) -> Response:
    row = call.mac.row_of(call.param("guid"))
    if row is None:
        raise not_found("Message does not exist!")
    return success(data=message_json(call.mac, row, with_chats=_asks_for_chats(call.query.get("with", ""))))


async def search(call: Call) -> Response:
    validate(call.body, query.RULES)
    page = query.run(call.mac, query.parse(call.body))
    if page is None:
        return success(f"No chat found with GUID: {call.body['chatGuid']}", data=[])
    asked = call.body.get("with")
    with_chats = _asks_for_chats(",".join(map(str, asked)) if isinstance(asked, list) else "")
    return success(
        "Successfully fetched messages!",
        data=[message_json(call.mac, row, with_chats=with_chats) for row in page.rows],
        metadata={"offset": page.offset, "limit": page.limit, "total": page.total, "count": len(page.rows)},
    )


async def count(call: Call) -> Response:
    return success(data={"total": len(_counted(call))})


async def count_mine(call: Call) -> Response:
    return success(data={"total": sum(row.is_from_me for row in _counted(call))})


async def count_updated(call: Call) -> Response:
    validate(call.query, {"after": (REQUIRED, NUMERIC, at_least(0))})
    after = float(call.query["after"])
    changed = (max(row.created_at, row.delivered_at or 0, row.read_at or 0) for row in call.mac.rows)
    return success(data={"total": sum(at >= after for at in changed)})


def _refuse_incomplete(text: Text) -> None:
    if text.way == APPLE_SCRIPT and not text.temp_guid:
        raise bad_request("A 'tempGuid' is required when sending via AppleScript")
    if text.way == APPLE_SCRIPT and not text.message:
        raise bad_request("A 'message' is required when sending via AppleScript")
    if text.way == PRIVATE_API and not text.message and not text.subject:
        raise bad_request("A 'message' or 'subject' is required when sending via the Private API")


def _chat_for(call: Call, text: Text) -> ChatOpened:
    if text.way == PRIVATE_API and not call.mac.settings.private_api:
        raise send_error("iMessage Private API is not enabled!")
    if text.way == APPLE_SCRIPT and call.mac.is_tahoe:
        raise send_error(APPLE_SCRIPT_BROKEN)
    chat = call.mac.chats.get(text.chat_guid)
    if chat is None:
        raise send_error("Chat does not exist!")
    return chat


def _answer(call: Call, text: Text, outcome: sending.Outcome) -> Response:
    match outcome:
        case sending.Sent(row):
            return success("Message sent!", data=_echo(call, text, row))
        case sending.Failed(row):
            raise _failure(call, text, row)
        case sending.TimedOut():
            raise gateway_timeout()
        case sending.Died():
            raise ConnectionDied
        case _:
            assert_never(outcome)


def _failure(call: Call, text: Text, row: Row) -> Refusal:
    if text.way == APPLE_SCRIPT:
        error = "Failed to send message! See attached message error code."
        return send_error(error, data=message_json(call.mac, row, with_chats=True))
    said = "Message sent with an error. See attached message"
    return Refusal(500, said, Fault.IMESSAGE, "Message failed to send!", data=_echo(call, text, row))


def _echo(call: Call, text: Text, row: Row) -> dict[str, object]:
    own: dict[str, object] = {"tempGuid": text.temp_guid} if text.temp_guid else {}
    return message_json(call.mac, row, with_chats=True) | own


def _asks_for_chats(names: str) -> bool:
    return any(name.strip().lower().split(".")[0] in ("chat", "chats") for name in names.split(","))


def _counted(call: Call) -> list[Row]:
    validate(call.query, _COUNT_RULES)
    wanted = query.Wanted(
        chat_guid=call.query.get("chatGuid") or None,
        after=float(call.query["after"]) if call.query.get("after") else None,
        before=float(call.query["before"]) if call.query.get("before") else None,
    )
    return query.matching(call.mac, wanted)
