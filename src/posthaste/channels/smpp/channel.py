"""SMS at a carrier, by SMPP 3.4.

This file asks; the session is in `session` and `link`, what is kept for a device in `desk`, what comes in is taken by
`taking`, what numbers mean is in `meaning`. What would surprise: one session per device stands for as long as the process
lives; a text whose answer never came stays unknown for good, because hardly any centre can be asked; and of a long text that
goes as several messages only some may have been taken, which is neither sent nor not sent.
"""

import asyncio
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from posthaste.channels.base import (
    Availability,
    Connection,
    Health,
    Inbox,
    News,
    Order,
    Target,
    Trace,
    Unreachable,
)
from posthaste.channels.http import NeverLeft, NoAnswer, unanswered
from posthaste.channels.smpp import wire
from posthaste.channels.smpp.desk import Desk, Settings
from posthaste.channels.smpp.ids import Receipts
from posthaste.channels.smpp.link import Link, Pauses
from posthaste.channels.smpp.meaning import THROTTLED, destination_of, outcome_of, source_of
from posthaste.channels.smpp.session import Limits, NotBoundError, Place, Session, open_session
from posthaste.channels.smpp.taking import Taking
from posthaste.channels.smpp.text import ASCII, GSM, LATIN, alphabet_of, encoded, fits_alone, parts_of
from posthaste.channels.smpp.text import Place as PartPlace
from posthaste.channels.smpp.wire import Pdu, Submission
from posthaste.core.channels import Field, Form, Kind, Pace, Promises, Setup
from posthaste.core.errors import Refused
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.messages import MessageType
from posthaste.core.outcomes import (
    Accepted,
    Ambiguous,
    CannotTell,
    Deferred,
    Finding,
    Outcome,
    Refusal,
    Rejected,
)

PHONE: Final = "phone"

_TRANSCEIVER, _TRANSMITTER = "transceiver", "transmitter"
_PAYLOAD, _SEGMENTS = "payload", "segments"
_TONS = tuple(str(number) for number in range(7))
_NPIS = ("0", "1", "3", "4", "6", "8", "9", "10", "14", "18")
_LAST_PORT = 65_535
_MOST_CHARACTERS = {"systemId": 15, "password": 8, "systemType": 12}
_MOST_PARTS = 255
_MOST_PAYLOAD_BYTES = 64_000
_PART_TRIES = 6
# Centres keep a text for some days, and some refuse one that is to be kept for longer.
_LONGEST_KEPT_MS = 7 * 86_400_000
_RECEIPT_IDS = "receipt_ids"


def _check(setup: Setup) -> None:
    """Refuse what the protocol has no room for."""
    if not 0 < int(setup.config["port"]) <= _LAST_PORT:
        raise Refused(f"port must be 1 to {_LAST_PORT}, got {setup.config['port']}", code="INVALID_VALUE")
    for name, most in _MOST_CHARACTERS.items():
        value = {**setup.config, **setup.secrets}.get(name, "")
        if len(value) > most or not value.isascii():
            raise Refused(f"{name} must be {most} ASCII characters at most, which is SMPP's limit", code="INVALID_VALUE")


