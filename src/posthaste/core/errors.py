"""Every error that Posthaste raises on purpose, in one tree.

    PosthasteError
    ├── Refused               400  what was asked cannot be done as asked
    ├── Unauthorized          401  no key, or none that we know
    ├── ReadOnly              402  the workspace takes no writes
    ├── Forbidden             403  the key is known, but this is not its to do
    ├── NotFound              404  no such thing, or another workspace's
    ├── Conflict              409  the thing is in a state that rules this out
    ├── TooLarge              413  the body is above the limit
    ├── UnsupportedMediaType  415  the body is of a kind that we never read
    ├── Mismatch              422  an idempotency key that came with another body
    ├── TooManyRequests       429  come back in `retry_after_s`; nothing was changed
    ├── Unavailable           503  we cannot answer now
    └── SettingError               the program cannot start as it is configured

Decide on the class or the `code`, never on the text. What is expected to happen (a hold, a fallback, an ambiguous
answer from a provider) is a value elsewhere and has no place here.
"""

# ruff: noqa: N818 - `raise NotFound(...)` says what happened; "Error" behind each name would add nothing.

from collections.abc import Mapping

_SHOWN_CHARACTERS = 60


class PosthasteError(Exception):
    """An error with a stable `code`, an HTTP `status`, one clear sentence and further keys for the answer's body."""

    def __init__(self, message: str, *, code: str, status: int, extra: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.extra: Mapping[str, object] = dict(extra or {})


class Refused(PosthasteError):
    def __init__(
        self,
        message: str,
        code: str = "INVALID_REQUEST",
        status: int = 400,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, code=code, status=status, extra=extra)


class Unauthorized(PosthasteError):
    def __init__(self, message: str = "Unauthorized", code: str = "UNAUTHORIZED") -> None:
        super().__init__(message, code=code, status=401)


class ReadOnly(PosthasteError):
    def __init__(self, reason: str = "past_due") -> None:
        super().__init__("READ_ONLY", code="READ_ONLY", status=402, extra={"reason": reason})


class Forbidden(PosthasteError):
    def __init__(self, message: str = "Forbidden", code: str = "FORBIDDEN") -> None:
        super().__init__(message, code=code, status=403)


class NotFound(PosthasteError):
    def __init__(self, message: str = "Not found", code: str = "NOT_FOUND") -> None:
        super().__init__(message, code=code, status=404)


class Conflict(PosthasteError):
    def __init__(self, message: str, code: str = "CONFLICT", extra: Mapping[str, object] | None = None) -> None:
        super().__init__(message, code=code, status=409, extra=extra)


class TooLarge(PosthasteError):
    def __init__(self, message: str = "Request body is too large", code: str = "BODY_TOO_LARGE") -> None:
        super().__init__(message, code=code, status=413)


class UnsupportedMediaType(PosthasteError):
    def __init__(self, message: str = "Request body must be JSON, not multipart", code: str = "UNSUPPORTED_MEDIA_TYPE") -> None:
        super().__init__(message, code=code, status=415)


class Mismatch(PosthasteError):
    def __init__(
        self,
        message: str = "This Idempotency-Key was already used with a different request body",
        code: str = "IDEMPOTENCY_MISMATCH",
    ) -> None:
        super().__init__(message, code=code, status=422)


class TooManyRequests(PosthasteError):
    """The caller goes too fast; `retry_after_s` becomes the `Retry-After` header."""

    def __init__(
        self,
        message: str = "Too many requests",
        *,
        retry_after_s: int,
        code: str = "TOO_MANY_REQUESTS",
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, code=code, status=429, extra=extra)
        self.retry_after_s = retry_after_s


class Unavailable(PosthasteError):
    def __init__(self, message: str = "Service unavailable", code: str = "UNAVAILABLE") -> None:
        super().__init__(message, code=code, status=503)


class SettingError(PosthasteError):
    """A setting or the machine does not allow a start; printed as one line, never answered over HTTP."""

    def __init__(self, message: str, code: str = "INVALID_SETTING") -> None:
        super().__init__(message, code=code, status=500)


def shown(value: object) -> str:
    """Quote a value for an error's sentence: shortened, and with all that cannot be printed or encoded escaped."""
    text = value if isinstance(value, str) else repr(value)
    kept = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    return repr(kept) if isinstance(value, str) else kept
