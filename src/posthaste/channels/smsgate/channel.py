"""SMS through an Android phone that runs SMS Gate (capcom6), at the phone itself or by a server in between.

How it is asked is in `asking`, the shapes of the answers are in `wire`, what they mean is in
`meaning`. The app takes a message under an id of ours and refuses a second one with the same, so nothing can be
sent twice. What would surprise: it posts webhooks to `https://` addresses alone (and to itself), so a phone at home may
report nothing by itself and is polled instead; and its health page needs no password and turns bad over a few failed
messages, so the list of webhooks is asked for in its place.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import quote

import httpx2

from posthaste.channels.base import Availability, Connection, Health, News, Order, Target, Trace, Unreachable
from posthaste.channels.http import Answer, Limits, unanswered
from posthaste.channels.ours import is_ours
from posthaste.channels.reading import read
from posthaste.channels.scrubbing import scrubbed_outcome
from posthaste.channels.since import MET_AT, met_at, reached, time_kept
from posthaste.channels.smsgate import meaning, wire
from posthaste.channels.smsgate.asking import Asking, Missing, NotTaken, Request, of_device, secrets_of
from posthaste.channels.turns import Turns
from posthaste.core.channels import Field, Form, Kind, Pace, Promises
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.messages import MessageType
from posthaste.core.outcomes import (
    Absent,
    CannotTell,
    Deferred,
    Finding,
    Outcome,
    Refusal,
    Rejected,
)
from posthaste.core.schedule import render_instant
from posthaste.core.signals import Signal

PHONE: Final = "phone"

# An MMS is not among these: its event does not name what its files are fetched by, so it comes by polling alone.
_EVENTS = ("sms:received", "sms:sent", "sms:delivered", "sms:failed")

# The network dates a text when it takes it, and a phone without reception gets older ones after newer ones.
_OVERLAP_MS = 3_600_000
# What came is known again for a day at the least, so that what is played again within one tells nothing new.
_FRESH_MS = 86_400_000
_TIMESTAMP_DIGITS = 12
_ANSWERED_AT = "answered_at"
_END_OF_TIME = "2100-01-01T00:00:00.000Z"


class SmsGate:
    """The channel. It remembers which phones do not take our webhooks, and whose receipts are asked for next."""

    kind = Kind(
        name="smsgate",
        title="an Android phone that runs SMS Gate",
        message_type=MessageType.SMS,
        promises=Promises(repeats_safely=True, can_find=True, can_check=False, has_receipts=True, has_attachments=False),
        fields=(
            Field("url", "the address of the app's local server, or of the API of a server in between", Form.URL, is_needed=True),
            Field("username", "the user name that the app shows", is_needed=True),
            Field("password", "the password that the app shows", is_needed=True, is_secret=True),
            Field("signingKey", "the key with which the app signs its webhooks", is_secret=True),
            Field(
                "simNumber",
                "the SIM to send with, and whose texts alone come in; if not given, the phone's default and all",
                choices=("1", "2", "3"),
            ),
            Field("phoneId", "the phone to send with, where one account has several"),
            Field("region", "the country of the SIM, such as US, for senders whose numbers come without it", default="US"),
        ),
        told_by=("url", "username", "phoneId", "simNumber"),
        # A request that was cut off is in the app's queue within moments, or never; this leaves room for a tunnel that
        # holds it back. What is in the queue may wait for reception much longer, but then it is found there.
        pace=Pace(arrival_ms=120_000),
    )

    def __init__(
        self,
        client: httpx2.AsyncClient,
        now_ms: Callable[[], int],
        *,
        answer_timeout_ms: int = 30_000,
        question_timeout_ms: int = 10_000,
        connect_timeout_ms: int = 5_000,
        answer_bytes: int = 32 * 1024 * 1024,
    ) -> None:
        questions = Limits(connect_timeout_ms, question_timeout_ms, answer_bytes)
        self._asking = Asking(client, questions)
        self._now_ms = now_ms
        self._sends = replace(questions, answer_ms=answer_timeout_ms)
        self._unheard: dict[str, str] = {}
        self._turns = Turns()

    # Sending

    async def prepare(self, device: Connection, order: Order) -> Target | Deferred | Rejected:
        """There is nothing to find out: a number is all that the phone needs."""
        return Target(PHONE, order.address)

    async def send(self, device: Connection, order: Order) -> Outcome:
        """Make the one request that sends; the app answers as soon as the text is in its queue."""
        if not order.text.strip():
            return Rejected(Refusal.BAD_CONTENT, "there is no text to send")
        if order.files:
            return Rejected(Refusal.BAD_CONTENT, "SMS Gate sends no attachments")
        result = await self._asking.exchange(device, _sending(device, order), self._sends)
        if not isinstance(result, Answer):
            return unanswered(result)
        return scrubbed_outcome(meaning.classify(result, order.key), secrets_of(device))

    # Finding

    async def find(self, device: Connection, trace: Trace) -> Finding:
        """Ask for the message by our own id."""
        try:
            return meaning.finding_of(await self._asking.message(device, trace.key))
        except Missing:
            return Absent()
        except Unreachable as error:
            return CannotTell(str(error))

    # Checking

    async def check(self, device: Connection, address: str) -> Availability:
        return Availability(None, "whether a number takes text messages shows when one is sent")

    async def ping(self, device: Connection) -> Health:
        """Ask whether the app answers to our password.

        Kept of the device are when it was met, for what came before the line was added is no reply to it, and when it
        answered last, for what came since may be known to the phone alone.
        """
        try:
            await self._asking.hooks(device)
        except Unreachable as error:
            return Health(False, str(error), device.options)
        now = self._now_ms()
        met = met_at(device, now, is_known="sms_gate" in device.options)
        return Health(True, self._state(device), {"sms_gate": True, MET_AT: met, _ANSWERED_AT: now})

    def _state(self, device: Connection) -> str:
        why = self._unheard.get(device.device_id)
        return "SMS Gate answers" + (f"; it is polled, for it does not take our webhooks: {why}" if why else "")

    # Listening

    async def listen(self, device: Connection) -> None:
        """Register one webhook an event under an id of its own, which replaces an earlier one; delete what else is ours.

        An address that the app does not take is no fault of the phone: everything then comes by polling. Texts that
        came while the app did not run are in the phone's own store alone, so it is told to look there, too, and to
        report them, for a later text may hide them from polling.
        """
        await self._register(device)
        answered_at = time_kept(device, _ANSWERED_AT)
        if answered_at:
            since = render_instant(_a_little_before(answered_at, device))
            body = {"since": since, "until": _END_OF_TIME, "triggerWebhooks": True, **of_device(device)}
            with suppress(Missing):  # The app is too old to be told.
                await self._asking.answer(device, Request("POST", "/inbox/refresh", body))

    async def _register(self, device: Connection) -> None:
        wanted = {_hook_id(device, event): event for event in _EVENTS}
        self._unheard.pop(device.device_id, None)
        try:
            for hook_id, event in wanted.items():
                body = {"id": hook_id, "url": device.hook_url, "event": event, **of_device(device)}
                await self._asking.answer(device, Request("POST", "/webhooks", body))
        except NotTaken as error:
            self._unheard[device.device_id] = str(error)
        for hook in await self._asking.hooks(device):
            if hook.id and hook.id not in wanted and is_ours(hook.url, device.hook_url, self.kind.name):
                await self._asking.answer(device, Request("DELETE", f"/webhooks/{quote(hook.id, safe='')}"))

    async def poll(self, device: Connection, cursor: int, open_ids: Sequence[str]) -> News:
        """Fetch what came since a little before `cursor` (the time of the newest text), and the states of open messages."""
        now = self._now_ms()
        inbox = await self._asking.inbox(device, _a_little_before(min(cursor, now), device))
        signals: list[Signal] = [signal for one in inbox for signal in meaning.inbound_of(one, _region(device), _sim(device))]
        ask = partial(self._receipt, device)
        signals += await self._turns.receipts(device.device_id, open_ids, ask, must_tell=False)
        return News(signals, reached(cursor, (one.at for one in inbox), now), is_complete=True)

    async def _receipt(self, device: Connection, message_id: str) -> Sequence[Signal]:
        try:
            return meaning.receipt_of(await self._asking.message(device, message_id))
        except Missing:  # The app forgets old messages.
            return ()

    def hear(self, device: Connection, call: HookCall) -> Heard | None:
        """Translate a webhook call, after its signature where the line has the key.

        The app signs each try anew, so that an old signature is a call that somebody plays again.
        """
        key = device.secrets.get("signingKey", "")
        if key and not (_is_signed(call, key) and _is_fresh(call, self._now_ms())):
            return None
        event = read(call.body, wire.Event)
        if event is None or not _is_of(device, event):
            return Heard(())
        return Heard(meaning.signals_of(event, _region(device), _sim(device)))

    async def download(self, device: Connection, ref: str, most_bytes: int) -> bytes:
        """Fetch a file of an MMS."""
        message_id, _, part_id = ref.rpartition("/")
        path = f"/inbox/{quote(message_id, safe='')}/attachments/{quote(part_id, safe='')}"
        return (await self._asking.answer(device, Request("GET", path), most_bytes)).body

    def forget(self, device_id: str) -> None:
        self._unheard.pop(device_id, None)
        self._turns.forget(device_id)

    async def close(self) -> None:
        return None


def _sending(device: Connection, order: Order) -> Request:
    body: dict[str, object] = {
        "id": order.key,
        "phoneNumbers": [order.address],
        "textMessage": {"text": order.text},
        "withDeliveryReport": True,
        **of_device(device),
    }
    if _sim(device):
        body["simNumber"] = _sim(device)
    if order.valid_until is not None:
        body["validUntil"] = render_instant(order.valid_until)
    # Ours is E.164 already; the phone's own idea of what is a number is as old as its app.
    return Request("POST", "/messages", body, {"skipPhoneValidation": "true"})


def _a_little_before(at: int, device: Connection) -> int:
    """Return from when on texts may not be known yet that came until `at`; none is of before the device was met."""
    return max(time_kept(device, MET_AT), at - _OVERLAP_MS, 0)


def _is_signed(call: HookCall, key: str) -> bool:
    """Tell whether a call carries the signature of its body and the time that it names."""
    timestamp = call.headers.get("x-timestamp", "").encode()
    expected = hmac.new(key.encode(), call.body + timestamp, hashlib.sha256).hexdigest()
    return hmac.compare_digest(call.headers.get("x-signature", "").lower().encode(), expected.encode())


def _is_fresh(call: HookCall, now: int) -> bool:
    """Tell whether a call was signed lately, by a phone whose clock may be off."""
    seconds = call.headers.get("x-timestamp", "")
    is_time = seconds.isascii() and seconds.isdecimal() and len(seconds) <= _TIMESTAMP_DIGITS
    return is_time and abs(now - int(seconds) * 1000) <= _FRESH_MS


def _is_of(device: Connection, event: wire.Event) -> bool:
    wanted = device.config.get("phoneId", "")
    return not wanted or event.device_id == wanted


def _hook_id(device: Connection, event: str) -> str:
    # At most 36 characters: one of our ids has 24.
    return f"{device.device_id[:24]}-{event.partition(':')[2]}"


def _sim(device: Connection) -> int | None:
    return int(device.config["simNumber"]) if device.config.get("simNumber") else None


def _region(device: Connection) -> str:
    return device.config.get("region") or "US"
