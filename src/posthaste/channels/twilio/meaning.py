"""What Twilio means: an answer as an outcome, a message as a finding or a signal, a callback's fields as signals.

No network here. Twilio's own error number decides, then the status; never the words of an error. The numbers are those
of Twilio's error dictionary; the ones that a sending request can be refused with, and the ones that a message can fail with
later, share one table. What an answer to a sending request means, first match wins:

| status | error number | outcome | because |
| --- | --- | --- | --- |
| 2xx | a message | as `verdict` says | Twilio has it |
| 2xx | no message | Ambiguous | something took it; nobody said what |
| 3xx | any | Deferred, down | redirects are never followed, so nothing was sent |
| 408, 5xx | any | Ambiguous | it may have been accepted before it went wrong |
| 429 | any | Deferred | refused unread; Retry-After is kept |
| 4xx | 20429, 21611, 14107 | Deferred | too many at once: a rate limit, a full queue |
| 4xx | 20003, 20005 and their kin | Deferred, down | the account or the key: no message can help |
| 4xx | 21610 | Rejected, blocked | the person opted out at Twilio |
| 4xx | one that is in the table | Rejected, as it says | refused by validation, and would be again |
| 401 403 404 405 | any other | Deferred, down | a wrong account or key, another server at this address |
| 4xx | any other | Rejected | refused, and would be again |
| 4xx | none | Deferred, down | not Twilio's answer |

Looking up is careful: a text that Twilio shows may differ from ours (Smart Encoding, a trial account's first words), so
only a list without any unexplained message to this person counts as absence.
"""

from collections.abc import Mapping, Sequence

from posthaste.channels.base import Trace
from posthaste.channels.http import Answer, retry_after_ms
from posthaste.channels.reading import read, without_nul
from posthaste.channels.twilio.wire import Fault, Medium, Row, number
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
from posthaste.core.signals import Echo, Inbound, InboundFile, Receipt, Signal
from posthaste.core.text import comparable

_ADDRESS, _CONTENT, _BLOCKED = Refusal.BAD_ADDRESS, Refusal.BAD_CONTENT, Refusal.BLOCKED
_SENDER, _OTHER = Refusal.UNAUTHORIZED, Refusal.OTHER

REASONS: Mapping[int, tuple[Refusal, str]] = {
    21211: (_ADDRESS, "the number is not a valid one"),
    21214: (_ADDRESS, "the number cannot be reached"),
    21217: (_ADDRESS, "the number does not seem to be valid"),
    21265: (_ADDRESS, "the number is a short code"),
    21266: (_ADDRESS, "the line cannot write to itself"),
    21408: (_ADDRESS, "the account may not send to this country"),
    21608: (_ADDRESS, "a trial account may only write to numbers that were verified with Twilio"),
    21610: (_BLOCKED, "the person has opted out at Twilio"),
    21612: (_ADDRESS, "Twilio has no way from this sender to this number"),
    21614: (_ADDRESS, "the number is not a mobile one"),
    21635: (_ADDRESS, "the number is a landline"),
    21212: (_SENDER, "the line's number is not a valid sender"),
    21603: (_SENDER, "no sender was given"),
    21606: (_SENDER, "the line's number is not one of this Twilio account, or cannot send SMS"),
    21659: (_SENDER, "the line's number is not a Twilio number"),
    21660: (_SENDER, "the line's number belongs to another Twilio account"),
    21661: (_SENDER, "the line's number cannot send SMS"),
    21701: (_SENDER, "there is no such messaging service"),
    21703: (_SENDER, "the messaging service has no numbers"),
    21704: (_SENDER, "the messaging service has no numbers"),
    21705: (_SENDER, "the messaging service's id is wrong"),
    21609: (_SENDER, "Twilio cannot use the address at which it is to report"),
    21602: (_CONTENT, "there is no text to send"),
    21617: (_CONTENT, "the text is longer than 1,600 characters"),
    21619: (_CONTENT, "there is no text to send"),
    21620: (_CONTENT, "Twilio cannot use the address of an attachment"),
    21623: (_CONTENT, "there are too many attachments"),
    11751: (_CONTENT, "an attachment is too large for Twilio"),
    12300: (_CONTENT, "an attachment is of a type that cannot be sent"),
    30019: (_CONTENT, "an attachment is too large for the carrier"),
    30001: (_OTHER, "too many messages were waiting at Twilio"),
    30004: (_BLOCKED, "the person or their carrier blocks messages"),
    30003: (_OTHER, "the phone was off or out of reach"),
    30005: (_ADDRESS, "the number is not in use"),
    30006: (_ADDRESS, "the number is a landline, or its carrier cannot be reached"),
    30007: (_CONTENT, "a carrier filtered it out as unwanted"),
    30008: (_OTHER, "the carrier did not say why"),
    30032: (_SENDER, "the toll-free number is not verified"),
    30034: (_SENDER, "the number is not registered for business texts (A2P 10DLC)"),
    30036: (_OTHER, "its time was over before Twilio could send it"),
}
_ACCOUNT = frozenset({10001, 20003, 20005, 20006, 20404, 30002})
_CROWDED = frozenset({14107, 20429, 21611})
_NOT_OURS = frozenset({401, 403, 404, 405})
_FAILED = frozenset({"failed", "undelivered", "canceled"})
_ARRIVED = frozenset({"delivered", "read"})
_UNDER_WAY = frozenset({"accepted", "scheduled", "queued", "sending", "sent", "partially_delivered"})

