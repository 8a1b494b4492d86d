"""What SMS Gate means: an answer as an outcome, a state as a finding or a receipt, a webhook's body as signals.

No network here. Only facts of the wire decide (status, state, the shape of the body), never the words of an error. What
an answer to a sending request means, first match wins; a *complaint* is JSON with a `message`, which is how SMS Gate
itself refuses:

| status | complaint | outcome | because |
| --- | --- | --- | --- |
| 2xx | | Accepted | it is in the app's queue under our own id |
| 2xx, unreadable | | Ambiguous | something took it; the look-up says whether it was the app |
| 409 | yes | Accepted | the app has a message with our id: an earlier hand-over of the same one |
| 3xx | any | Deferred, down | redirects are never followed, so the app did not get it |
| 429 | any | Deferred | refused unread |
| 400 | yes | Rejected, bad content | refused by validation, and would be again |
| 401 403 | any | Deferred, down | the user name or password is wrong, which no message can help |
| 503 | yes | Deferred | a server whose queue for the phone is full, says its document |
| 521 523 525 526 530 | no | Deferred, down | a tunnel that never reached the app says so with these |
| other 4xx | any | Deferred, down | nothing at this address takes messages |
| the rest | any | Ambiguous | crashes, time-outs and failures of what stands between |

Even a wrong Deferred would send nothing twice, since the app knows our id again.
"""

import hashlib
from collections.abc import Sequence

from posthaste.channels.http import Answer, retry_after_ms
from posthaste.channels.reading import instant, read, without_nul
from posthaste.channels.smsgate.wire import DELIVERED, Attachment, Complaint, Event, Incoming, Message, Payload
from posthaste.core.addresses import normalise_phone
from posthaste.core.errors import Refused
from posthaste.core.outcomes import Accepted, Ambiguous, Deferred, Finding, Found, Outcome, Refusal, Rejected
from posthaste.core.signals import Inbound, InboundFile, Receipt, Signal

_TEXTS = ("SMS", "MMS_DOWNLOADED")
# The app shows these words where an MMS has neither a text nor a subject.
_NO_TEXT = "MMS content"
_UNREACHED_BY_TUNNEL = frozenset({521, 523, 525, 526, 530})
_FEWEST_DIGITS = 7
_NUMBER_CHARS = 40
_NAME_CHARS = 320
_TEXT_CHARS = 100_000
_REASON_CHARS = 200


def classify(answer: Answer, key: str) -> Outcome:
    """Say what an answer to a sending request means; the table above is this function."""
    complaint = read(answer.body, Complaint)
    said = put_into_words(answer)
    match answer.status:
        case status if 200 <= status < 300:
            message = read(answer.body, Message)
            return Accepted(message.id) if message else Ambiguous("the server answered without naming the message")
        case 409 if complaint:
            return Accepted(key)
        case 429:
            return Deferred(said, retry_after_ms(answer))
        case 400 if complaint:
            return Rejected(Refusal.BAD_CONTENT, said)
        case 503 if complaint:
            return Deferred(said, retry_after_ms(answer))
        case status if 300 <= status < 500 or (status in _UNREACHED_BY_TUNNEL and complaint is None):
            return Deferred(said, device_is_down=True)
        case _:
            return Ambiguous(said)


def put_into_words(answer: Answer) -> str:
    """Put an answer that is not the wished one into words, for people only."""
    complaint = read(answer.body, Complaint)
    match answer.status:
        case 401 | 403:
            return "the user name or password is wrong"
        case status if 300 <= status < 400:
            return "the address redirects elsewhere, which is never followed"
        case status if complaint:
            return f"SMS Gate answered {status}: {complaint.message}"
        case status:
            return f"something other than SMS Gate answered, with status {status}"


def finding_of(message: Message) -> Finding:
    """Say what a message that the app knows means for the attempt that made it."""
    accepted = Accepted(message.id, message.delivered_at)
    error = _error_of(message)
    return Found(accepted, Rejected(Refusal.OTHER, error, message.id) if error else None)


