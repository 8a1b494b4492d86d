"""SMS and MMS through Twilio.

This file asks; the shapes of the answers are in `wire`, what they mean is in `meaning`. What would surprise:
Twilio knows no idempotency key, so a lost answer is looked up in its list of messages, and our marker travels in the
address of the status callback, by which even an attempt in doubt is known again; callbacks are signed with the account's
token over the whole address and every field; and Twilio refuses a message whose callback address is not a public one,
so such an address is left out and receipts are polled.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeVar
from urllib.parse import urlencode

import httpx2

from posthaste.channels.base import Availability, Connection, Health, News, Order, Target, Trace, Unreachable
from posthaste.channels.http import Answer, Limits, NeverLeft, NoAnswer, exchange, unanswered
from posthaste.channels.reading import understood
from posthaste.channels.turns import Turns
from posthaste.channels.twilio import meaning, wire
from posthaste.channels.twilio.setup import (
    account_path,
    authorization,
    base_url,
    check,
    is_public,
    number_of,
    pool_of,
    token_of,
    way_of,
)
from posthaste.channels.twilio.signature import is_signed
from posthaste.channels.twilio.wire import Row
from posthaste.core.channels import Field, Form, Kind, Pace, Promises
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.messages import MessageType
from posthaste.core.outcomes import CannotTell, Deferred, Finding, Outcome, Refusal, Rejected
from posthaste.core.signals import Inbound, Signal

SMS: Final = "sms"
_MARKER = "marker"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_TWIML = b'<?xml version="1.0" encoding="UTF-8"?><Response/>'

_FILES_AT_MOST = 10
_PAGE_ROWS = 200
_LOOK_PAGES = 5
_INBOUND_PAGES = 20
# The same message may carry an earlier time than one that came before it; what comes twice is absorbed.
_OVERLAP_MS = 10 * 60_000
_LONGEST_WAIT_S = 36_000
_REDIRECTS = 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Request:
    """A request below the account; `form` is what is sent, `query` what is asked."""

    method: str
    path: str
    form: Sequence[tuple[str, str]] | None = None
    query: Mapping[str, str] = field(default_factory=dict)


class _Missing(Unreachable):
    """Twilio itself answered that there is no such thing."""


class Twilio:
    """The channel. It keeps only whose turn it is to be asked about."""

    kind = Kind(
        name="twilio",
        title="Twilio",
        message_type=MessageType.SMS,
        promises=Promises(repeats_safely=False, can_find=True, can_check=False, has_receipts=True, has_attachments=True),
        fields=(
            Field("accountSid", "the account's id, which begins with AC", is_needed=True),
            Field(
                "authToken",
                "the account's auth token, by which reports are proven to be Twilio's",
                is_needed=True,
                is_secret=True,
            ),
            Field("apiKeySid", "the id of an API key, which begins with SK, to send with instead of the auth token"),
            Field("apiKeySecret", "the secret of that API key", is_secret=True, asked_with="apiKeySid"),
            Field("messagingServiceSid", "the id of a messaging service, which begins with MG, to send through"),
            Field("number", "the Twilio number, as +16285550123: its replies are led to Posthaste, and polled when one was lost"),
            Field("baseUrl", "the address of Twilio's API, if another region's", Form.URL, default="https://api.twilio.com"),
        ),
        told_by=("accountSid", "messagingServiceSid", "number"),
        # Twilio queues for each sender at the rate that its carriers allow, so that nothing is to be paced here. It makes the
        # message while it answers, within a second or so; a request that we gave up after 45 s may lie in the network for
        # about two minutes more before the system drops it. Attachments are fetched afterwards.
        pace=Pace(gap_ms=0, contact_gap_ms=0, max_in_flight=8, arrival_ms=180_000),
        check=check,
    )

    def __init__(
        self,
        client: httpx2.AsyncClient,
        now_ms: Callable[[], int],
        *,
        answer_timeout_ms: int = 30_000,
        question_timeout_ms: int = 10_000,
        connect_timeout_ms: int = 5_000,
        answer_bytes: int = 8 * 1024 * 1024,
    ) -> None:
        self._client, self._now_ms = client, now_ms
        self._questions = Limits(connect_timeout_ms, question_timeout_ms, answer_bytes)
        self._sends = replace(self._questions, answer_ms=answer_timeout_ms)
        self._turns = Turns()

    # Sending

    async def prepare(self, device: Connection, order: Order) -> Target | Deferred | Rejected:
        """Refuse what Twilio would surely refuse; there is nothing to ask."""
        if not pool_of(device) and not order.sender.phone:
            return Rejected(Refusal.UNAUTHORIZED, "the line has neither a number nor a messaging service to send from")
        if not order.text.strip() and not order.files:
            return Rejected(Refusal.BAD_CONTENT, "there is no text to send")
        if len(order.files) > _FILES_AT_MOST:
            return Rejected(Refusal.BAD_CONTENT, f"an MMS carries {_FILES_AT_MOST} attachments at most")
        return Target(SMS, way_of(device, order.sender.phone))

    async def send(self, device: Connection, order: Order) -> Outcome:
        """Make the one request that sends."""
        fields = _fields(device, order, self._now_ms())
        result = await self._exchange(device, _Request("POST", "/Messages.json", fields), self._sends)
        return meaning.classify(result) if isinstance(result, Answer) else unanswered(result)

    # Finding

    async def find(self, device: Connection, trace: Trace) -> Finding:
        """Look through the messages to this person, newest first, down to the time of the hand-over.

        They are not filtered by date: Twilio filters by the date of sending, which a message in its queue does not have yet.
        """
        if trace.target.chat != way_of(device, trace.sender.phone):
            return CannotTell("the line has another account or sender now than when it was sent")
        query = {"To": trace.address, "PageSize": str(_PAGE_ROWS)}
        if not pool_of(device) and trace.sender.phone:
            query["From"] = trace.sender.phone
        try:
            rows, is_whole = await self._rows(device, query, meaning.earliest(trace), _LOOK_PAGES)
        except Unreachable as error:
            return CannotTell(str(error))
        if not is_whole:
            return CannotTell("too many messages have gone to this person since to look through")
        return meaning.finding_among(rows, trace, pool_of(device))

    # Checking

    async def check(self, device: Connection, address: str) -> Availability:
        return Availability(None, "an SMS can be sent to any mobile number")

    async def ping(self, device: Connection) -> Health:
        """Ask whether the account may send and, where a number is named, whether it is the account's.

        The time of Twilio's answer is where polling for replies begins.
        """
        try:
            answer = await self._answer(device, _Request("GET", ".json"))
            account = _shaped(answer, wire.Account)
            if account.status != "active":
                raise Unreachable(f"the Twilio account is {account.status or 'in an unknown state'}")
            if number_of(device):
                await self._number(device)
        except Unreachable as error:
            return Health(False, str(error), device.options)
        return Health(True, _state(device, account), {"type": account.type}, wire.instant(answer.headers.get("date")))

    # Listening

    async def listen(self, device: Connection) -> None:
        """Lead what people write to the line's number to us. Without a number that is left to whoever set the line up."""
        if not number_of(device) or not is_public(device.hook_url):
            return
        number = await self._number(device)
        if number.sms_url == device.hook_url and number.sms_method == "POST" and not number.sms_application_sid:
            return
        form = [("SmsUrl", device.hook_url), ("SmsMethod", "POST"), ("SmsApplicationSid", "")]
        await self._answer(device, _Request("POST", f"/IncomingPhoneNumbers/{number.sid}.json", form))

    async def poll(self, device: Connection, cursor: int, open_ids: Sequence[str]) -> News:
        """Fetch what people wrote to the line's number since the cursor, and some receipts of what is open."""
        written = await self._written(device, cursor) if cursor and number_of(device) else []
        sids, ask = [one for one in open_ids if one.isalnum()], partial(self._receipt, device)
        receipts = await self._turns.receipts(device.device_id, sids, ask, must_tell=not number_of(device))
        return News([*written, *receipts], max([cursor, *(one.at for one in written)]), is_complete=True)

    def hear(self, device: Connection, call: HookCall) -> Heard | None:
        """Translate a callback that is signed with the account's token; the answer says that there is nothing to reply."""
        if not is_signed(call, device.hook_url, token_of(device)):
            return None
        query = wire.form(call.query)
        fields = dict(query if call.method == "GET" else wire.form(call.body.decode(errors="replace")))
        signals = meaning.heard(fields, dict(query).get(_MARKER), self._now_ms())
        return Heard(signals, 200, _TWIML, b"text/xml")

    async def download(self, device: Connection, ref: str, most_bytes: int) -> bytes:
        """Fetch a file from Twilio, which sends on to where it keeps files; the credentials do not go there."""
        if not ref.startswith(f"{account_path(device)}/Messages/"):
            raise Unreachable("the file is not one of this Twilio account")
        url, headers = base_url(device) + ref, dict(authorization(device))
        limits = replace(self._sends, answer_bytes=most_bytes)
        for _ in range(_REDIRECTS + 1):
            result = await exchange(self._client, "GET", url, query={}, content=None, limits=limits, headers=headers)
            if not isinstance(result, Answer):
                raise Unreachable(result.why)
            if result.status == 200:
                return result.body
            url, headers = _next_url(device, url, result), {}
        raise Unreachable("the file was sent on from place to place")

    def forget(self, device_id: str) -> None:
        self._turns.forget(device_id)

    async def close(self) -> None:
        return None

    # Asking

    async def _number(self, device: Connection) -> wire.PhoneNumber:
        request = _Request("GET", "/IncomingPhoneNumbers.json", query={"PhoneNumber": number_of(device)})
        numbers = _shaped(await self._answer(device, request), wire.PhoneNumbers).incoming_phone_numbers
        found = next((one for one in numbers if one.phone_number == number_of(device)), None)
        if found is None:
            raise Unreachable(f"{number_of(device)} is not a number of this Twilio account")
        return found

    async def _rows(self, device: Connection, query: Mapping[str, str], since: int, pages: int) -> tuple[list[Row], bool]:
        """Return messages of a list down to an instant, newest first, and whether these are all."""
        rows: list[Row] = []
        for _ in range(pages):
            page = _shaped(await self._answer(device, _Request("GET", "/Messages.json", query=query)), wire.Page)
            rows += page.messages
            is_past = bool(page.messages) and all(row.made_at is not None and row.made_at < since for row in page.messages)
            if is_past or not page.next_page_uri:
                return rows, True
            query = wire.query_of(page.next_page_uri)
        return rows, False

    async def _written(self, device: Connection, cursor: int) -> Sequence[Inbound]:
        """Return what people wrote since the cursor, oldest first."""
        since = max(cursor - _OVERLAP_MS, 0)
        query = {"To": number_of(device), "DateSent>": wire.day_and_time(since), "PageSize": str(_PAGE_ROWS)}
        rows, _ = await self._rows(device, query, since, _INBOUND_PAGES)
        fresh = [row for row in reversed(rows) if row.is_written and (row.made_at or since) >= since]
        return [meaning.inbound_of(row, await self._media(device, row), account_path(device)) for row in fresh]

    async def _media(self, device: Connection, row: Row) -> Sequence[wire.Medium]:
        if not row.media:
            return ()
        try:
            answer = await self._answer(device, _Request("GET", f"/Messages/{row.sid}/Media.json"))
        except _Missing:
            return ()  # It was deleted at Twilio meanwhile.
        return _shaped(answer, wire.Media).media_list

    async def _receipt(self, device: Connection, sid: str) -> Sequence[Signal]:
        try:
            return meaning.receipt_of(_shaped(await self._answer(device, _Request("GET", f"/Messages/{sid}.json")), Row))
        except _Missing:
            return ()  # It was deleted at Twilio.

    async def _answer(self, device: Connection, request: _Request) -> Answer:
        """Ask something harmless; raise `Unreachable` for every answer but a good one."""
        match await self._exchange(device, request, self._questions):
            case NeverLeft(why) | NoAnswer(why):
                raise Unreachable(why)
            case Answer(status=status) as answer if 200 <= status < 300:
                return answer
            case Answer(status=404) as answer if request.path.startswith("/Messages/"):
                raise _Missing(meaning.complaint(answer))
            case Answer() as answer:
                raise Unreachable(meaning.complaint(answer))

    async def _exchange(self, device: Connection, request: _Request, limits: Limits) -> Answer | NeverLeft | NoAnswer:
        return await exchange(
            self._client,
            request.method,
            f"{base_url(device)}{account_path(device)}{request.path}",
            query=request.query,
            content=None if request.form is None else urlencode(request.form).encode(),
            limits=limits,
            headers={**authorization(device), **({} if request.form is None else _FORM)},
        )


