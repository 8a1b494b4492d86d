"""iMessage without a Mac, through Sendblue.

How it is asked is in `asking`, the shapes of the answers are in `wire`, what they mean is in `meaning`, and webhooks are
in `hooks`. What would surprise: Sendblue knows no idempotency key, so a lost answer is looked up in its list of messages,
and our marker travels in the address of the status callback; a message carries one file; and webhooks belong to the
account, not to a number, so each line registers its own and takes only what is for its number.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2

from posthaste.channels.base import Availability, Connection, Health, News, Order, Sender, Target, Trace, Unreachable
from posthaste.channels.fetch.fetcher import Fetched, Fetcher
from posthaste.channels.http import Answer, Limits, exchange, unanswered
from posthaste.channels.ours import is_ours
from posthaste.channels.reading import read
from posthaste.channels.sendblue import meaning, wire
from posthaste.channels.sendblue.asking import BASE_URL, Asking, Request, base_url, good
from posthaste.channels.sendblue.hooks import HOOK_KINDS, hook_json, hook_of, is_proven
from posthaste.channels.sendblue.wire import Row
from posthaste.channels.since import reached
from posthaste.channels.turns import Turns
from posthaste.core.channels import Field, Form, Kind, Promises
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.messages import MessageType
from posthaste.core.outcomes import Absent, CannotTell, Deferred, Finding, Outcome, Refusal, Rejected
from posthaste.core.schedule import render_instant
from posthaste.core.signals import Signal

PHONE: Final = "phone"

_MARKER = "marker"
_LONGEST_TEXT = 18_996

# Sendblue's clock is not ours.
_CLOCK_MARGIN_MS = 15 * 60_000
# A message may be shown later than one that was made after it; what comes twice is absorbed.
_OVERLAP_MS = 10 * 60_000


class Sendblue:
    """The channel. It remembers nothing but whose receipts are asked for next."""

    kind = Kind(
        name="sendblue",
        title="Sendblue",
        message_type=MessageType.IMESSAGE,
        promises=Promises(repeats_safely=False, can_find=True, can_check=True, has_receipts=True, has_attachments=True),
        fields=(
            Field("apiKeyId", "the API key (sb-api-key-id)", is_needed=True),
            Field("apiSecretKey", "the API secret (sb-api-secret-key)", is_needed=True, is_secret=True),
            Field("fromNumber", "the Sendblue number of this line, where the account has several; as +16285551000", Form.PHONE),
            Field("webhookSecret", "the secret that webhooks have to carry (sb-signing-secret)", is_secret=True),
            Field("baseUrl", "where the API is", Form.URL, default=BASE_URL),
        ),
        told_by=("apiKeyId", "baseUrl", "fromNumber"),
    )

    def __init__(
        self,
        client: httpx2.AsyncClient,
        now_ms: Callable[[], int],
        fetcher: Fetcher,
        *,
        answer_timeout_ms: int = 60_000,
        question_timeout_ms: int = 10_000,
        connect_timeout_ms: int = 5_000,
        answer_bytes: int = 8 * 1024 * 1024,
    ) -> None:
        self._client, self._now_ms, self._fetcher = client, now_ms, fetcher
        questions = Limits(connect_timeout_ms, question_timeout_ms, answer_bytes)
        self._asking = Asking(client, questions)
        self._sends = replace(questions, answer_ms=answer_timeout_ms)
        self._turns = Turns()

    # Sending

    async def prepare(self, device: Connection, order: Order) -> Target | Deferred | Rejected:
        """Nothing has to be asked; what Sendblue cannot carry is refused here."""
        return _objection(order) or Target(PHONE, _way_of(device, order.sender))

    async def send(self, device: Connection, order: Order) -> Outcome:
        """Make the one request that sends."""
        if objection := _objection(order):
            return objection
        request = Request("POST", "/api/send-message", _sending(device, order))
        result = await self._asking.exchange(device, request, self._sends)
        return meaning.classify(result) if isinstance(result, Answer) else unanswered(result)

    # Finding

    async def find(self, device: Connection, trace: Trace) -> Finding:
        """Look through the messages to this person from about the hand-over on, where it went from and nowhere else."""
        if trace.target.chat != _way_of(device, trace.sender):
            return CannotTell("the line has another account or number now than when it was sent")
        not_before = max(trace.handed_at - _CLOCK_MARGIN_MS, 0)
        query = {"number": trace.address, "is_outbound": "true", "created_at_gte": render_instant(not_before)}
        try:
            listed = await self._asking.rows(device, query)
        except Unreachable as error:
            return CannotTell(str(error))
        finding = meaning.finding_among(listed.rows, trace, _own_number(device, trace.sender), not_before)
        if isinstance(finding, Absent) and not listed.is_whole:
            return CannotTell("too many messages have gone to this person since to look through")
        if isinstance(finding, Absent) and not listed.is_clear:
            return CannotTell("Sendblue shows a message that this version cannot read")
        return finding

    # Checking

    async def check(self, device: Connection, address: str) -> Availability:
        """Ask whether a number is on iMessage."""
        if not _is_number(address):
            return Availability(False, "Sendblue writes to phone numbers alone")
        try:
            request = Request("GET", "/api/evaluate-service", query={"number": address})
            service = (await self._asking.ask(device, request, wire.Evaluation)).service
        except Unreachable as error:
            return Availability(None, str(error))
        match service:
            case "iMessage":
                return Availability(True, "on iMessage")
            case "SMS" | "RCS":
                return Availability(False, "not on iMessage")
            case _:
                return Availability(None, "Sendblue did not say")

    async def ping(self, device: Connection) -> Health:
        """Ask for the webhooks, which takes the key and does nothing. What was written before the line was added is not ours."""
        try:
            await self._asking.ask(device, Request("GET", "/api/account/webhooks"), wire.Account)
        except Unreachable as error:
            return Health(False, str(error), device.options)
        return Health(True, "Sendblue takes the API key", device.options, self._now_ms())

    # Listening

    async def listen(self, device: Connection) -> None:
        """Register our webhooks; those of ours that are otherwise are replaced, and other people's stay."""
        hooks = (await self._asking.ask(device, Request("GET", "/api/account/webhooks"), wire.Account)).webhooks or wire.Hooks()
        for kind in HOOK_KINDS:
            wanted = hook_of(device, kind)
            ours = [one for one in hooks.of(kind) if is_ours(one.url, device.hook_url, self.kind.name)]
            if ours == [wanted]:
                continue
            if ours:
                urls = list(dict.fromkeys(one.url for one in ours))
                await self._asking.good(device, Request("DELETE", "/api/account/webhooks", {"webhooks": urls, "type": kind}))
            body = {"webhooks": [hook_json(wanted)], "type": kind}
            await self._asking.good(device, Request("POST", "/api/account/webhooks", body))

    async def poll(self, device: Connection, cursor: int, open_ids: Sequence[str]) -> News:
        """Fetch what people wrote since the cursor, and some receipts of what is open."""
        news = await self._written(device, cursor) if cursor else News((), cursor, is_complete=True)
        ask = partial(self._receipt, device)
        receipts = await self._turns.receipts(device.device_id, open_ids, ask, must_tell=not cursor)
        return replace(news, signals=[*news.signals, *receipts])

    async def _written(self, device: Connection, cursor: int) -> News:
        now = self._now_ms()
        since = max(min(cursor, now) - _OVERLAP_MS, 1)
        query = {"is_outbound": "false", "created_at_gte": render_instant(since), **_of_number(device)}
        listed = await self._asking.rows(device, query)
        signals = [signal for row in listed.rows for signal in meaning.inbound_of(row)]
        until = reached(cursor, (row.made_at or 0 for row in listed.rows), now)
        # Where no time is told, the next page would be the same again.
        return News(signals, until, is_complete=listed.is_whole or until == cursor)

    def hear(self, device: Connection, call: HookCall) -> Heard | None:
        """Translate a webhook that is Sendblue's."""
        if not is_proven(device, call):
            return None
        marker = dict(parse_qsl(call.query)).get(_MARKER)
        return Heard(meaning.report_of(call.body, marker, device.config.get("fromNumber", "")))

    async def download(self, device: Connection, ref: str, most_bytes: int) -> bytes:
        """Fetch a file without our key: from the API's own host, which is called anyway, or else past the guard."""
        url, base = urlsplit(ref), urlsplit(base_url(device))
        if (url.scheme, url.netloc) == (base.scheme, base.netloc):
            return await self._own_file(ref, most_bytes)
        if url.scheme != "https":
            raise Unreachable("the file is not at an address that is fetched from")
        content = bytearray()
        found = await self._fetcher.fetch(ref, content.extend)
        if not isinstance(found, Fetched):
            raise Unreachable(f"the file cannot be had: {found.detail}")
        if len(content) > most_bytes:
            raise Unreachable("the file is too large")
        return bytes(content)

    async def _own_file(self, ref: str, most_bytes: int) -> bytes:
        limits = replace(self._sends, answer_bytes=most_bytes)
        result = await exchange(self._client, "GET", ref, query={}, content=None, limits=limits)
        if not isinstance(result, Answer):
            raise Unreachable(result.why)
        if result.status != 200:
            raise Unreachable(f"the file cannot be had (status {result.status})")
        return result.body

    def forget(self, device_id: str) -> None:
        self._turns.forget(device_id)

    async def close(self) -> None:
        return None

    # Asking

    async def _receipt(self, device: Connection, handle: str) -> Sequence[Signal]:
        answer = await self._asking.answer(device, Request("GET", "/api/status", query={"handle": handle}))
        # Something about this one message; the others must not wait for it.
        if answer.status in (400, 404):
            return ()
        row = read(good(answer).body, Row)
        return () if row is None else meaning.receipt_of(row)