class Smpp:
    """The channel. It keeps a session per device, and what is needed to know receipts and repeats again."""

    kind = Kind(
        name="smpp",
        title="a carrier's message centre (SMPP 3.4)",
        message_type=MessageType.SMS,
        promises=Promises(
            repeats_safely=False, can_find=False, can_check=False, has_receipts=True, has_attachments=False, has_webhooks=False
        ),
        fields=(
            Field("host", "the address of the message centre, a name or an IP address", is_needed=True),
            Field("port", "its port", Form.NUMBER, default="2775"),
            Field("tls", "whether the connection is encrypted", Form.FLAG, default="false"),
            Field("systemId", "who we are to the carrier, 15 characters at most", is_needed=True),
            Field("password", "the password to it, 8 characters at most", is_needed=True, is_secret=True),
            Field("systemType", "the system type, where the carrier asks for one"),
            Field(
                "bindMode",
                "transceiver sends and receives; transmitter only sends, without receipts and replies",
                default=_TRANSCEIVER,
                choices=(_TRANSCEIVER, _TRANSMITTER),
            ),
            Field("source", "a short code or name to send from, where that is not the line's phone"),
            Field("sourceTon", "type of number of the source; by its looks unless given", choices=_TONS),
            Field("sourceNpi", "numbering plan of the source; by its looks unless given", choices=_NPIS),
            Field("destTon", "type of number of recipients", default="1", choices=_TONS),
            Field("destNpi", "numbering plan of recipients", default="1", choices=_NPIS),
            Field(
                "longText",
                "a text longer than one SMS goes whole (payload) and the carrier splits it, or as segments that phones join",
                default=_PAYLOAD,
                choices=(_PAYLOAD, _SEGMENTS),
            ),
            Field(
                "defaultEncoding",
                "the carrier's default alphabet; in latin_1 and ascii an SMS has 140 characters, not 160",
                default=GSM,
                choices=(GSM, LATIN, ASCII),
            ),
            Field("throughput", "messages a second that the carrier allows; 0: no limit of ours", Form.NUMBER, default="0"),
        ),
        told_by=("host", "port", "systemId", "source"),
        # What a centre took may reach the phone days later; the hand-over itself is over when the session is.
        pace=Pace(gap_ms=0, contact_gap_ms=0, max_in_flight=8, arrival_ms=60_000),
        check=_check,
    )

    def __init__(
        self,
        inbox: Inbox,
        now_ms: Callable[[], int],
        *,
        answer_timeout_ms: int = 60_000,
        question_timeout_ms: int = 10_000,
        connect_timeout_ms: int = 5_000,
        idle_ms: int = 30_000,
        part_pause_ms: int = 500,
        pauses: Pauses | None = None,
    ) -> None:
        self._inbox, self._now_ms = inbox, now_ms
        self._limits = Limits(connect_timeout_ms, question_timeout_ms, answer_timeout_ms, idle_ms)
        self._part_pause_ms = part_pause_ms
        self._pauses = pauses or Pauses()
        self._desks: dict[str, Desk] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    # Sending

    async def prepare(self, device: Connection, order: Order) -> Target | Deferred | Rejected:
        """Make sure of what is sent, and of the session, before the hand-over is written down."""
        composed = _composed(device, order, self._now_ms())
        if isinstance(composed, Rejected):
            return composed
        try:
            await self._desk(device).link.session()
        except NotBoundError as error:
            return Deferred(str(error), device_is_down=True)
        return Target(PHONE, order.address)

    async def send(self, device: Connection, order: Order) -> Outcome:
        """Submit the text; one that goes in parts goes part after part, so that a refusal of the first is clear."""
        composed = _composed(device, order, self._now_ms())
        if isinstance(composed, Rejected):
            return composed
        desk = self._desk(device)
        with desk.sending():
            return await self._submit(desk, device, composed, order)

    async def _submit(self, desk: Desk, device: Connection, composed: Sequence[Submission], order: Order) -> Outcome:
        try:
            session = await desk.link.session()
        except NotBoundError as error:
            return Deferred(str(error), device_is_down=True)
        await desk.turn(int(device.config.get("throughput") or 0), len(composed))
        if len(composed) > 1:
            return await self._send_parts(desk, session, composed, order)
        on_late = partial(desk.taking.take_late, marker=order.marker)
        outcome = _outcome(await session.ask(wire.write_submission(composed[0]), self._limits.answer_ms, on_late), order)
        if isinstance(outcome, Accepted):
            desk.receipts.sent([outcome.external_id])
        return outcome

    async def _send_parts(self, desk: Desk, session: Session, parts: Sequence[Submission], order: Order) -> Outcome:
        """Once the first part was taken, nothing but all of them is a clear answer."""
        ids: list[str] = []
        for part in parts:
            outcome = await self._send_part(session, part, order, is_first=not ids)
            if not isinstance(outcome, Accepted):
                return outcome if not ids else Ambiguous(f"{len(ids)} of {len(parts)} parts were taken; {outcome.detail}")
            ids.append(outcome.external_id)
        return Accepted(desk.receipts.sent(ids))

    async def _send_part(self, session: Session, part: Submission, order: Order, *, is_first: bool) -> Outcome:
        """Send a part; a later one that is throttled, and so surely was not taken, is brought again a few times."""
        pause_ms = self._part_pause_ms
        for _ in range(_PART_TRIES):
            result = await session.ask(wire.write_submission(part), self._limits.answer_ms)
            if is_first or not isinstance(result, Pdu) or result.status not in THROTTLED:
                break
            await asyncio.sleep(pause_ms / 1000)
            pause_ms *= 2
        return _outcome(result, order)

    # Finding

    async def find(self, device: Connection, trace: Trace) -> Finding:
        """Hardly any centre answers `query_sm`, and none without the id that we do not have."""
        return CannotTell("a message centre cannot be asked")

    # Checking

    async def check(self, device: Connection, address: str) -> Availability:
        return Availability(None, "any phone may take an SMS")

    async def ping(self, device: Connection) -> Health:
        """Bind if need be, and ask the centre whether it is there."""
        desk = self._desk(device)
        try:
            session = await desk.link.session()
        except NotBoundError as error:
            return Health(False, str(error), device.options)
        match await session.ask(wire.write_enquiry(), self._limits.question_ms):
            case Pdu():
                return Health(True, _state(device), _options(device, desk))
            case NeverLeft(why) | NoAnswer(why):
                return Health(False, why, device.options)

    # Listening

    async def listen(self, device: Connection) -> None:
        """The session itself brings everything in."""

    async def poll(self, device: Connection, cursor: int, open_ids: Sequence[str]) -> News:
        """Bring the receipts that overtook the answers to their sends; nothing else can be asked for."""
        desk = self._desks.get(device.device_id)
        if desk is None:
            return News((), cursor, is_complete=True)
        return News(desk.receipts.of_open(open_ids), cursor, is_complete=True)

    def hear(self, device: Connection, call: HookCall) -> Heard | None:
        return None

    async def download(self, device: Connection, ref: str, most_bytes: int) -> bytes:
        raise Unreachable("an SMS brings no files")

    def forget(self, device_id: str) -> None:
        """Unbind; what is under way gets its answer first."""
        desk = self._desks.pop(device_id, None)
        if desk is not None:
            self._leave_soon(desk)

    async def close(self) -> None:
        """Unbind everywhere."""
        desks, self._desks = list(self._desks.values()), {}
        await asyncio.gather(*self._leaving, *(desk.leave(self._limits.question_ms) for desk in desks))

    # The desks

    def _desk(self, device: Connection) -> Desk:
        """Return what stands for a device, made anew if the device is another now, or nobody had used it for long."""
        setup = (*sorted(device.config.items()), *sorted(device.secrets.items()))
        desk = self._desks.get(device.device_id)
        if desk is not None and desk.setup == setup and not desk.link.is_over:
            return desk
        if desk is not None:
            self._leave_soon(desk)
        desk = self._desks[device.device_id] = self._open_desk(device, setup)
        return desk

    def _open_desk(self, device: Connection, setup: Settings) -> Desk:
        receipts = Receipts(str(device.options.get(_RECEIPT_IDS, "")))
        taking = Taking(self._inbox, device.device_id, _alphabet(device), receipts, self._now_ms)
        link = Link(device.device_id, partial(self._bind, device, taking), self._pauses, taking.session_ended)
        desk = Desk(setup, receipts, taking, link)
        link.when_over(partial(self._drop, device.device_id, desk))
        return desk

    def _drop(self, device_id: str, desk: Desk) -> None:
        """Let go of a desk once nobody uses its link any more."""
        if self._desks.get(device_id) is desk:
            self.forget(device_id)

    async def _bind(self, device: Connection, taking: Taking) -> Session:
        config = device.config
        try:
            bind = wire.write_bind(
                system_id=config.get("systemId", ""),
                password=device.secrets.get("password", ""),
                system_type=config.get("systemType", ""),
                can_receive=config.get("bindMode") != _TRANSMITTER,
            )
        except ValueError:
            limits = "15 characters for the system id, 8 for the password and 12 for the system type, all of them ASCII"
            raise NotBoundError(f"SMPP allows {limits}") from None
        place = Place(config.get("host", ""), int(config.get("port") or 0), config.get("tls") == "true")
        return await open_session(place, bind, self._limits, taking.take)

    def _leave_soon(self, desk: Desk) -> None:
        task = asyncio.get_running_loop().create_task(desk.leave(self._limits.question_ms))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)


