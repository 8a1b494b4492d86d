"""What Sendblue means: an answer as an outcome, a message as a finding or a signal, a webhook's body as signals.

No network here. `error_key`, then `error_code`, then the HTTP status decide; never the words of an error. A message that
went as SMS because the person is not on iMessage (`was_downgraded`) has arrived like any other. What an answer to a sending
request means, first match wins:

| status | body | outcome | because |
| --- | --- | --- | --- |
| any | an error that is in the table | as it says | Sendblue's own word |
| 2xx | a status of failure (ERROR, DECLINED) | Rejected | it says that it failed |
| 2xx | a handle | Accepted | whatever else its status is and its code may mean: new ones come up |
| 2xx | no handle | Ambiguous | something took it; nobody said what |
| 3xx | any | Deferred, down | redirects are never followed, so nothing was sent |
| 408, 5xx | any | Ambiguous | it may have been accepted before it went wrong |
| 429 | any | Deferred | refused unread; Retry-After is kept |
| 401 402 403 404 405 | any | Deferred, down | the key, the bill, or another server at this address |
| 4xx | with a status or an error | Rejected, bad content | refused by validation, and would be again |
| 4xx | anything else | Deferred, down | not Sendblue's answer |
"""

from collections.abc import Mapping, Sequence

from posthaste.channels.base import Trace
from posthaste.channels.http import Answer, retry_after_ms
from posthaste.channels.reading import read, without_nul
from posthaste.channels.sendblue.wire import Dots, Row
from posthaste.core.outcomes import (
    Absent,
    Accepted,
    Ambiguous,
    CannotTell,
    Deferred,
    Finding,
    Found,
    Outcome,
    Refusal,
    Rejected,
)
from posthaste.core.signals import Echo, Inbound, InboundFile, Receipt, Signal, Typing
from posthaste.core.text import comparable

_FAILED = frozenset({"ERROR", "DECLINED"})
_ARRIVED = frozenset({"DELIVERED", "READ"})
_DOWN = frozenset({401, 402, 403, 404, 405})
# The person has to answer first, or the next day to come; every try before that is refused.
_PRE_REPLY_MS = 6 * 3_600_000
_ERRORS: Mapping[str, Outcome] = {
    "OPTED_OUT": Rejected(Refusal.BLOCKED, "the person has opted out at Sendblue (OPTED_OUT)"),
    "PRE_REPLY_LIMIT_REACHED": Deferred(
        "Sendblue lets no more through before the person has replied (PRE_REPLY_LIMIT_REACHED)", _PRE_REPLY_MS
    ),
    "4000": Rejected(Refusal.BAD_CONTENT, "Sendblue does not take this message (error 4000)"),
    "4001": Deferred("Sendblue asks for patience (error 4001)"),
    "4002": Rejected(Refusal.BLOCKED, "the number is blocked at Sendblue (error 4002)"),
    "5003": Deferred("Sendblue asks for patience (error 5003)"),
    "10002": Ambiguous("Sendblue could not find out what became of the message (error 10002)"),
}


def classify(answer: Answer) -> Outcome:
    """Say what an answer to a sending request means; the table above is this function."""
    status, row = answer.status, read(answer.body, Row)
    known = _known_error(row) if row else None
    if known is not None:
        return known
    match status:
        case _ if 200 <= status < 300:
            return verdict(row) if row else Ambiguous("Sendblue answered without naming the message")
        case _ if 300 <= status < 400:
            return Deferred("the address redirects elsewhere, which is never followed", device_is_down=True)
        case 429:
            return Deferred(complaint(answer), retry_after_ms(answer))
        case _ if status == 408 or status >= 500:
            return Ambiguous(complaint(answer))
        case _ if status in _DOWN or not _is_sendblues(row):
            return Deferred(complaint(answer), device_is_down=True)
        case _:
            return Rejected(Refusal.BAD_CONTENT, complaint(answer))


def verdict(row: Row) -> Accepted | Rejected | Deferred | Ambiguous:
    """Say what a message of ours means as Sendblue shows it."""
    if (row.status or "").upper() in _FAILED:
        known = _known_error(row)
        return known or Rejected(Refusal.OTHER, f"Sendblue could not send it (error {_code(row)})", row.message_handle)
    if not row.message_handle:
        return Ambiguous("Sendblue answered without naming the message")
    has_arrived = (row.status or "").upper() in _ARRIVED
    arrived_at = (row.changed_at or 0) if has_arrived else None
    return Accepted(row.message_handle, arrived_at or None, arrived_at if (row.status or "").upper() == "READ" else None)