def _of_number(device: Connection) -> Mapping[str, str]:
    number = device.config.get("fromNumber", "")
    return {"sendblue_number": number} if number else {}


def _own_number(device: Connection, sender: Sender) -> str | None:
    """Return the number that a line's messages go from, where it is known."""
    return device.config.get("fromNumber") or sender.phone


def _way_of(device: Connection, sender: Sender) -> str:
    """Name the account and the number that a message goes from, the only place where it can be found again."""
    return f"{device.config.get('apiKeyId', '')}/{_own_number(device, sender) or ''}"


def _is_number(address: str) -> bool:
    return address.startswith("+")


def _objection(order: Order) -> Rejected | None:
    """Return why Sendblue cannot carry an order."""
    if not _is_number(order.address):
        return Rejected(Refusal.NOT_ON_CHANNEL, "Sendblue writes to phone numbers alone")
    if not order.text.strip() and not order.files:
        return Rejected(Refusal.BAD_CONTENT, "there is no text to send")
    if len(order.text) > _LONGEST_TEXT:
        return Rejected(Refusal.BAD_CONTENT, f"Sendblue takes {_LONGEST_TEXT:,} characters at most")
    if len(order.files) > 1:
        return Rejected(Refusal.BAD_CONTENT, "Sendblue takes one file a message; send the second one by itself")
    return None


def _sending(device: Connection, order: Order) -> Mapping[str, object]:
    body: dict[str, object] = {"number": order.address, "content": order.text}
    sender = _own_number(device, order.sender)
    if sender:
        body["from_number"] = sender
    if order.files:
        body["media_url"] = order.files[0].url
    if device.hook_url:
        body["status_callback"] = f"{device.hook_url}?{urlencode({_MARKER: order.marker})}"
    return body
