"""The story of a message: stable codes, and the words that are made from their facts.

Whoever decides writes an entry with the very values it decided by; nothing is reconstructed afterwards. Facts never
hold the text of a message.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from posthaste.core.holds import Reason
from posthaste.core.schedule import render_instant


class Code(StrEnum):
    """What can stand in a timeline."""

    ACCEPTED = "accepted"
    UNKNOWN_FIELDS = "unknown_fields"
    LEAD_CREATED = "lead_created"
    LEAD_MATCHED = "lead_matched"
    LEAD_CONFLICT = "lead_conflict"
    LINE_CHOSEN = "line_chosen"
    HELD = "held"
    CLAIMED = "claimed"
    AVAILABLE = "available"
    NOT_AVAILABLE = "not_available"
    UNCHECKED = "unchecked"
    HANDED = "handed"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    FALLBACK = "fallback"
    NEXT_ADDRESS = "next_address"
    RETRY = "retry"
    IN_DOUBT = "in_doubt"
    LOOKED_UP = "looked_up"
    UNKNOWN = "unknown"
    RELEASED = "released"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    BLOCKED = "blocked"
    RECEIPT_ABSORBED = "receipt_absorbed"
    LINE_MOVED = "line_moved"
    FALLBACK_SENT = "fallback_sent"
    FALLBACK_SKIPPED = "fallback_skipped"
    FALLS_BACK = "falls_back"
    RECEIVED = "received"
    REACTED = "reacted"
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"
    HELP_ANSWERED = "help_answered"
    FILE_FETCHED = "file_fetched"
    FILE_STORED = "file_stored"
    FILE_LOST = "file_lost"


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of the story."""

    at: int
    code: str
    says: str
    facts: Mapping[str, object]


_SAYS: Mapping[Code, str] = {
    Code.ACCEPTED: "Accepted as {type}.",
    Code.UNKNOWN_FIELDS: "The request had fields that we do not know and did not use: {fields}.",
    Code.LEAD_CREATED: "Nobody had this address, so a lead was made in {list}.",
    Code.LEAD_MATCHED: "The lead was found by {by}.",
    Code.LEAD_CONFLICT: "Some of the addresses belong to other leads ({leads}); {by} decided.",
    Code.LINE_CHOSEN: "Line {line} was chosen: {why}.",
    Code.HELD: "Held until {until}: {reason}.",
    Code.CLAIMED: "Attempt {attempt} begins on line {line}.",
    Code.AVAILABLE: "{address} is on iMessage ({source}).",
    Code.NOT_AVAILABLE: "{address} is not on iMessage ({source}).",
    Code.UNCHECKED: "{address} was not checked ({why}); it is written to all the same.",
    Code.HANDED: "Attempt {attempt} is handed to the provider for {address}.",
    Code.SENT: "The provider took it (told by {source}); its id there: {externalId}.",
    Code.DELIVERED: "Delivered (told by {source}).",
    Code.READ: "Read (told by {source}).",
    Code.FAILED: "Failed: {detail} ({code}).",
    Code.FALLBACK: "No address of the person is on iMessage ({checkedAddresses}).",
    Code.NEXT_ADDRESS: "The address that was tried is not on iMessage; {address} is next.",
    Code.RETRY: "Surely not sent ({detail}); tried again from {until} on.",
    Code.IN_DOUBT: "Nobody knows yet whether attempt {attempt} was sent ({detail}). It is not sent again until that is known.",
    Code.LOOKED_UP: "Nobody knows yet whether it was sent: {detail}. It is looked for again at {until}.",
    Code.UNKNOWN: "Nobody can tell whether it was sent ({detail}). It is not sent again; only a late report can still tell.",
    Code.RELEASED: "Attempt {attempt} was given back before it was handed over: {detail}.",
    Code.CANCELLED: "Cancelled before it was handed over: {why}.",
    Code.EXPIRED: "Expired: {code}.",
    Code.BLOCKED: "Not sent: the address is on the do-not-contact list.",
    Code.RECEIPT_ABSORBED: "A late report ({step}) changed nothing: the message was {status}.",
    Code.LINE_MOVED: "Moved to line {line}: {why}.",
    Code.FALLBACK_SENT: "An SMS takes its place: message {message} on line {line}.",
    Code.FALLBACK_SKIPPED: "No SMS takes its place: {why}.",
    Code.FALLS_BACK: "It takes the place of message {message}, which {why}.",
    Code.RECEIVED: "The person wrote to line {line}.",
    Code.REACTED: "The person reacted with {kind} (taken back: {removed}).",
    Code.OPTED_OUT: "The person opted out; messages that were cancelled: {cancelled}.",
    Code.OPTED_IN: "The person may be written to again.",
    Code.HELP_ANSWERED: "It answers the person's question for help (message {asked}).",
    Code.FILE_FETCHED: "Attachment {name} is ready: {mediaType}, {size} bytes ({source}).",
    Code.FILE_STORED: "The file {name} that came with it is here: {mediaType}, {size} bytes.",
    Code.FILE_LOST: "A file that came with it could not be fetched from the device ({why}); it is not tried again.",
}


_WORDS: Mapping[tuple[str, object], str] = {
    ("until", None): "further notice",
    ("reason", Reason.SCHEDULED): "it was scheduled for then",
    ("reason", Reason.OUTSIDE_WINDOW): "its window or its days do not allow it earlier",
    ("reason", Reason.DAILY_LIMIT): "the line has used up its messages of the day",
    ("reason", Reason.NEW_CONVERSATION_LIMIT): "the line has used up its new conversations of the day",
    ("reason", Reason.DEVICE_GAP): "the line's device pauses between two sends",
    ("reason", Reason.CONTACT_GAP): "the line pauses before it writes to somebody new",
    ("reason", Reason.LINE_DOWN): "the line's device does not answer",
    ("reason", Reason.LINE_INACTIVE): "the line is switched off",
    ("reason", Reason.PROVIDER_RETRY): "there is a pause before the next try",
    ("reason", Reason.OUTCOME_UNKNOWN): "nobody knows yet whether it was sent",
    ("code", "VALID_UNTIL_PASSED"): "its validUntil has passed",
    ("code", "TOO_LONG_PAST_DUE"): "it was due too long ago",
    ("removed", True): "yes",
    ("removed", False): "no",
}
"""Facts that stand for themselves to programs, and not to people."""


class _Words(dict[str, str]):
    """The facts of an entry in words. What an older version did not write down is not known."""

    def __missing__(self, name: str) -> str:
        return "not known"


def say(code: str, facts: Mapping[str, object]) -> str:
    """Put an entry into words."""
    words = _Words({name: _in_words(name, value) for name, value in facts.items()})
    return _SAYS[Code(code)].format_map(words)


def _in_words(name: str, value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    if name == "until" and isinstance(value, int):
        return render_instant(value)
    return _WORDS.get((name, value)) or ("not known" if value is None else str(value))
