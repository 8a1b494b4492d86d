"""What travels between an SMPP message centre and us: PDUs as bytes, and as values.

aiosmpplib writes what we send. What comes in is read here, because the library's own reader gives the whole session
up for a status, a type of number or a date that it does not know, and carriers have their own of each. Numbers of
commands, statuses and parameters are those of SMPP 3.4, chapter 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from aiosmpplib.protocol import (  # type: ignore[import-untyped]
    BindTransceiver,
    BindTransmitter,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    SmppMessage,
    SubmitSm,
    Unbind,
    UnbindResp,
)
from aiosmpplib.state import NPI, TON, PhoneNumber, SmppCommandStatus  # type: ignore[import-untyped]

from posthaste.channels.smpp.text import WIDE, Place, encoded, header_of

HEADER_BYTES: Final = 16
#: The longest parameter there is holds 64 KiB; nothing honest is much longer.
MOST_BYTES: Final = 68 * 1024

DELIVER, UNBIND, ENQUIRE, DATA = 0x05, 0x06, 0x15, 0x103
ANSWER: Final = 0x80000000
NACK: Final = ANSWER

OK: Final = 0x00
INVALID_COMMAND: Final = 0x03
TRY_AGAIN: Final = 0x64

RECEIPTED_ID, PAYLOAD, STATE = 0x001E, 0x0424, 0x0427
SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER = 0x020C, 0x020E, 0x020F

_WITH_HEADER = 0x40
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pdu:
    """One message of the protocol; `body` is what follows its header."""

    command: int
    status: int
    sequence: int
    body: bytes

    @property
    def is_answer(self) -> bool:
        return bool(self.command & ANSWER)


@dataclass(frozen=True, slots=True)
class Party:
    """An address of SMPP with its type of number and its numbering plan."""

    number: str
    ton: int
    npi: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a centre hands over: a text that a person wrote, or a receipt."""

    source: Party
    destination: Party
    esm_class: int
    coding: int
    user_data: bytes
    params: Mapping[int, bytes]

    def number_of(self, tag: int) -> int | None:
        return int.from_bytes(self.params[tag], "big") if self.params.get(tag) else None

    def text_of(self, tag: int) -> str:
        return self.params.get(tag, b"").rstrip(b"\x00").decode("ascii", "replace")


@dataclass(frozen=True, slots=True)
class Submission:
    """A text, or one part of a long one, on its way out."""

    source: Party
    destination: Party
    alphabet: str
    default: str
    text: str = ""
    is_payload: bool = False
    part: bytes = b""
    place: Place | None = None
    valid_until: int | None = None


class MalformedError(Exception):
    """What came in is no PDU that can be read."""


def read_header(octets: bytes) -> tuple[int, Pdu]:
    """Return how many bytes of body follow, and the PDU without it."""
    length, command, status, sequence = (int.from_bytes(octets[start : start + 4], "big") for start in (0, 4, 8, 12))
    if not HEADER_BYTES <= length <= MOST_BYTES:
        raise MalformedError(f"a PDU of {length} bytes")
    return length - HEADER_BYTES, Pdu(command, status, sequence, b"")


def read_delivery(pdu: Pdu) -> Delivery:
    """Read a `deliver_sm` or, which some centres use for the same, a `data_sm`."""
    scan = _Scan(pdu.body)
    scan.text()  # service_type
    source, destination = scan.party(), scan.party()
    esm_class = scan.byte()
    if pdu.command == DATA:
        scan.byte()  # registered_delivery
        coding, message = scan.byte(), b""
    else:
        scan.skip(2)  # protocol_id, priority_flag
        scan.text()  # schedule_delivery_time
        scan.text()  # validity_period
        scan.skip(2)  # registered_delivery, replace_if_present_flag
        coding = scan.byte()
        scan.byte()  # sm_default_msg_id
        message = scan.take(scan.byte())
    params = scan.params()
    return Delivery(source, destination, esm_class, coding, message or params.get(PAYLOAD, b""), params)