def _composed(device: Connection, order: Order, now: int) -> list[Submission] | Rejected:
    """Return what is submitted for an order: one message, or the parts of a long one."""
    source = device.config.get("source") or order.sender.phone
    if not order.text.strip():
        return Rejected(Refusal.BAD_CONTENT, "there is no text to send")
    if order.files:
        return Rejected(Refusal.BAD_CONTENT, "an SMS by SMPP carries no files")
    if not source:
        return Rejected(Refusal.UNAUTHORIZED, "the line has neither a phone nor a source to send from")
    try:
        return _checked(_submissions(device, order, source, now))
    except ValueError:
        # The library's own words may quote the text.
        return Rejected(Refusal.BAD_CONTENT, "the text or an address has characters or a length that SMPP cannot carry")


def _submissions(device: Connection, order: Order, source: str, now: int) -> list[Submission]:
    config, default = device.config, _alphabet(device)
    alphabet = alphabet_of(order.text, default)
    whole = Submission(
        source=source_of(source, config.get("sourceTon", ""), config.get("sourceNpi", "")),
        destination=destination_of(order.address, config.get("destTon", ""), config.get("destNpi", "")),
        alphabet=alphabet,
        default=default,
        text=order.text,
        valid_until=None if order.valid_until is None else min(order.valid_until, now + _LONGEST_KEPT_MS),
    )
    if fits_alone(order.text, alphabet):
        return [whole]
    if config.get("longText") != _SEGMENTS:
        return [replace(whole, is_payload=True)]
    parts = parts_of(order.text, alphabet)
    # Of the attempt, so that two texts to one phone are hardly ever joined with each other.
    reference = zlib.crc32(order.marker.encode()) & 0xFF
    places = (PartPlace(reference, len(parts), number) for number in range(1, len(parts) + 1))
    return [replace(whole, text="", part=part, place=place) for part, place in zip(parts, places, strict=True)]


def _checked(submissions: list[Submission]) -> list[Submission]:
    """Write each once, so that what the library refuses is refused before anything left."""
    if len(submissions) > _MOST_PARTS:
        raise ValueError
    for one in submissions:
        if len(encoded(one.text, one.alphabet)) > _MOST_PAYLOAD_BYTES:
            raise ValueError
        wire.write_submission(one).pdu()
    return submissions


def _outcome(result: Pdu | NeverLeft | NoAnswer, order: Order) -> Outcome:
    return outcome_of(result, order.marker) if isinstance(result, Pdu) else unanswered(result)


def _alphabet(device: Connection) -> str:
    return device.config.get("defaultEncoding") or GSM


def _state(device: Connection) -> str:
    mode = device.config.get("bindMode") or _TRANSCEIVER
    return f"bound to {device.config.get('host', '')} as {mode}"


def _options(device: Connection, desk: Desk) -> dict[str, object]:
    learned = {_RECEIPT_IDS: desk.receipts.way} if desk.receipts.way else {}
    return {**device.options, **learned}
