"""The one seam to a provider: what a channel is given, what it promises, and what it must answer.

A channel talks to the network and translates; it never reads the database, never retries, and never decides what an
answer means for a message. Each has a folder beside this file, and in it a `channel.py` of the same five parts in the same
order: promises, sending, finding, checking, listening. What several do in the same way has a file beside this one: one exchange
(`http`), reading and scrubbing what comes back, whose turn it is to be asked about, since when a device is heard.

Two calls matter most. `prepare` may ask the provider anything harmless (which chat is this?) before the hand-over is
written down. `send` makes exactly one request that can send, and must be called right after the hand-over is written
down. Everything that fails before that request has left the machine is `Deferred` or `Rejected`; everything after it
that is not a clear answer is `Ambiguous`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from posthaste.core.channels import Kind
from posthaste.core.hooks import Heard, HookCall
from posthaste.core.outcomes import Deferred, Finding, Outcome, Rejected
from posthaste.core.signals import Signal


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach one device.

    `config` and `secrets` are the fields that its channel asks for, `options` what it keeps about the device itself.
    `url` is its address, for channels that have one, and `hook_url` the address of ours under which it may report.
    """

    device_id: str
    url: str
    secrets: Mapping[str, str]
    options: Mapping[str, object]
    config: Mapping[str, str] = field(default_factory=dict)
    hook_url: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Where at the provider a text goes: what `prepare` found out, kept with the attempt as text.

    `files` are the provider's names of attachments that were put there beforehand.
    """

    kind: str
    chat: str
    files: tuple[str, ...] = ()


NOWHERE = Target("", "")


@dataclass(frozen=True, slots=True)
class File:
    """An attachment, fetched and checked: `path` is our copy, `url` an address at which the provider can fetch it, too."""

    name: str
    media_type: str
    size: int
    path: Path
    url: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes: the line's own addresses and name."""

    phone: str | None = None
    email: str | None = None
    name: str | None = None


NOBODY = Sender()


@dataclass(frozen=True, slots=True)
class Letter:
    """What only an e-mail has.

    `references` are the Message-IDs of the conversation so far, oldest first; `about` is its subject, or the text that began
    it; `unsubscribe_url` takes a one-click POST (RFC 8058).
    """

    subject: str | None = None
    html: str | None = None
    references: tuple[str, ...] = ()
    about: str = ""
    unsubscribe_url: str = ""


NO_LETTER = Letter()


@dataclass(frozen=True, slots=True)
class Order:
    """One message for one address.

    `marker` is unique to the attempt, for providers that pass it back. `key` is the same for every attempt of one message
    at one address (36 characters at most), for providers that know a repeat by it. After `valid_until` nobody wants the
    message any more, for providers that can let it go by then.
    """

    address: str
    text: str
    marker: str
    target: Target
    key: str = ""
    sender: Sender = NOBODY
    files: Sequence[File] = ()
    letter: Letter = NO_LETTER
    valid_until: int | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of an attempt whose outcome is not: enough to look for it at the provider.

    `cursor` is the provider's highest order number seen before the hand-over; only later ones can be ours. `bound` are the ids
    that belong to other attempts. `files` is how many attachments went along.
    """

    address: str
    text: str
    marker: str
    target: Target
    cursor: int
    handed_at: int
    bound: frozenset[str]
    key: str = ""
    sender: Sender = NOBODY
    files: int = 0


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether an address is on the channel; `None` means that nobody could tell, which is not a no."""

    is_available: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a device answers, and in words why not. `options` are facts to keep (does it have the private API?)."""

    is_up: bool
    detail: str
    options: Mapping[str, object]
    cursor: int | None = None


@dataclass(frozen=True, slots=True)
class News:
    """What a poll brought: signals, and the cursor to ask from next time. `is_complete` is false when there is more to fetch."""

    signals: Sequence[Signal]
    cursor: int
    is_complete: bool


class Unreachable(Exception):  # noqa: N818 - `raise Unreachable(...)` says what happened
    """A device did not answer a harmless question; the text says why."""


class Inbox(Protocol):
    """Where a channel with a standing connection puts what comes in by itself."""

    async def put(self, device_id: str, signals: Sequence[Signal]) -> None:
        """Store signals; when this returns they are safe, so that the provider may be told that they were taken."""
        ...


class Channel(Protocol):
    """One provider."""

    @property
    def kind(self) -> Kind: ...

    async def prepare(self, device: Connection, order: Order) -> Target | Deferred | Rejected:
        """Find out where an order goes, asking only harmless questions; its own target is `NOWHERE` yet."""
        ...

    async def send(self, device: Connection, order: Order) -> Outcome:
        """Make the one request that sends."""
        ...

    async def find(self, device: Connection, trace: Trace) -> Finding:
        """Look for an attempt at the provider."""
        ...

    async def check(self, device: Connection, address: str) -> Availability:
        """Ask whether an address is on the channel."""
        ...

    async def ping(self, device: Connection) -> Health:
        """Ask whether the device can send."""
        ...

    async def listen(self, device: Connection) -> None:
        """Have the device report to its `hook_url` from now on; raise `Unreachable` if it does not answer."""
        ...

    async def poll(self, device: Connection, cursor: int, open_ids: Sequence[str]) -> News:
        """Fetch what came after `cursor`, and the receipts of `open_ids`; raise `Unreachable` if the device does not answer."""
        ...

    def hear(self, device: Connection, call: HookCall) -> Heard | None:
        """Translate one call of a device; None if it is not proven to be the device's (a wrong signature)."""
        ...

    async def download(self, device: Connection, ref: str, most_bytes: int) -> bytes:
        """Fetch a file that came in; raise `Unreachable` if it cannot be had or is larger than `most_bytes`."""
        ...

    def forget(self, device_id: str) -> None:
        """Let go of what is kept for a device that was changed or is gone; whatever is needed later is made anew."""
        ...

    async def close(self) -> None:
        """Let go of standing connections."""
        ...