_TRIAL_PREFIX = "Sent from your Twilio trial account - "
# Twilio's clock is not ours, and it writes whole seconds.
_CLOCK_MARGIN_MS = 15 * 60_000


def verdict(row: Row) -> Accepted | Rejected:
    """Say what a message of ours means as Twilio shows it."""
    if row.status in _FAILED:
        refusal, words = why(row.status, row.error_code or 0)
        return Rejected(refusal, words, row.sid)
    arrived_at = row.changed_at if row.status in _ARRIVED else None
    return Accepted(row.sid, arrived_at, arrived_at if row.status == "read" else None)


def why(status: str, code: int) -> tuple[Refusal, str]:
    """Put an error number into a kind of refusal and words; a number that we do not know is only named."""
    refusal, words = REASONS.get(code, (_OTHER, f"Twilio calls it {status or 'refused'}"))
    return refusal, f"{words} (Twilio error {code})" if code else words


def classify(answer: Answer) -> Outcome:
    """Say what an answer to a sending request means; the table above is this function."""
    status, fault = answer.status, read(answer.body, Fault)
    code = fault.code if fault else 0
    if 200 <= status < 300:
        row = read(answer.body, Row)
        return verdict(row) if row else Ambiguous("Twilio answered without naming the message")
    if 300 <= status < 400:
        return Deferred("the address redirects elsewhere, which is never followed", device_is_down=True)
    if status == 408 or status >= 500:
        return Ambiguous(complaint(answer))
    if status == 429 or code in _CROWDED:
        return Deferred(complaint(answer), retry_after_ms(answer))
    if fault is None or code in _ACCOUNT or (status in _NOT_OURS and code not in REASONS):
        return Deferred(complaint(answer), device_is_down=True)
    return Rejected(*why("", code))


def complaint(answer: Answer) -> str:
    """Put an answer that is not the wished one into words, for people only."""
    fault = read(answer.body, Fault)
    if fault is None:
        return f"something other than Twilio answered, with status {answer.status}"
    if fault.code in (20003, 20006) or answer.status == 401:
        return f"Twilio does not take the account and its token or key (error {fault.code})"
    if fault.code in (10001, 20005, 30002):
        return f"the Twilio account is not active (error {fault.code})"
    if fault.code == 20404:
        return "Twilio has no such account (error 20404)"
    if answer.status == 429 or fault.code in _CROWDED:
        return f"Twilio asks for patience (error {fault.code})"
    return f"Twilio answered {answer.status} (error {fault.code})"


def earliest(trace: Trace) -> int:
    return trace.handed_at - _CLOCK_MARGIN_MS


