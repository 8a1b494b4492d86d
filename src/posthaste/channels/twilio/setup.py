"""What a line of Twilio is set up with: how its settings have to look, and what they come to in a request."""

import re
from base64 import b64encode
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from posthaste.channels.base import Connection
from posthaste.core.channels import Setup
from posthaste.core.errors import Refused, shown

_LOOKS: Mapping[str, tuple[str, str]] = {
    "accountSid": (r"AC[0-9a-fA-F]{32}", "AC and 32 hex digits"),
    "apiKeySid": (r"SK[0-9a-fA-F]{32}", "SK and 32 hex digits"),
    "messagingServiceSid": (r"MG[0-9a-fA-F]{32}", "MG and 32 hex digits"),
    "number": (r"\+[1-9][0-9]{6,14}", "a number as +16285550123"),
}


def check(setup: Setup) -> None:
    """Refuse ids that can be none of Twilio's, and half an API key."""
    for name, (look, words) in _LOOKS.items():
        value = setup.config.get(name)
        if value and not re.fullmatch(look, value):
            raise Refused(f"{name} must be {words}, got {shown(value)}", code="INVALID_ID")
    if ("apiKeySid" in setup.config) != ("apiKeySecret" in setup.secrets):
        missing = "apiKeySecret" if "apiKeySid" in setup.config else "apiKeySid"
        raise Refused(f"{missing} is required: an API key has an id and a secret", code="MISSING_FIELD")


def account_path(device: Connection) -> str:
    return f"/2010-04-01/Accounts/{device.config.get('accountSid', '')}"


def base_url(device: Connection) -> str:
    return device.config.get("baseUrl", "")


def pool_of(device: Connection) -> str:
    """Return the id of the pool of numbers to send from, which Twilio calls a messaging service."""
    return device.config.get("messagingServiceSid", "")


def number_of(device: Connection) -> str:
    return device.config.get("number", "")


def way_of(device: Connection, phone: str | None) -> str:
    """Name the account and the sender that a message goes from, the only place where it can be found again."""
    return f"{device.config.get('accountSid', '')}/{pool_of(device) or phone or ''}"


def token_of(device: Connection) -> str:
    return device.secrets.get("authToken", "")


def authorization(device: Connection) -> Mapping[str, str]:
    """Return the header that proves who asks: the API key where there is one, else the account and its token."""
    user, password = device.config.get("apiKeySid"), device.secrets.get("apiKeySecret")
    if not user or not password:
        user, password = device.config.get("accountSid", ""), token_of(device)
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


def is_public(url: str) -> bool:
    """Tell whether Twilio could call an address: a name without a dot is known to one network alone."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and "_" not in host and not host.endswith((".localhost", ".local", ".internal"))
