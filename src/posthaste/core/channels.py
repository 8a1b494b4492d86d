"""What a channel is to everybody but its own file: what it carries, what it promises, and what a line of it is set up with.

Each file in `channels/` states one `Kind`. The API and the command line read its fields to add lines, the engine reads
its promises instead of guessing, and docs/channels.md is held against both by a test.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from posthaste.core.errors import Refused, shown
from posthaste.core.messages import MessageType


class Form(StrEnum):
    """What the value of a field has to look like."""

    TEXT = "text"
    LONG_TEXT = "long text"
    URL = "url"
    PHONE = "phone number"
    NUMBER = "number"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Field:
    """One setting of a channel's lines, by the name that it has in the API; what is secret is sealed and never shown.

    `default` stands in for what is not given; a field that is needed has none. A secret is worth asking for once the field
    that it is `asked_with` is given: a password with its user name.
    """

    name: str
    meaning: str
    form: Form = Form.TEXT
    is_needed: bool = False
    is_secret: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()
    asked_with: str = ""


@dataclass(frozen=True, slots=True)
class Promises:
    """What a provider can do, so that the engine reads it instead of guessing.

    `repeats_safely`: a second hand-over with the same key is known and not sent again, however late the first arrives.
    `has_webhooks`: it reports to an address of ours, if it can reach one.
    """

    repeats_safely: bool
    can_find: bool
    can_check: bool
    has_receipts: bool
    has_attachments: bool
    has_replies: bool = True
    has_webhooks: bool = True


@dataclass(frozen=True, slots=True)
class Pace:
    """How a device of this channel is paced unless its line says otherwise; None stands for the server's settings.

    `arrival_ms`: how long a text may still arrive after its hand-over; `files_arrival_ms` the same with attachments.
    """

    gap_ms: int | None = None
    contact_gap_ms: int | None = None
    max_in_flight: int = 1
    arrival_ms: int | None = None
    files_arrival_ms: int | None = None


DEFAULT_PACE = Pace()


@dataclass(frozen=True, slots=True)
class Kind:
    """One channel; `title` names it in words, `check` refuses settings that do not fit together or say nothing sensible.

    `told_by` are the fields that together tell one device from another, none of them secret; where the first is not given,
    or there are none, nobody can tell.
    """

    name: str
    title: str
    message_type: MessageType
    promises: Promises
    fields: tuple[Field, ...]
    told_by: tuple[str, ...] = ()
    pace: Pace = DEFAULT_PACE
    check: "Callable[[Setup], None] | None" = None

    def field_names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    def device_meant(self, config: Mapping[str, str]) -> tuple[str, ...]:
        """Return what tells the device of these settings, the same in whichever way it is written; nothing if nobody can tell."""
        told = {field.name: _plain(field, config.get(field.name) or field.default) for field in self.fields}
        return tuple(told[name] for name in self.told_by) if self.told_by and told[self.told_by[0]] else ()

    def leads_elsewhere(self, before: Mapping[str, str], after: Mapping[str, str]) -> bool:
        """Tell whether settings lead to another device than before. Of one that is told by its address alone nobody knows: it
        may have moved.
        """
        return "url" not in self.told_by and self.device_meant(before) != self.device_meant(after)

    def setup_from(self, given: Mapping[str, str | None]) -> "Setup":
        """Return the settings of a line from what was given, or refuse it, naming the field; a secret is never shown."""
        values = {field.name: _value(self, field, given.get(field.name)) for field in self.fields}
        setup = Setup(
            {field.name: values[field.name] for field in self.fields if not field.is_secret and values[field.name]},
            {field.name: values[field.name] for field in self.fields if field.is_secret and values[field.name]},
        )
        if self.check is not None:
            self.check(setup)
        return setup

    def changed(self, setup: "Setup", given: Mapping[str, str | None]) -> "Setup":
        """Return settings with some of them anew, checked as a whole; None takes one away, or back to its default."""
        return self.setup_from({**setup.config, **setup.secrets, **given})


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings of one device: what may be shown, and what is kept sealed."""

    config: Mapping[str, str]
    secrets: Mapping[str, str]


_DIGITS = 9
_USUAL_PORTS = {"http": 80, "https": 443}
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_FLAGS = {"true": "true", "false": "false", "yes": "true", "no": "false", "on": "true", "off": "false", "1": "true", "0": "false"}


def _value(kind: Kind, field: Field, given: str | None) -> str:
    value = (given or "").strip() or field.default
    if not value:
        if field.is_needed:
            raise Refused(f"{field.name} is required for {kind.name}: {field.meaning}", code="MISSING_FIELD")
        return ""
    said = "what was given" if field.is_secret else shown(value)
    if field.choices and value not in field.choices:
        raise Refused(f"{field.name} must be one of {', '.join(field.choices)}, got {said}", code="INVALID_CHOICE")
    match field.form:
        case Form.URL:
            return _url(field.name, value)
        case Form.PHONE if not _PHONE.fullmatch(value):
            raise Refused(f"{field.name} must be a number as +16285550123, got {said}", code="INVALID_PHONE")
        case Form.NUMBER if not (value.isascii() and value.isdecimal() and len(value) <= _DIGITS):
            raise Refused(f"{field.name} must be a whole number, got {said}", code="INVALID_TYPE")
        case Form.FLAG if value.lower() not in _FLAGS:
            raise Refused(f"{field.name} must be true or false, got {said}", code="INVALID_TYPE")
        case Form.FLAG:
            return _FLAGS[value.lower()]
        case _:
            return value


def _plain(field: Field, value: str) -> str:
    """Write what means the same in one way: capitals, and in addresses the usual port and a slash at the end."""
    if field.form is not Form.URL or not value:
        return value.lower()
    parts = urlsplit(value)
    port = parts.port or _USUAL_PORTS[parts.scheme]
    return f"{parts.scheme}://{parts.hostname}:{port}{parts.path.rstrip('/')}"


def _url(name: str, value: str) -> str:
    # The value is not shown: it may hold a password, and is refused then, for an address is kept and told in clear.
    try:
        parts = urlsplit(value)
        is_server = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an unclosed bracket in the host, a port that is no number
        is_server = False
    if not is_server or "@" in parts.netloc or parts.query or parts.fragment:
        raise Refused(f"{name} must be an http or https address without a user name or a query", code="INVALID_URL")
    return value.rstrip("/")
