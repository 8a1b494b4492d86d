"""What a device reports by itself, by webhook or when it is polled: receipts, echoes of our own sends, and what people
write.

Signals come early, late, twice and in any order; `actions.receive` absorbs all of that.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message that the provider calls `external_id`.

    `is_off_channel`: the error says that the address is not on the channel, so that another one may be.
    """

    external_id: str
    delivered_at: int | None = None
    read_at: int | None = None
    error: str | None = None
    is_off_channel: bool = False


@dataclass(frozen=True, slots=True)
class Echo:
    """A message of ours as the provider wrote it down; `marker` is ours when the provider passes it back."""

    external_id: str
    cursor: int
    marker: str | None = None
    delivered_at: int | None = None
    read_at: int | None = None
    error: str | None = None
    is_off_channel: bool = False


@dataclass(frozen=True, slots=True)
class Inbound:
    """A person wrote."""

    external_id: str
    cursor: int
    address: str
    text: str
    at: int


Signal = Receipt | Echo | Inbound
