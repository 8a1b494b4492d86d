"""A line from its JSON object: `POST /api/lines` makes a `NewLine`, `PATCH /api/lines/{id}` a `LineChange`.

The names are the ones under which `GET /api/lines/by-user` shows the same things; limits are a day's, gaps are in
seconds. What a channel asks for beyond that is its own `Kind`'s to say and to check.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from posthaste.actions.lines import LineChange, NewLine, Resetting
from posthaste.actions.seals import Sealer
from posthaste.api.fields import ADDRESS_CHARS, Fields, flag, given, is_null, own_id, seconds_as_ms, text, whole_number
from posthaste.core.addresses import normalise_email, normalise_phone
from posthaste.core.channels import Form, Kind
from posthaste.core.errors import Refused, shown
from posthaste.core.messages import MessageType
from posthaste.core.windows import zone_named
from posthaste.core.workspaces import Workspace

LIMIT_AT_MOST = 1_000_000
GAP_AT_MOST_S = 86_400
_LONG_CHARS = 8_192
_WANTED = {Form.FLAG: "true or false", Form.NUMBER: "a whole number"}
_CHANNEL_UNLESS_GIVEN = "bluebubbles"

CHANGEABLE = (
    *("isActive", "firstName", "lastName", "timezone"),
    *("dailyNewConversationsLimit", "dailyTotalMessagesLimit", "dailyAvailabilityChecksLimit"),
    *("deviceGapSeconds", "contactGapSeconds"),
)
ADDABLE = (
    *("channel", "messageType", "deviceId", "phone", "email", "firstName", "lastName", "timezone"),
    *("dailyNewConversationsLimit", "dailyTotalMessagesLimit", "dailyAvailabilityChecksLimit"),
    *("deviceGapSeconds", "contactGapSeconds", "checkGapSeconds", "mayStillArriveSeconds"),
)
"""The fields that lines of every channel have; each channel adds its own."""


@dataclass(frozen=True, slots=True)
class Setting:
    """For which channels lines can be added, and what seals their secrets."""

    kinds: Mapping[str, Kind]
    sealer: Sealer


def parse_line_change(fields: Fields, kind: Kind, sealer: Sealer) -> LineChange:
    """Return what is to become different about a line of this channel; what is not given stays."""
    own = {name: value for name, value in _own_fields(fields, kind).items() if value is not None or is_null(fields, name)}
    change = LineChange(
        is_active=flag(fields, "isActive"),
        messages_per_day=_limit(fields, "dailyTotalMessagesLimit"),
        new_per_day=_limit(fields, "dailyNewConversationsLimit"),
        checks_per_day=_limit(fields, "dailyAvailabilityChecksLimit"),
        device_gap_ms=_gap(fields, "deviceGapSeconds"),
        contact_gap_ms=_gap(fields, "contactGapSeconds"),
        timezone=_timezone(fields),
        first_name=_changed_name(fields, "firstName"),
        last_name=_changed_name(fields, "lastName"),
        resetting=Resetting(kind, own, sealer) if own else None,
    )
    if change == LineChange():
        names = (*CHANGEABLE, *kind.field_names())
        raise Refused(f"Nothing to change: give at least one of {', '.join(names)}", code="NOTHING_TO_CHANGE")
    return change


def _changed_name(fields: Fields, name: str) -> str | None:
    return "" if is_null(fields, name) else text(fields, name)


def parse_new_line(fields: Fields, workspace: Workspace, setting: Setting) -> NewLine:
    """Return a line to add, on a device of its own (with what its channel asks for) or on one that is there (`deviceId`)."""
    kind = _kind(fields, setting.kinds)
    message_type = _message_type(fields, kind)
    device_id = own_id(fields, "deviceId")
    phone, email = text(fields, "phone"), text(fields, "email", most_chars=ADDRESS_CHARS)
    _need_address(kind.message_type, phone, email)
    setup = kind.setup_from(_own_fields(fields, kind)) if device_id is None else None
    return NewLine(
        channel=kind.name,
        message_type=message_type,
        kind=kind,
        url=setup.config.get("url", "") if setup else "",
        secret=setting.sealer.seal(setup.secrets) if setup else "",
        config=setup.config if setup else {},
        pace=kind.pace,
        phone=None if phone is None else normalise_phone(phone, workspace.region, "phone"),
        email=None if email is None else normalise_email(email, "email"),
        first_name=text(fields, "firstName"),
        last_name=text(fields, "lastName"),
        timezone=_timezone(fields),
        device_id=device_id,
        messages_per_day=_limit(fields, "dailyTotalMessagesLimit"),
        new_per_day=_limit(fields, "dailyNewConversationsLimit"),
        checks_per_day=_limit(fields, "dailyAvailabilityChecksLimit"),
        device_gap_ms=_gap(fields, "deviceGapSeconds"),
        contact_gap_ms=_gap(fields, "contactGapSeconds"),
        check_gap_ms=_gap(fields, "checkGapSeconds"),
        arrival_ms=_gap(fields, "mayStillArriveSeconds"),
    )


def parse_line_query(query: Mapping[str, str]) -> str:
    """Return the line that a query asks about by `id`."""
    line_id = own_id(query, "id")
    if line_id is None:
        raise Refused("Line ID is required", code="MISSING_FIELD")
    return line_id


def _kind(fields: Fields, kinds: Mapping[str, Kind]) -> Kind:
    found = text(fields, "channel") or _CHANNEL_UNLESS_GIVEN
    if found not in kinds:
        raise Refused(f"channel must be one of {', '.join(kinds)}, got {shown(found)}", code="INVALID_CHANNEL")
    return kinds[found]


def _need_address(message_type: MessageType, phone: str | None, email: str | None) -> None:
    """Refuse a line that could not write: from an e-mail address no SMS is sent, and from a number no e-mail."""
    match message_type:
        case MessageType.IMESSAGE:
            needed, is_given = "phone or email", phone is not None or email is not None
        case MessageType.SMS:
            needed, is_given = "phone", phone is not None
        case MessageType.EMAIL:
            needed, is_given = "email", email is not None
        case _:
            assert_never(message_type)
    if not is_given:
        raise Refused(f"{needed} is required: the address from which the line writes", code="MISSING_FIELD")


def _message_type(fields: Fields, kind: Kind) -> str:
    found = text(fields, "messageType") or kind.message_type
    if found != kind.message_type:
        raise Refused(
            f"messageType must be {kind.message_type} for the channel {kind.name}, got {shown(found)}",
            code="INVALID_MESSAGE_TYPE",
        )
    return kind.message_type


def _own_fields(fields: Fields, kind: Kind) -> dict[str, str | None]:
    """Return what was given of a channel's own fields, as texts; numbers and flags may also come as JSON has them."""
    return {field.name: _as_text(fields, field.name, field.form) for field in kind.fields}


def _as_text(fields: Fields, name: str, form: Form) -> str | None:
    value = given(fields, name)
    if form is Form.FLAG and isinstance(value, bool):
        return "true" if value else "false"
    if form is Form.NUMBER and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is not None and not isinstance(value, str):
        # Without what was given: it may be a secret.
        raise Refused(f"{name} must be {_WANTED.get(form, 'text')}", code="INVALID_TYPE")
    return text(fields, name, most_chars=_LONG_CHARS if form is Form.LONG_TEXT else 2_048)


def _timezone(fields: Fields) -> str | None:
    found = text(fields, "timezone")
    return None if found is None else zone_named(found).key


def _limit(fields: Fields, name: str) -> int | None:
    return whole_number(fields, name, least=0, most=LIMIT_AT_MOST)


def _gap(fields: Fields, name: str) -> int | None:
    return seconds_as_ms(fields, name, most_s=GAP_AT_MOST_S)
