"""What BlueBubbles means: an answer as an outcome, a row as a finding or a signal, a webhook's body as signals.

No network here. Only facts of the wire decide (status, `error.type`, the number in a row's `error`), never the words
of an error, which change between versions and languages. Two things surprise: a row of the Mac's message database
with an error of 4 decides nothing (see `verdict`), and the server's own answer is told from that of a tunnel in front
of it by its envelope alone.

What an answer to a sending request means, first match wins:

| status | envelope | more | outcome | because |
| --- | --- | --- | --- | --- |
| 2xx | yes | a row with a guid | as `verdict` says | the row is in the Mac's database |
| 2xx | any | no row | Ambiguous | something took it; nobody said what |
| 3xx | any | | Deferred, down | redirects are never followed, so the Mac did not get it |
| 429 | any | Retry-After | Deferred | refused unread |
| 521 523 525 526 530 | no | | Deferred, down | a tunnel that never reached the Mac says so with these |
| 4xx | no | | Deferred, down | not the Mac's: an unknown tunnel, another server at this address |
| 401 403 | yes | | Deferred, down | the password is wrong, which no message can help |
| 404 | yes | | Deferred, soon | the chat is gone: resolve it anew |
| 413 | any | | Rejected, bad content | a file too large for what stands in front of the Mac |
| 400 | yes | quotes our marker | Ambiguous | the same attempt is in flight at this moment |
| 400 | yes | to files | Ambiguous | the same, which is not said with the marker there |
| 400 | yes | | Rejected, bad content | refused by validation, and would be again |
| 500 | yes | a row with an error | as `verdict` says | Messages tried, and wrote down that it failed |
| the rest | any | | Ambiguous | time-outs (504, or 500 without a row), crashes, 502 and 503 of a tunnel |

A private API that is not connected is a 500 without a row too, told from a time-out only by words; so the look-up
decides.
"""

from collections.abc import Sequence

from posthaste.channels.base import Trace
from posthaste.channels.bluebubbles.wire import Envelope, NewChat, Report, Row, TypingShown
from posthaste.channels.http import Answer, retry_after_ms
from posthaste.channels.reading import read
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
from posthaste.core.signals import Echo, Inbound, InboundFile, Reaction, Receipt, Signal, Typing
from posthaste.core.text import comparable

_NOT_REGISTERED = 22
_TIMED_OUT = 4
_UNREACHED_BY_TUNNEL = frozenset({521, 523, 525, 526, 530})
_RESOLVE_AGAIN_MS = 1_000


def verdict(row: Row) -> Accepted | Rejected | Ambiguous:
    """Say what a row means for the attempt that made it.

    An error in a row is Apple's own word that the send failed: the phone did not get it, and Messages does not try
    again. Only a time-out (4) is no such word: nobody acknowledged in time, and the text may be on the phone. And a
    receipt beats any error.
    """
    if not row.error or row.delivered_at or row.read_at:
        return Accepted(row.guid, row.delivered_at, row.read_at)
    if row.error == _TIMED_OUT:
        return Ambiguous("Apple did not acknowledge the message in time (iMessage error 4)")
    if row.error == _NOT_REGISTERED:
        detail = "the address is not registered with iMessage (iMessage error 22)"
        return Rejected(Refusal.NOT_ON_CHANNEL, detail, row.guid)
    return Rejected(Refusal.OTHER, f"Messages could not send it (iMessage error {row.error})", row.guid)


def classify(answer: Answer, marker: str, *, has_files: bool) -> Outcome:
    """Say what an answer to a sending request means; the table above is this function."""
    envelope = read(answer.body, Envelope)
    match answer.status:
        case status if 200 <= status < 300:
            row = sent_row(envelope)
            return verdict(row) if row else Ambiguous("the server answered without naming the message")
        case status if 300 <= status < 400:
            return Deferred("the address redirects elsewhere, which is never followed", device_is_down=True)
        case 429:
            return Deferred("the server asks for patience", retry_after_ms(answer))
        case 413:
            return Rejected(Refusal.BAD_CONTENT, complaint(answer.status, envelope))
    if envelope is None:
        return _foreign(answer.status)
    if answer.status == 400 and has_files:
        return Ambiguous(complaint(answer.status, envelope))
    return _refused(answer.status, envelope, marker)


def _foreign(status: int) -> Outcome:
    if status in _UNREACHED_BY_TUNNEL or 400 <= status < 500:
        return Deferred(complaint(status, None), device_is_down=True)
    return Ambiguous(complaint(status, None))


def _refused(status: int, envelope: Envelope, marker: str) -> Outcome:
    said = complaint(status, envelope)
    match status:
        case 401 | 403:
            return Deferred(said, device_is_down=True)
        case 404:
            return Deferred(said, retry_after_ms=_RESOLVE_AGAIN_MS)
        case 400 if envelope.error and marker in envelope.error.message:
            return Ambiguous(said)
        case 400:
            return Rejected(Refusal.BAD_CONTENT, said)
        case 500 if (row := read(envelope.data, Row)) and row.error:
            return verdict(row)
        case _:
            return Ambiguous(said)


