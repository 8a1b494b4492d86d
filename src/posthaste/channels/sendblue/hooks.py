"""The webhooks that a line has at Sendblue, and whether a call of one is Sendblue's."""

import hmac
from collections.abc import Mapping
from typing import Final

from posthaste.channels.base import Connection
from posthaste.channels.sendblue import meaning
from posthaste.channels.sendblue.wire import Hook
from posthaste.core.hooks import HookCall

HOOK_KINDS: Final = ("receive", "outbound", "typing_indicator")

_SECRET_HEADER = "sb-signing-secret"


def hook_of(device: Connection, kind: str) -> Hook:
    number = device.config.get("fromNumber", "")
    # Only for what people write can a webhook be told of some numbers alone.
    return Hook(device.hook_url, device.secrets.get("webhookSecret"), [number] if number and kind == "receive" else None)


def hook_json(hook: Hook) -> Mapping[str, object]:
    fields = {"url": hook.url, "secret": hook.secret, "sendblue_numbers": hook.sendblue_numbers}
    return {name: value for name, value in fields.items() if value}


def is_proven(device: Connection, call: HookCall) -> bool:
    """Tell whether a call carries the secret, if there is one.

    Callbacks about our own messages may come without any, which Sendblue does not promise for them, but not with a wrong one;
    the address that they come to is a secret as well.
    """
    secret, given = device.secrets.get("webhookSecret", ""), call.headers.get(_SECRET_HEADER)
    if not secret:
        return True
    return meaning.is_about_ours(call.body) if given is None else hmac.compare_digest(given.encode(), secret.encode())
