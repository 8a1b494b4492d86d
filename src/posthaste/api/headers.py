"""What a call says in its headers: its key, its id, its `Idempotency-Key` and how long it would like to wait."""

import re
from functools import lru_cache

from posthaste.core.errors import Refused, shown
from posthaste.core.row import Value

IDEMPOTENCY_KEY_CHARS = 255
_KEY = re.compile(r"tuco_sk_[A-Za-z0-9_-]{8,200}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,9})\"?")


class Preference(Value, frozen=True):
    """How long an answer may wait for the outcome, and what of the caller's wish was granted."""

    wait_ms: int
    applied: str | None = None


def parse_key(authorization: str, x_api_key: str) -> str | None:
    """Return the API key of a call, or None if there is none or it cannot be one."""
    scheme, _, credentials = authorization.strip().partition(" ")
    written = credentials.strip() if scheme.lower() == "bearer" else x_api_key.strip()
    return written if _KEY.fullmatch(written) else None


def parse_request_id(written: str) -> str | None:
    """Return the caller's own id of a call if it can be logged and sent back as it is."""
    return written if _REQUEST_ID.fullmatch(written) else None


def parse_idempotency_key(written: str) -> str | None:
    """Return the key under which a call may be repeated."""
    key = written.strip()
    if len(key) > IDEMPOTENCY_KEY_CHARS or not key.isprintable():
        raise Refused(
            f"Idempotency-Key must be at most {IDEMPOTENCY_KEY_CHARS} printable characters, got {shown(key)}",
            code="INVALID_IDEMPOTENCY_KEY",
        )
    return key or None


@lru_cache(maxsize=256)
def parse_preference(written: str, default_ms: int, most_ms: int) -> Preference:
    """Return how long to wait. `wait` decides over `respond-async` (RFC 7240); what cannot be read is ignored."""
    if not written:
        return Preference(default_ms)
    wishes = [wish.strip().lower() for wish in re.split(r"[,;]", written)]
    waits = [match for wish in wishes if (match := _WAIT.fullmatch(wish))]
    if waits:
        wait_ms = min(int(waits[0][1]) * 1000, most_ms)
        return Preference(wait_ms, f"wait={wait_ms // 1000}")
    if "respond-async" in wishes:
        return Preference(0, "respond-async")
    return Preference(default_ms)