class _Scan:
    """Read a body from front to back."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    def take(self, count: int) -> bytes:
        taken = self._body[self._at : self._at + count]
        if len(taken) < count:
            raise MalformedError("a PDU that ends too early")
        self._at += count
        return taken

    def skip(self, count: int) -> None:
        self.take(count)

    def byte(self) -> int:
        return self.take(1)[0]

    def text(self) -> str:
        end = self._body.find(b"\x00", self._at)
        if end < 0:
            raise MalformedError("a PDU with a text that does not end")
        return self.take(end - self._at + 1)[:-1].decode("latin-1")

    def party(self) -> Party:
        ton, npi = self.byte(), self.byte()
        return Party(self.text(), ton, npi)

    def params(self) -> Mapping[int, bytes]:
        found: dict[int, bytes] = {}
        while self._at < len(self._body):
            tag = int.from_bytes(self.take(2), "big")
            found[tag] = self.take(int.from_bytes(self.take(2), "big"))
        return found


def read_message_id(pdu: Pdu) -> str:
    """Return how the centre calls a text that it took."""
    return pdu.body.partition(b"\x00")[0].decode("ascii", "replace").strip()


def write_bind(*, system_id: str, password: str, system_type: str, can_receive: bool) -> SmppMessage:
    """Return the request that opens a session; raise `ValueError` for what SMPP has no room for."""
    kind = BindTransceiver if can_receive else BindTransmitter
    if not all(value.isascii() for value in (system_id, password, system_type)):
        raise ValueError("SMPP takes ASCII alone")
    return kind(system_id=system_id, password=password, system_type=system_type)


def write_submission(sub: Submission) -> SmppMessage:
    """Return the request that sends; raise `ValueError` for what SMPP has no room for."""
    common = {
        "source": _written(sub.source),
        "destination": _written(sub.destination),
        "registered_delivery": 1,
        "encoding": WIDE if sub.alphabet == WIDE else None,
        "validity_period": None if sub.valid_until is None else _EPOCH + timedelta(milliseconds=sub.valid_until),
    }
    if sub.place is not None:
        message = SubmitSm(short_message="part", esm_class=_WITH_HEADER, auto_message_payload=False, **common)
        message.set_encoded_message(header_of(sub.place) + sub.part)
    elif sub.is_payload:
        message = SubmitSm(message_payload=sub.text, **common)
    else:
        message = SubmitSm(short_message=sub.text, auto_message_payload=False, **common)
        message.set_encoded_message(encoded(sub.text, sub.alphabet))
    message.set_encoding_info(sub.default, None)
    return message


def write_enquiry() -> SmppMessage:
    return EnquireLink()


def write_unbind() -> SmppMessage:
    return Unbind()


def write_answer(pdu: Pdu, status: int) -> bytes:
    """Return what a request of the centre is answered with."""
    if pdu.command == ENQUIRE:
        return bytes(EnquireLinkResp(pdu.sequence).pdu())
    if pdu.command == UNBIND:
        return bytes(UnbindResp(pdu.sequence).pdu())
    if pdu.command not in (DELIVER, DATA):
        return bytes(GenericNack(pdu.sequence, SmppCommandStatus(status)).pdu())
    # The library knows no data_sm_resp, whose body is that of deliver_sm_resp.
    raw = bytes(DeliverSmResp(pdu.sequence, SmppCommandStatus(status)).pdu())
    return raw[:4] + (ANSWER | pdu.command).to_bytes(4, "big") + raw[8:]


def said(status: int) -> str:
    """Name a status in words, for people only."""
    try:
        return f"{SmppCommandStatus(status).description} (status 0x{status:02X})"
    except ValueError:
        return f"status 0x{status:02X}, which is the carrier's own"


def _written(party: Party) -> PhoneNumber:
    return PhoneNumber(party.number, TON(party.ton), NPI(party.npi))
