"""The shapes of what Twilio says, and how its texts become numbers and instants.

Nothing is decided here beyond reading; what a message or an answer means is in `meaning`. The shapes are those of
Twilio's published interface document (`api_v2010`); fields that nothing of ours depends on are not read.
"""

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct, field

from posthaste.channels.reading import Word, instant_of_mail

_FIELDS_AT_MOST = 1_000


class Row(Struct, frozen=True):
    """One message as Twilio keeps it, of either direction; dates are RFC 2822 texts."""

    sid: Word
    status: str = ""
    direction: str = ""
    body: str | None = None
    to: str | None = None
    from_: str | None = field(default=None, name="from")
    num_media: str | None = None
    error_code: int | None = None
    date_created: str | None = None
    date_updated: str | None = None
    messaging_service_sid: str | None = None

    @property
    def made_at(self) -> int | None:
        return instant(self.date_created)

    @property
    def changed_at(self) -> int | None:
        return instant(self.date_updated)

    @property
    def is_outbound(self) -> bool:
        return self.direction.startswith("outbound")

    @property
    def is_written(self) -> bool:
        """Whether a person wrote it; what is still coming in has not all of its files yet."""
        return self.direction == "inbound" and bool(self.from_) and self.status != "receiving"

    @property
    def media(self) -> int:
        return number(self.num_media)


class Page(Struct, frozen=True):
    """A page of a list, newest first; `next_page_uri` leads to the next, if there is one."""

    messages: list[Row]
    next_page_uri: str | None = None


class Medium(Struct, frozen=True):
    """A file of a message."""

    sid: Word
    content_type: str | None = None


class Media(Struct, frozen=True):
    media_list: list[Medium]


class Fault(Struct, frozen=True):
    """What every error of Twilio itself is wrapped in."""

    code: int


class Account(Struct, frozen=True):
    sid: str
    status: str = ""
    type: str = ""


class PhoneNumber(Struct, frozen=True):
    """A number of the account, and where what people write to it is reported."""

    sid: Word
    phone_number: str = ""
    sms_url: str | None = None
    sms_method: str | None = None
    sms_application_sid: str | None = None


class PhoneNumbers(Struct, frozen=True):
    incoming_phone_numbers: list[PhoneNumber]


def number(text: str | None) -> int:
    """Return a small number that was written as a text, 0 where there is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def instant(text: str | None) -> int | None:
    """Return a date as Twilio and HTTP write it in milliseconds."""
    return instant_of_mail(text) if text else None


def day_and_time(at: int) -> str:
    """Write an instant as Twilio's filters take it."""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def form(text: str) -> list[tuple[str, str]]:
    """Return the fields of a form or query as they came, blank ones and repetitions included; none if it is not one."""
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_AT_MOST)
    except ValueError:
        return []


def query_of(uri: str) -> dict[str, str]:
    """Return the query of an address that Twilio names; nothing else of it is used, so that it can lead nowhere else."""
    try:
        return dict(form(urlsplit(uri).query))
    except ValueError:
        return {}
