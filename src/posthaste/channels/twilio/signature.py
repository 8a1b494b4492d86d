"""Whether a callback is Twilio's: it signs what it calls with the token of the account.

The signature is HMAC-SHA1 in base64, over the address that was called, its query included, and of a form all fields in the
order of their names, each name with its value behind it. Twilio leaves the port out of the address in some cases and writes it
out in others, so that both spellings count. Its own helper library does the same, and tests hold this against it.
"""

from base64 import b64encode
from collections.abc import Sequence
from hmac import compare_digest, digest
from urllib.parse import urlsplit

from posthaste.channels.twilio.wire import form
from posthaste.core.hooks import HookCall

_HTTPS, _HTTP = 443, 80


def is_signed(call: HookCall, hook_url: str, token: str) -> bool:
    """Tell whether the holder of `token` made this call to `hook_url`; without a token nobody did."""
    given = call.headers.get("x-twilio-signature", "")
    if not token or not given:
        return False
    rest = (f"?{call.query}" if call.query else "") + ("" if call.method == "GET" else _fields(call.body))
    # Every spelling is tried, whichever fits, so that the time it takes tells nothing.
    fits = [compare_digest(signature(token, url + rest), given.encode()) for url in _spellings(hook_url)]
    return any(fits)


def signature(token: str, text: str) -> bytes:
    return b64encode(digest(token.encode(), text.encode(), "sha1"))


def _fields(body: bytes) -> str:
    fields = form(body.decode(errors="replace"))
    return "".join(name + value for name, value in sorted(set(fields)))


def _spellings(url: str) -> Sequence[str]:
    parts = urlsplit(url)
    host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    port = parts.port or (_HTTPS if parts.scheme == "https" else _HTTP)
    return [parts._replace(netloc=host).geturl(), parts._replace(netloc=f"{host}:{port}").geturl()]