def finding_among(rows: Sequence[Row], trace: Trace, service: str) -> Finding:
    """Look for an attempt among messages; of several that fit, the oldest is it."""
    candidates = sorted((row for row in rows if _could_be_of(trace, row, service)), key=lambda row: row.made_at or 0)
    ours = next((row for row in candidates if _is_text_of(trace, row)), None)
    if ours:
        return _finding(ours)
    if candidates:
        return CannotTell("Twilio shows another message to this person from that time, and it may be this one")
    return Absent()


def _could_be_of(trace: Trace, row: Row, service: str) -> bool:
    return (
        row.is_outbound
        and row.to == trace.address
        and row.sid not in trace.bound
        and (row.made_at is None or row.made_at >= earliest(trace))
        and (not service or row.messaging_service_sid in (service, None))
    )


def _is_text_of(trace: Trace, row: Row) -> bool:
    shown = comparable((row.body or "").removeprefix(_TRIAL_PREFIX))
    return shown == comparable(trace.text.removeprefix(_TRIAL_PREFIX)) and bool(row.media) == bool(trace.files)


def _finding(row: Row) -> Finding:
    match verdict(row):
        case Accepted() as accepted:
            return Found(accepted)
        case Rejected() as error:
            return Found(Accepted(row.sid), error)


def receipt_of(row: Row) -> Sequence[Signal]:
    """Translate what became of a message of ours; nothing if nothing has."""
    match verdict(row):
        case Accepted(sid, delivered_at, read_at) if delivered_at:
            return (Receipt(sid, delivered_at, read_at),)
        case Rejected(refusal, detail):
            return (Receipt(row.sid, error=detail, refusal=refusal),)
        case _:
            return ()


def inbound_of(row: Row, media: Sequence[Medium], account_path: str) -> Inbound:
    """Translate a message that a person wrote, as a list shows it."""
    folder = f"{account_path}/Messages/{row.sid}/Media"
    files = tuple(InboundFile(f"{folder}/{medium.sid}", media_type=medium.content_type) for medium in media)
    at = row.made_at or 0
    return Inbound(row.sid, at, row.from_ or "", without_nul(row.body), at, row.to, files=files)


def heard(fields: Mapping[str, str], marker: str | None, now: int) -> Sequence[Signal]:
    """Translate a callback: the state of a message of ours, or what a person wrote. Neither says when, so that it is now."""
    sid = fields.get("MessageSid") or fields.get("SmsSid") or ""
    if not sid or len(sid) > 320 or "\x00" in sid:
        return ()
    if status := fields.get("MessageStatus"):
        return _state(sid, status, number(fields.get("ErrorCode")), marker, now)
    address = fields.get("From", "")
    if not address or "\x00" in address:
        return ()
    return (Inbound(sid, now, address, without_nul(fields.get("Body")), now, fields.get("To"), files=_files(fields)),)


def _state(sid: str, status: str, code: int, marker: str | None, now: int) -> Sequence[Signal]:
    """A marker of ours names the attempt, even one whose answer never came."""
    if status not in _FAILED | _ARRIVED | _UNDER_WAY:
        return ()
    refusal, error = why(status, code) if status in _FAILED else (_OTHER, None)
    delivered_at = now if status in _ARRIVED else None
    read_at = now if status == "read" else None
    if marker:
        return (Echo(sid, 0, marker, delivered_at, read_at, error, refusal),)
    return (Receipt(sid, delivered_at, read_at, error, refusal),)


def _files(fields: Mapping[str, str]) -> tuple[InboundFile, ...]:
    """Name files by the path alone, so that their host is always the one that the line knows."""
    wanted = range(min(number(fields.get("NumMedia")), 10))
    urls = [(fields.get(f"MediaUrl{one}", ""), fields.get(f"MediaContentType{one}")) for one in wanted]
    return tuple(InboundFile(_path(url), media_type=media_type) for url, media_type in urls if _path(url))


def _path(url: str) -> str:
    _, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return slash + path if host else ""
