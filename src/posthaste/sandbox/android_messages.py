"""The `/messages` routes of the SMS Gate app: send a text, and ask what became of it.

A message may be given an id by whoever sends it. A second one with the same id is refused and not sent, whatever it
says: that is what lets a program repeat a send whose answer it never got.
"""

from typing import assert_never

import msgspec
from starlette.responses import Response

from posthaste.sandbox import android_sending
from posthaste.sandbox.android import STATES, state_of
from posthaste.sandbox.android_call import AndroidCall, Refusal, answer, instant_asked, number, read_instant, require_own_device
from posthaste.sandbox.android_render import message_json
from posthaste.sandbox.android_sending import Asked
from posthaste.sandbox.connection import ConnectionDied

_PAGE = 50
_LONGEST_PAGE = 100
_LONGEST_ID = 36
_SIMS = range(1, 4)
_SHORTEST_TTL_S = 5


class Text(msgspec.Struct, frozen=True):
    text: str


class NewMessage(msgspec.Struct, frozen=True, rename="camel"):
    phone_numbers: list[str]
    id: str | None = None
    text_message: Text | None = None
    message: str | None = None
    data_message: msgspec.Raw | None = None
    with_delivery_report: bool | None = None
    sim_number: int | None = None
    priority: int = 0
    ttl: int | None = None
    valid_until: str | None = None
    device_id: str | None = None

    @property
    def text(self) -> str | None:
        return self.text_message.text if self.text_message else self.message


async def send(call: AndroidCall) -> Response:
    asked = _checked(call, await call.body(NewMessage))
    if asked.id in call.phone.messages:
        raise Refusal(409, "a message with this id exists")
    outcome = await android_sending.send(call.world, call.phone, asked)
    match outcome:
        case android_sending.Taken(sms):
            return answer(message_json(call.phone, sms), 202)
        case android_sending.Refused():
            raise Refusal(400, "the app does not send to this number")
        case android_sending.TimedOut():
            raise Refusal(504, "no answer in time")
        case android_sending.Died():
            raise ConnectionDied
        case _:
            assert_never(outcome)


async def find(call: AndroidCall) -> Response:
    sms = call.phone.messages.get(call.param("id"))
    # The app's own 404 has no body, and is not in its document.
    return Response(status_code=404) if sms is None else answer(message_json(call.phone, sms))


async def search(call: AndroidCall) -> Response:
    state = call.query.get("state") or None
    if state is not None and state not in STATES:
        raise Refusal(400, "there is no such state")
    require_own_device(call, call.query.get("deviceId"))
    since, until = instant_asked(call, "from", 0), instant_asked(call, "to", call.world.now_ms())
    found = [
        sms
        for sms in reversed(call.phone.messages.values())
        if since <= sms.created_at <= until and state in (None, state_of(sms))
    ]
    offset, limit = number(call, "offset", 0, 0, 2**31), number(call, "limit", _PAGE, 1, _LONGEST_PAGE)
    page = [message_json(call.phone, sms) for sms in found[offset : offset + limit]]
    return answer(page, headers={"X-Total-Count": str(len(found))})


def _checked(call: AndroidCall, new: NewMessage) -> Asked:
    require_own_device(call, new.device_id)
    if new.data_message is not None:
        raise Refusal(400, "data messages are not simulated")
    if (new.text_message is None) == (new.message is None):
        raise Refusal(400, "exactly one of textMessage and message must be given")
    if not new.text:
        raise Refusal(400, "the text is empty")
    if not new.phone_numbers:
        raise Refusal(400, "phoneNumbers is empty")
    if new.sim_number is not None and new.sim_number not in _SIMS:
        raise Refusal(400, "simNumber must be 1, 2 or 3")
    if new.ttl is not None and new.valid_until is not None:
        raise Refusal(400, "ttl and validUntil exclude each other")
    if new.id is not None and not 0 < len(new.id) <= _LONGEST_ID:
        raise Refusal(400, "id must have 1 to 36 characters")
    sms_id = new.id if new.id is not None else call.world.new_id()
    return Asked(sms_id, tuple(new.phone_numbers), new.text, new.with_delivery_report is not False, _valid_until(call, new))


def _valid_until(call: AndroidCall, new: NewMessage) -> int | None:
    if new.ttl is not None:
        if new.ttl < _SHORTEST_TTL_S:
            raise Refusal(400, f"ttl must be {_SHORTEST_TTL_S} at least")
        return call.world.now_ms() + new.ttl * 1000
    return None if new.valid_until is None else read_instant(new.valid_until, "validUntil")