def receipt_of(message: Message) -> Sequence[Signal]:
    """Translate what became of a message; nothing if nothing has."""
    error = _error_of(message)
    if error:
        return (Receipt(message.id, error=error),)
    return (Receipt(message.id, message.delivered_at),) if message.state == DELIVERED and message.delivered_at else ()


def _error_of(message: Message) -> str:
    match message.state:
        case "Failed":
            return _failure(message.error)
        case "Cancelled":
            return "it was cancelled at the phone before it was sent"
        case _:
            return ""


def _failure(reason: str | None) -> str:
    return f"the phone could not send it: {(reason or 'no reason was given')[:_REASON_CHARS]}"


def signals_of(event: Event, region: str, own_sim: int | None) -> Sequence[Signal]:
    """Translate the body of a webhook call; what was written to another SIM than the line's own is not this line's."""
    payload = read(event.payload, Payload)
    if payload is None:
        return ()
    match event.event:
        case "sms:received" if _is_to(own_sim, payload.sim_number):
            return _heard_from(payload, region)
        case "sms:sent" if payload.message_id:
            return (Receipt(payload.message_id),)
        case "sms:delivered" if payload.message_id and (at := instant(payload.delivered_at)):
            return (Receipt(payload.message_id, at),)
        case "sms:failed" if payload.message_id:
            return (Receipt(payload.message_id, error=_failure(payload.reason)),)
        case _:
            return ()


def _heard_from(payload: Payload, region: str) -> Sequence[Signal]:
    sender, at = payload.sender or payload.phone_number or "", instant(payload.received_at) or 0
    return _inbound(sender, payload.message, at, payload.recipient, region)


def inbound_of(incoming: Incoming, region: str, own_sim: int | None) -> Sequence[Signal]:
    """Translate a message of the app's inbox."""
    if incoming.type not in _TEXTS or incoming.is_encrypted or not _is_to(own_sim, incoming.sim_number):
        return ()
    files = tuple(_file(incoming, one) for one in incoming.attachments or ())
    text = "" if files and incoming.content_preview == _NO_TEXT else incoming.content_preview
    return _inbound(incoming.sender, text, incoming.at, incoming.recipient, region, files)


def _is_to(own_sim: int | None, sim: int | None) -> bool:
    """Tell whether a text came to a line; one of which the phone does not know the SIM may have."""
    return own_sim is None or sim is None or own_sim == sim


def _file(incoming: Incoming, file: Attachment) -> InboundFile:
    name, media_type = without_nul(file.name)[:_NAME_CHARS], without_nul(file.content_type)[:_NAME_CHARS]
    return InboundFile(f"{incoming.id}/{file.part_id}", name or None, media_type or None)


def _inbound(
    sender: str, text: str, at: int, to: str | None, region: str, files: tuple[InboundFile, ...] = ()
) -> Sequence[Signal]:
    address = _address_of(sender, region)
    if not address:
        return ()
    said = without_nul(text)[:_TEXT_CHARS]
    our_number = _address_of(to, region) if to else None
    return (Inbound(_id_of(sender, said, at), at, address, said, at, to=our_number, files=files),)


def _id_of(sender: str, text: str, at: int) -> str:
    """Name a message by what it is. The app's own ids would not do: its inbox and its webhooks write two of them for one
    message, and both are hashes of 32 bits, in which two messages can meet. By these same three things the app knows
    one from another."""
    return hashlib.sha256(f"{sender}\n{at}\n{text}".encode()).hexdigest()[:32]


def _address_of(sender: str, region: str) -> str:
    """Return a number in E.164 where that can be told, as it is where it cannot, and nothing for a name or a short code,
    behind which no person reads an answer."""
    try:
        return normalise_phone(sender, region)
    except Refused:
        spelt = sender.strip()
        is_number = all(character in "+0123456789 -()./" for character in spelt)
        digits = "".join(character for character in spelt if character.isdigit())
        return spelt if is_number and len(digits) >= _FEWEST_DIGITS and len(spelt) <= _NUMBER_CHARS else ""
