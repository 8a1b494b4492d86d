"""The one seam to a provider: what a channel is given, what it promises, and what it must answer.

A channel talks to the network and translates; it never reads the database, never retries, and never decides what an
answer means for a message. Every file beside this one has the same five parts in the same order: promises, sending,
finding, checking, listening.

Two calls matter most. `prepare` may ask the provider anything harmless (which chat is this?) before the hand-over is
written down. `send` makes exactly one request that can send, and must be called right after the hand-over is written
down. Everything that fails before that request has left the machine is `Deferred` or `Rejected`; everything after it
that is not a clear answer is `Ambiguous`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from posthaste.core.outcomes import Deferred, Finding, Outcome, Rejected
from posthaste.core.signals import Signal


@dataclass(frozen=True, slots=True)
class Promises:
    """What a provider can do, so that the engine reads it instead of guessing."""

    repeats_safely: bool
    can_find: bool
    can_check: bool
    has_receipts: bool
    has_attachments: bool


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach one device: address, secret, and what its channel keeps about it (`options`)."""

    device_id: str
    url: str
    secret: str
    options: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Target:
    """Where at the provider a text goes: what `prepare` found out, kept with the attempt as text."""

    kind: str
    chat: str


@dataclass(frozen=True, slots=True)
class Order:
    """One text for one address. `marker` is unique to the attempt, for providers that pass it back."""

    address: str
    text: str
    marker: str
    target: Target


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of an attempt whose outcome is not: enough to look for it at the provider.

    `cursor` is the provider's highest order number seen before the hand-over; only later ones can be ours. `bound` are the ids
    that belong to other attempts.
    """

    address: str
    text: str
    marker: str
    target: Target
    cursor: int
    handed_at: int
    bound: frozenset[str]


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


class Channel(Protocol):
    """One provider."""

    @property
    def promises(self) -> Promises: ...

    async def prepare(self, device: Connection, address: str) -> Target | Deferred | Rejected:
        """Find out where a text for this address goes, asking only harmless questions."""
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

    async def listen(self, device: Connection, hook_url: str) -> None:
        """Have the device report to `hook_url` from now on; raise `Unreachable` if it does not answer."""
        ...

    async def poll(self, device: Connection, cursor: int, open_ids: Sequence[str]) -> News:
        """Fetch what came after `cursor`, and the receipts of `open_ids`; raise `Unreachable` if the device does not answer."""
        ...

    def parse_hook(self, body: bytes) -> Sequence[Signal]:
        """Translate one report of a device; an unknown or broken one gives no signals."""
        ...
