"""A line from its JSON object: `POST /api/lines` makes a `NewLine`, `PATCH /api/lines/{id}` a `LineChange`.

The names are the ones under which `GET /api/lines/by-user` shows the same things; limits are a day's, gaps are in
seconds.
"""

from urllib.parse import urlsplit

from posthaste.actions.lines import LineChange, NewLine
from posthaste.api.fields import Fields, flag, own_id, seconds_as_ms, text, whole_number
from posthaste.core.addresses import normalise_email, normalise_phone
from posthaste.core.errors import Refused, shown
from posthaste.core.messages import MessageType
from posthaste.core.windows import zone_named
from posthaste.core.workspaces import Workspace

CHANNELS = {"bluebubbles": MessageType.IMESSAGE}
"""The channels that a line can be added for, with the type of message that each carries."""

LIMIT_AT_MOST = 1_000_000
GAP_AT_MOST_S = 86_400
_URL_CHARS = 2048

CHANGEABLE = (
    "isActive",
    "dailyNewConversationsLimit",
    "dailyTotalMessagesLimit",
    "deviceGapSeconds",
    "contactGapSeconds",
    "timezone",
)
ADDABLE = (
    *("channel", "messageType", "url", "password", "deviceId", "phone", "email", "firstName", "lastName", "timezone"),
    *("dailyNewConversationsLimit", "dailyTotalMessagesLimit", "dailyAvailabilityChecksLimit"),
    *("deviceGapSeconds", "contactGapSeconds", "checkGapSeconds", "mayStillArriveSeconds"),
)


def parse_line_change(fields: Fields) -> LineChange:
    """Return what is to become different; what is not given stays."""
    change = LineChange(
        is_active=flag(fields, "isActive"),
        messages_per_day=_limit(fields, "dailyTotalMessagesLimit"),
        new_per_day=_limit(fields, "dailyNewConversationsLimit"),
        device_gap_ms=_gap(fields, "deviceGapSeconds"),
        contact_gap_ms=_gap(fields, "contactGapSeconds"),
        timezone=_timezone(fields),
    )
    if change == LineChange(None, None, None, None, None, None):
        raise Refused(f"Nothing to change: give at least one of {', '.join(CHANGEABLE)}", code="NOTHING_TO_CHANGE")
    return change


def parse_new_line(fields: Fields, workspace: Workspace) -> NewLine:
    """Return a line to add, on a device of its own (`url`, `password`) or on one that is there (`deviceId`)."""
    channel = _channel(fields)
    device_id = own_id(fields, "deviceId")
    phone, email = text(fields, "phone"), text(fields, "email", most_chars=320)
    if phone is None and email is None:
        raise Refused("phone or email is required: the address from which the line writes", code="MISSING_FIELD")
    return NewLine(
        channel=channel,
        message_type=_message_type(fields, channel),
        url=_url(fields, is_needed=device_id is None),
        secret=_secret(fields, is_needed=device_id is None),
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


def _channel(fields: Fields) -> str:
    found = text(fields, "channel") or "bluebubbles"
    if found not in CHANNELS:
        raise Refused(f"channel must be one of {', '.join(CHANNELS)}, got {shown(found)}", code="INVALID_CHANNEL")
    return found


def _message_type(fields: Fields, channel: str) -> str:
    carried = CHANNELS[channel]
    found = text(fields, "messageType") or carried
    if found != carried:
        raise Refused(f"messageType must be {carried} for the channel {channel}, got {shown(found)}", code="INVALID_MESSAGE_TYPE")
    return carried


def _url(fields: Fields, *, is_needed: bool) -> str:
    found = text(fields, "url", most_chars=_URL_CHARS)
    if found is None:
        if is_needed:
            raise Refused("url is required: the address of the BlueBubbles server", code="MISSING_FIELD")
        return ""
    # The value is not shown: it may hold a password.
    if not _is_server(found):
        raise Refused("url must be an http or https address without a query", code="INVALID_URL")
    return found.rstrip("/")


def _is_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # an unclosed bracket in the host, a port that is no number
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and not (parts.query or parts.fragment)


def _secret(fields: Fields, *, is_needed: bool) -> str:
    found = text(fields, "password")
    if found is None and is_needed:
        raise Refused("password is required: the password of the BlueBubbles server", code="MISSING_FIELD")
    return found or ""


def _timezone(fields: Fields) -> str | None:
    found = text(fields, "timezone")
    return None if found is None else zone_named(found).key


def _limit(fields: Fields, name: str) -> int | None:
    return whole_number(fields, name, least=0, most=LIMIT_AT_MOST)


def _gap(fields: Fields, name: str) -> int | None:
    return seconds_as_ms(fields, name, most_s=GAP_AT_MOST_S)
