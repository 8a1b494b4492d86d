"""A device's call to our webhook, and what it is answered with: plain values between the API and the channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posthaste.core.signals import Signal


@dataclass(frozen=True, slots=True)
class HookCall:
    """What a device sent: `query` is the raw text behind the `?`, names of `headers` are lower-case."""

    method: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """What a call meant, and what it is answered with once its signals are stored."""

    signals: Sequence[Signal]
    status: int = 200
    body: bytes = b'{"success":true}'
    media_type: bytes = b"application/json"
