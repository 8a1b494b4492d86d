"""What SMPP means: an answer to a submission as an outcome, a receipt and what a person wrote as signals.

No network here. Only numbers decide, and the words of a receipt's text that SMPP 3.4 itself lists (appendix B). What an
answer to a submission means:

| status | outcome | because |
| --- | --- | --- |
| ESME_ROK | Accepted | the centre took it and named it |
| throttled, queue full, system error, temporary (0x64), submit failed | Deferred | it says no for now |
| not bound, bind failed, password, system id | Deferred, down | no message can help that |
| destination: address, type of number, plan | Rejected, bad address | |
| source: address, type of number, plan | Rejected, unauthorized | the carrier does not let us send from it |
| length, parameters, class | Rejected, bad content | |
| the rest, a carrier's own numbers too | Rejected | a clear no, and to repeat what is not understood helps nobody |
"""

import re
from dataclasses import dataclass

from posthaste.channels.smpp import wire
from posthaste.channels.smpp.wire import Delivery, Party, Pdu, said
from posthaste.core.outcomes import Accepted, Deferred, Refusal, Rejected

_LATER = frozenset({0x08, 0x14, 0x45, 0x58, 0x64})
_DOWN = frozenset({0x04, 0x05, 0x0D, 0x0E, 0x0F})
_REFUSALS = {
    **dict.fromkeys((0x0B, 0x33, 0x50, 0x51), Refusal.BAD_ADDRESS),
    **dict.fromkeys((0x0A, 0x48, 0x49), Refusal.UNAUTHORIZED),
    **dict.fromkeys((0x01, 0x02, 0x43, 0xC0, 0xC1, 0xC2, 0xC3, 0xC4), Refusal.BAD_CONTENT),
}
THROTTLED = frozenset({0x14, 0x58})

_STATES = {2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 8: "REJECTD"}
_FAILURES = {
    "EXPIRED": "it expired at the carrier before it could be delivered",
    "DELETED": "it was deleted at the carrier",
    "UNDELIV": "the carrier could not deliver it",
    "REJECTD": "the carrier rejected it",
}
_DELIVERED = "DELIVRD"
_RECEIPT_MASK, _RECEIPT = 0x3C, 0x04
_ID = re.compile(r"(?:^|\s)id:\s*(\S+)", re.IGNORECASE)
_STATE = re.compile(r"(?:^|\s)stat:\s*([a-z]+)", re.IGNORECASE)
_ERROR = re.compile(r"(?:^|\s)err:\s*([0-9a-z]+)", re.IGNORECASE)

_INTERNATIONAL, _NATIONAL_PLAN, _NETWORK, _ALPHANUMERIC = 1, 1, 3, 5
_SHORTEST_NUMBER = 7


def outcome_of(pdu: Pdu, marker: str) -> Accepted | Rejected | Deferred:
    """Say what an answer to a submission means; the table above is this function.

    A centre that takes a text without naming it gives no receipts for it; the marker stands in for the name.
    """
    if pdu.status == wire.OK and pdu.command != wire.NACK:
        return Accepted(wire.read_message_id(pdu) or marker)
    detail = f"the message centre answered: {said(pdu.status)}"
    if pdu.status in _LATER:
        return Deferred(detail)
    if pdu.status in _DOWN:
        return Deferred(detail, device_is_down=True)
    return Rejected(_REFUSALS.get(pdu.status, Refusal.OTHER), detail)


@dataclass(frozen=True, slots=True)
class Report:
    """A receipt as the centre gave it; neither delivered nor an error means that the text is still under way."""

    message_id: str
    is_delivered: bool
    error: str | None


def is_receipt(delivery: Delivery) -> bool:
    return delivery.esm_class & _RECEIPT_MASK == _RECEIPT


def report_of(delivery: Delivery, text: str) -> Report:
    """Read a receipt: its parameters where they are given, else its text."""
    message_id = delivery.text_of(wire.RECEIPTED_ID) or _first(_ID, text)
    state = _STATES.get(delivery.number_of(wire.STATE) or 0) or _first(_STATE, text).upper()
    failure = _FAILURES.get(state)
    number = _first(_ERROR, text)
    error = f"{failure} ({state}, error {number})" if number else f"{failure} ({state})"
    return Report(message_id, state == _DELIVERED, error if failure else None)


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found.group(1) if found else ""


def source_of(address: str, ton: str, npi: str) -> Party:
    """Return what a text comes from: a number in E.164, a short code, or a name of letters."""
    if address.startswith("+"):
        return Party(address[1:], int(ton or _INTERNATIONAL), int(npi or _NATIONAL_PLAN))
    if address.isascii() and address.isdigit():
        return Party(address, int(ton or _NETWORK), int(npi or 0))
    return Party(address, int(ton or _ALPHANUMERIC), int(npi or 0))


def destination_of(address: str, ton: str, npi: str) -> Party:
    return Party(address.removeprefix("+"), int(ton or _INTERNATIONAL), int(npi or _NATIONAL_PLAN))


def address_of(party: Party) -> str:
    """Return the address of who wrote in our spelling.

    Centres send numbers with their country code and without the plus, whatever type of number they name; short codes
    and names of letters stay as they are.
    """
    number = party.number.strip()
    if party.ton == _ALPHANUMERIC or number.startswith("+"):
        return number
    digits = number.removeprefix("00")
    return f"+{digits}" if digits.isascii() and digits.isdigit() and len(digits) >= _SHORTEST_NUMBER else number