def _fields(device: Connection, order: Order, now: int) -> list[tuple[str, str]]:
    sender = ("MessagingServiceSid", pool_of(device)) if pool_of(device) else ("From", order.sender.phone or "")
    fields = [("To", order.address), sender]
    if order.text.strip():
        fields.append(("Body", order.text))
    fields += [("MediaUrl", file.url) for file in order.files]
    if order.valid_until is not None:
        fields.append(("ValidityPeriod", str(_seconds_left(order.valid_until, now))))
    if is_public(device.hook_url):
        fields.append(("StatusCallback", f"{device.hook_url}?{urlencode({_MARKER: order.marker})}"))
    return fields


def _seconds_left(until: int, now: int) -> int:
    """Return how long a message may wait in Twilio's queue, within the bounds that Twilio has for that."""
    return max(1, min((until - now) // 1000, _LONGEST_WAIT_S))


def _next_url(device: Connection, url: str, answer: Answer) -> str:
    """Return where a file is to be fetched instead; a way that was encrypted stays so."""
    if not 300 <= answer.status < 400:
        raise Unreachable(meaning.complaint(answer))
    target = httpx2.URL(url).join(answer.headers.get("location", ""))
    schemes = ("https",) if base_url(device).startswith("https:") else ("http", "https")
    if target.scheme not in schemes or not target.host:
        raise Unreachable("the file was sent on to an address that is not followed")
    return str(target)


def _state(device: Connection, account: wire.Account) -> str:
    kind = "the account, a trial that writes to verified numbers only," if account.type == "Trial" else "the account"
    sender = "a messaging service" if pool_of(device) else "the line's number"
    ways = "reports come by webhook" if is_public(device.hook_url) or not device.hook_url else "reports are polled for"
    return f"{kind} is active, sends from {sender}; {ways}"


def _shaped(answer: Answer, shape: type[T]) -> T:
    return understood(answer.body, shape, "Twilio")