def sent_row(envelope: Envelope | None) -> Row | None:
    """Find the row that a sending request made, in the answer to either kind of it."""
    if envelope is None:
        return None
    chat = read(envelope.data, NewChat)
    if chat and chat.messages:
        return chat.messages[0]
    row = read(envelope.data, Row)
    # A chat without messages has a guid too, but never a message's: only a chat's has semicolons.
    return None if row is None or ";" in row.guid else row


def complaint(status: int, envelope: Envelope | None) -> str:
    """Put an answer that is not the wished one into words, for people only."""
    if status == 413:
        return "the attachment is larger than the Mac, or what stands in front of it, takes (413)"
    if envelope is None:
        return f"something other than BlueBubbles answered, with status {status}"
    if status in (401, 403):
        return "the server password is wrong"
    said = (envelope.error.message if envelope.error else "") or envelope.message
    return f"the server answered {status}: {said}"


def finding_among(rows: Sequence[Row], trace: Trace) -> Finding:
    """Look for an attempt among rows in the order of their numbers; the oldest that fits is it."""
    candidates = [row for row in rows if _could_be_of(trace, row)]
    wanted = comparable(trace.text)
    alike = [row for row in candidates if comparable(row.text or "") == wanted]
    ours = next((row for row in alike if row.file_count == trace.files), None)
    if ours:
        return _finding(ours)
    # The server has to decode the text of what the Mac sent, and where it fails, absence would be a guess.
    if any(not row.text and not row.attachments for row in candidates):
        return CannotTell("the Mac shows a message to this address without its text")
    if any(row.is_edited for row in candidates):
        return CannotTell("the Mac shows a message to this address whose text was changed after it was sent")
    # A text is known by its words; only a message without any is surely another one if its attachments are not as many.
    if wanted and alike:
        return CannotTell("the Mac shows this text to this address with another number of attachments")
    return Absent()


def _could_be_of(trace: Trace, row: Row) -> bool:
    return (
        row.is_from_me
        and row.is_text
        and row.rowid > trace.cursor
        and row.guid not in trace.bound
        and trace.address.lower() in row.direct_addresses
    )


def _finding(row: Row) -> Finding:
    match verdict(row):
        case Accepted() as accepted:
            return Found(accepted)
        case Rejected() as error:
            return Found(Accepted(row.guid), error)
        case Ambiguous(detail):
            return CannotTell(detail)


def news_of(row: Row, not_before: int) -> Sequence[Signal]:
    """Translate a row that is new to us: an echo of a send from this device, or what a person wrote or thinks of it since."""
    if row.is_from_me:
        return echo_of(row) if row.is_text else ()
    if not row.is_direct or not row.other_end or row.is_unsent or (row.made_at or not_before) < not_before:
        return ()
    return _inbound_of(row) if row.is_text else _reaction_of(row)


def echo_of(row: Row) -> Sequence[Signal]:
    """Translate a row that this device sent."""
    match verdict(row):
        case Accepted(guid, delivered_at, read_at):
            return (Echo(guid, row.rowid, row.temp_guid, delivered_at, read_at),)
        case Rejected(refusal, detail):
            return (Echo(row.guid, row.rowid, row.temp_guid, error=detail, refusal=refusal),)
        case Ambiguous():
            return ()


def receipt_of(row: Row) -> Sequence[Signal]:
    """Translate what became of a send; nothing if nothing has."""
    if not row.is_from_me:
        return ()
    match verdict(row):
        case Accepted(guid, delivered_at, read_at) if delivered_at or read_at:
            return (Receipt(guid, delivered_at, read_at),)
        case Rejected(refusal, detail):
            return (Receipt(row.guid, error=detail, refusal=refusal),)
        case _:
            return ()


def _inbound_of(row: Row) -> Sequence[Signal]:
    files = tuple(InboundFile(file.guid, file.name, file.media_type) for file in row.files)
    at = row.made_at or 0
    return (Inbound(row.guid, row.rowid, row.other_end, row.words, at, answers=row.answers, files=files),)


def _reaction_of(row: Row) -> Sequence[Signal]:
    tapback, at = row.tapback, row.made_at or 0
    if tapback is None:
        return ()
    return (Reaction(row.guid, row.rowid, row.other_end, tapback.target, tapback.kind, at, tapback.is_removed),)


def report_of(body: bytes, not_before: int) -> Sequence[Signal]:
    """Translate the body of a webhook call."""
    report = read(body, Report)
    if report is None:
        return ()
    if report.type == "typing-indicator":
        return _typing_of(read(report.data, TypingShown))
    row = read(report.data, Row)
    if row is None:
        return ()
    match report.type:
        case "new-message":
            return news_of(row, not_before)
        case "updated-message":
            return receipt_of(row)
        case "message-send-error":
            return echo_of(row) if row.error else ()
        case _:
            return ()


def _typing_of(shown: TypingShown | None) -> Sequence[Signal]:
    return (Typing(shown.address, shown.display),) if shown and shown.address else ()
