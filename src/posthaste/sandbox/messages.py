"""BlueBubbles' `/message` routes: send a text, look messages up, count them. What has files is in `attachments`.

`message/text` blocks until the text is in the Mac's database. Its `tempGuid` only keeps a second request out while the
first is in flight; sent again afterwards, the text goes out twice. AppleScript does not work at all from macOS 26 on.
"""

from dataclasses import dataclass
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
from posthaste.sandbox.numbers import normal
from posthaste.sandbox.render import message_json
from posthaste.sandbox.validation import NUMERIC, PRESENT, REQUIRED, STRING, at_least, one_of

APPLE_SCRIPT, PRIVATE_API = "apple-script", "private-api"
_DIRECT = "iMessage;-;"
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


@dataclass(frozen=True, slots=True)
class Words:
    """What a route says of its sends."""

    sent: str
    failed: str
    see: str


TEXT_WORDS = Words("Message sent!", "Message Send Error", "Failed to send message! See attached message error code.")


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
    if text.temp_guid and text.temp_guid in call.mac.in_flight:
        raise bad_request(f"Message is already queued to be sent! (Temp GUID: {text.temp_guid})")
    chat = chat_for(call, text.chat_guid, text.way)
    outcome = await deliver(call, chat, sending.Draft(text.message or "", temp_guid=text.temp_guid or None))
    if isinstance(outcome, sending.Failed) and text.way == PRIVATE_API:
        raise sent_with_error(call, outcome.row, text.temp_guid)
    return answered(call, outcome, TEXT_WORDS, text.temp_guid)


async def deliver(call: Call, chat: ChatOpened, draft: sending.Draft) -> sending.Outcome:
    """Send, and keep a second request with the same guid out until it is known what became of the first."""
    in_flight = call.mac.in_flight
    in_flight.add(draft.temp_guid or "")
    outcome: sending.Outcome | None = None
    try:
        outcome = await sending.send(call.world, call.mac, chat, draft)
    finally:
        if not isinstance(outcome, sending.TimedOut):
            in_flight.discard(draft.temp_guid or "")
    return outcome


async def find(call: Call) -> Response:
    row = call.mac.row_of(call.param("guid"))
    if row is None:
        raise not_found("Message does not exist!")
    names = call.query.get("with", "")
    with_chats, with_files = asks_for(names, "chat"), asks_for(names, "attachment")
    return success(data=message_json(call.mac, row, with_chats=with_chats, with_files=with_files))


async def search(call: Call) -> Response:
    validate(call.body, query.RULES)
    page = query.run(call.mac, query.parse(call.body))
    if page is None:
        return success(f"No chat found with GUID: {call.body['chatGuid']}", data=[])
    asked = call.body.get("with")
    names = ",".join(map(str, asked)) if isinstance(asked, list) else ""
    with_chats, with_files = asks_for(names, "chat"), asks_for(names, "attachment")
    return success(
        "Successfully fetched messages!",
        data=[message_json(call.mac, row, with_chats=with_chats, with_files=with_files) for row in page.rows],
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


def chat_for(call: Call, guid: str, way: str, words: Words = TEXT_WORDS) -> ChatOpened:
    """Return the conversation to send into, if this Mac can do so in this way."""
    if way == PRIVATE_API and not call.mac.settings.private_api:
        raise send_error("iMessage Private API is not enabled!", message=words.failed)
    if way == APPLE_SCRIPT and call.mac.is_tahoe:
        raise send_error(APPLE_SCRIPT_BROKEN, message=words.failed)
    chat = call.mac.chats.get(guid)
    if chat is None and way == APPLE_SCRIPT and guid.startswith(_DIRECT):
        # The script goes by the address when there is no conversation of that name.
        chat = call.world.open_chat(call.mac, normal(guid.removeprefix(_DIRECT)))
    if chat is None:
        raise send_error("Chat does not exist!", message=words.failed)
    return chat


def answered(call: Call, outcome: sending.Outcome, words: Words, temp_guid: str | None, *, with_files: bool = False) -> Response:
    """Answer a send; `temp_guid` is told back with the message."""
    match outcome:
        case sending.Sent(row):
            return success(words.sent, data=echo(call, row, temp_guid, with_files=with_files))
        case sending.Failed(row):
            raise send_error(words.see, message=words.failed, data=message_json(call.mac, row, with_chats=True))
        case sending.TimedOut():
            raise gateway_timeout()
        case sending.Died():
            raise ConnectionDied
        case _:
            assert_never(outcome)


def sent_with_error(call: Call, row: Row, temp_guid: str | None) -> Refusal:
    """Return what the server says of a message that the Private API sent and that failed."""
    said = "Message sent with an error. See attached message"
    return Refusal(500, said, Fault.IMESSAGE, "Message failed to send!", data=echo(call, row, temp_guid))


def echo(call: Call, row: Row, temp_guid: str | None, *, with_files: bool = False) -> dict[str, object]:
    """Return a message that was sent, as it is told back."""
    own: dict[str, object] = {"tempGuid": temp_guid} if temp_guid else {}
    return message_json(call.mac, row, with_chats=True, with_files=with_files) | own


def asks_for(names: str, what: str) -> bool:
    """Tell whether a `with` names something, in the singular or the plural."""
    return any(name.strip().lower().split(".")[0] in (what, f"{what}s") for name in names.split(","))


def _counted(call: Call) -> list[Row]:
    validate(call.query, _COUNT_RULES)
    wanted = query.Wanted(
        chat_guid=call.query.get("chatGuid") or None,
        after=float(call.query["after"]) if call.query.get("after") else None,
        before=float(call.query["before"]) if call.query.get("before") else None,
    )
    return query.matching(call.mac, wanted)
