"""The shapes of what Sendblue says: messages, lists of them, webhooks, and how JSON becomes one of them.

Nothing is decided here beyond reading; what a message or an answer means is in `meaning`. Every field is optional,
because the API, the list and the webhooks each leave out others, and what is not known is ignored.
"""

from datetime import UTC

from msgspec import Raw, Struct

from posthaste.channels.reading import Text, instant, read


class Handle(Struct, frozen=True):
    """A message that another one answers."""

    message_handle: Text | None = None


class Row(Struct, frozen=True):
    """One message, of either direction, as an answer, a list or a webhook shows it; `number` is always the other side's."""

    message_handle: Text | None = None
    content: str | None = None
    is_outbound: bool | None = None
    status: str | None = None
    error_code: int | str | None = None
    error_key: str | None = None
    number: Text | None = None
    from_number: Text | None = None
    to_number: Text | None = None
    sendblue_number: Text | None = None
    media_url: str | None = None
    group_id: str | None = None
    message_type: str | None = None
    date_sent: str | None = None
    date_created: str | None = None
    date_updated: str | None = None
    reply_to: Handle | None = None
    thread_originator: Handle | None = None

    @property
    def is_group(self) -> bool:
        return bool(self.group_id) or self.message_type == "group"

    @property
    def made_at(self) -> int | None:
        return instant(self.date_sent, UTC) or instant(self.date_created, UTC) or instant(self.date_updated, UTC)

    @property
    def changed_at(self) -> int | None:
        return instant(self.date_updated, UTC) or self.made_at

    @property
    def own_number(self) -> str | None:
        """Return which of the account's numbers it went from or came to."""
        return self.sendblue_number or (self.from_number if self.is_outbound else self.to_number)

    @property
    def other_number(self) -> str | None:
        """Return the person's address; who writes from an Apple ID has an e-mail address."""
        number = self.number or (self.to_number if self.is_outbound else self.from_number)
        return number.lower() if number else None


class Pagination(Struct, frozen=True, rename="camel"):
    has_more: bool = False


class Rows(Struct, frozen=True):
    """A page of messages, each to be read by itself: an odd one must not hide the others."""

    data: list[Raw]
    pagination: Pagination = Pagination()

    @property
    def legible(self) -> list[Row]:
        return [row for one in self.data if (row := read(one, Row)) is not None]


class Evaluation(Struct, frozen=True):
    """How a number can be written to."""

    service: str | None = None


class Hook(Struct, frozen=True):
    """A webhook; `numbers` are the lines that it is told of, all if there are none."""

    url: str
    secret: str | None = None
    sendblue_numbers: list[str] | None = None


class Hooks(Struct, frozen=True):
    """The webhooks of an account by what they are told."""

    receive: list[str | Hook] | None = None
    outbound: list[str | Hook] | None = None
    typing_indicator: list[str | Hook] | None = None

    def of(self, kind: str) -> list[Hook]:
        """Return those of one kind, whichever way each is written."""
        found: list[str | Hook] = getattr(self, kind) or []
        return [Hook(one) if isinstance(one, str) else one for one in found]


class Account(Struct, frozen=True):
    webhooks: Hooks | None = None


class Dots(Struct, frozen=True):
    """Somebody types, or no longer does."""

    is_typing: bool
    number: Text | None = None
    from_number: Text | None = None
    to_number: Text | None = None
    sendblue_number: Text | None = None

    @property
    def own_number(self) -> str | None:
        return self.sendblue_number or self.to_number

    @property
    def other_number(self) -> str | None:
        number = self.number or self.from_number
        return number.lower() if number else None