def _is_sendblues(row: Row | None) -> bool:
    return row is not None and bool(row.status or row.error_key or row.error_code)


def _known_error(row: Row) -> Accepted | Rejected | Deferred | Ambiguous | None:
    return _ERRORS.get(row.error_key or "") or _ERRORS.get(str(row.error_code or ""))


def _code(row: Row) -> str:
    return str(row.error_key or row.error_code or row.status)[:40]


def complaint(answer: Answer) -> str:
    """Put an answer that is not the wished one into words, for people only."""
    if answer.status in (401, 403):
        return "Sendblue does not take the API key and its secret"
    if answer.status == 402:
        return "Sendblue asks for payment"
    if answer.status == 429:
        return "Sendblue asks for patience"
    if not _is_sendblues(read(answer.body, Row)):
        return f"something other than Sendblue answered, with status {answer.status}"
    return f"Sendblue answered {answer.status}"


def finding_among(rows: Sequence[Row], trace: Trace, own_number: str | None, not_before: int) -> Finding:
    """Look for an attempt among the messages from a number; of several that fit, the oldest is it."""
    fitting = [row for row in rows if _is_from(own_number, row) and _could_be_of(trace, row, not_before)]
    if not fitting:
        return Absent()
    oldest = min(fitting, key=lambda row: row.made_at or 0)
    handle = oldest.message_handle or ""
    match verdict(oldest):
        case Accepted() as accepted:
            return Found(accepted)
        case Rejected() as error:
            return Found(Accepted(handle), error)
        case Deferred(detail):
            return Found(Accepted(handle), Rejected(Refusal.OTHER, detail, handle))
        case Ambiguous(detail):
            return CannotTell(detail)


def _is_from(own_number: str | None, row: Row) -> bool:
    return own_number is None or row.own_number in (own_number, None)


def _could_be_of(trace: Trace, row: Row, not_before: int) -> bool:
    return (
        bool(row.is_outbound)
        and bool(row.message_handle)
        and row.message_handle not in trace.bound
        and not row.is_group
        and row.other_number == trace.address
        and (row.made_at is None or row.made_at >= not_before)
        and comparable(row.content or "") == comparable(trace.text)
        and bool(row.media_url) == bool(trace.files)
    )


def receipt_of(row: Row, marker: str | None = None) -> Sequence[Signal]:
    """Translate what became of a message of ours; a marker of ours names the attempt, even one whose answer never came."""
    handle = row.message_handle
    if not handle:
        return ()
    delivered_at, read_at, error, refusal = None, None, None, Refusal.OTHER
    match verdict(row):
        case Accepted() as accepted:
            delivered_at, read_at = accepted.delivered_at, accepted.read_at
        case Rejected(refused, detail):
            error, refusal = detail, refused
        case Deferred(detail):
            error = detail
        case Ambiguous():
            return ()
    if marker:
        return (Echo(handle, 0, marker, delivered_at, read_at, error, refusal),)
    return (Receipt(handle, delivered_at, read_at, error, refusal),) if delivered_at or error else ()


def inbound_of(row: Row) -> Sequence[Signal]:
    """Translate what a person wrote; groups are nobody's conversation."""
    address, text = row.other_number, without_nul(row.content)
    if row.is_group or not row.message_handle or not address or not (text or row.media_url):
        return ()
    at = row.made_at or 0
    asked = (row.reply_to, row.thread_originator)
    answers = tuple(dict.fromkeys(one.message_handle for one in asked if one and one.message_handle))
    files = (InboundFile(row.media_url, _name(row.media_url)),) if row.media_url and "\x00" not in row.media_url else ()
    return (Inbound(row.message_handle, at, address, text, at, row.own_number, answers, files),)


def _name(url: str) -> str | None:
    return url.partition("?")[0].rpartition("/")[2][:200] or None


def report_of(body: bytes, marker: str | None, own_number: str) -> Sequence[Signal]:
    """Translate a webhook's body. Where one account has several numbers, what came to another one is not this line's."""
    dots = read(body, Dots)
    if dots is not None:
        address = dots.other_number
        return (Typing(address, dots.is_typing),) if address and _is_for(own_number, dots) else ()
    row = read(body, Row)
    if row is None or row.is_outbound is None:
        return ()
    if row.is_outbound:
        return receipt_of(row, marker)
    return inbound_of(row) if _is_for(own_number, row) else ()


def _is_for(own_number: str, said: Row | Dots) -> bool:
    return not own_number or said.own_number in (own_number, None)


def is_about_ours(body: bytes) -> bool:
    """Tell whether a webhook's body is about a message that we sent."""
    row = read(body, Row)
    return row is not None and row.is_outbound is True
