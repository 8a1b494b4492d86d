"""What a device reports by itself, by webhook or when it is polled: receipts, echoes of our own sends, and what people
write.

Signals come early, late, twice and in any order; `actions.receive` absorbs all of that.
"""

from dataclasses import dataclass

from posthaste.core.outcomes import Refusal


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message that the provider calls `external_id`.

    `refusal` is what the error comes to; if that the address is not on the channel, another one may be.
    """

    external_id: str
    delivered_at: int | None = None
    read_at: int | None = None
    error: str | None = None
    refusal: Refusal = Refusal.OTHER


@dataclass(frozen=True, slots=True)
class Echo:
    """A message of ours as the provider wrote it down; `marker` is ours when the provider passes it back."""

    external_id: str
    cursor: int
    marker: str | None = None
    delivered_at: int | None = None
    read_at: int | None = None
    error: str | None = None
    refusal: Refusal = Refusal.OTHER


@dataclass(frozen=True, slots=True)
class InboundFile:
    """A file that came with what a person wrote; `ref` is what its channel fetches it by, of no meaning elsewhere."""

    ref: str
    name: str | None = None
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """A person wrote.

    `to` is the address of ours that they wrote to, where the provider says so; `answers` are the provider's ids of
    the messages that it replies to, the likeliest first.
    """

    external_id: str
    cursor: int
    address: str
    text: str
    at: int
    to: str | None = None
    answers: tuple[str, ...] = ()
    files: tuple[InboundFile, ...] = ()


@dataclass(frozen=True, slots=True)
class InboundPart:
    """A part of a long text that a person wrote: `number` of `total`, in the text that the sender calls `reference`.

    `fingerprint` is the same when the part comes again; `to` is what they wrote to, a line's address or a short code.
    """

    fingerprint: str
    address: str
    to: str
    text: str
    at: int
    reference: int
    total: int
    number: int


@dataclass(frozen=True, slots=True)
class Reaction:
    """A person reacted to a message (a tapback); `target` is the provider's id of that message.

    `kind` is love, like, dislike, laugh, emphasize, question, or the emoji itself.
    """

    external_id: str
    cursor: int
    address: str
    target: str
    kind: str
    at: int
    is_removed: bool = False


@dataclass(frozen=True, slots=True)
class Typing:
    """A person has begun to write, or has stopped."""

    address: str
    is_typing: bool


Signal = Receipt | Echo | Inbound | InboundPart | Reaction | Typing
