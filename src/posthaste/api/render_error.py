"""Every error as a client sees it: `{"error": "...", "code": "..."}` and the headers that belong to its status."""

from posthaste.api.calls import Answer
from posthaste.core.errors import PosthasteError, TooManyRequests, Unauthorized, Unavailable
from posthaste.store.errors import StoreUnavailable

_AGAIN_AFTER_S = 1


def render_error(error: PosthasteError) -> Answer:
    """Return the answer for an error that was raised on purpose."""
    return Answer(error.status, _body(error), _headers(error))


def internal_error(request_id: str) -> Answer:
    """Return the answer for a mistake of ours: nothing but an id by which the log tells more."""
    return Answer(500, {"error": "Internal server error", "requestId": request_id})


def no_such_route() -> Answer:
    return Answer(404, {"error": "Not found", "code": "NO_SUCH_ROUTE"})


def no_such_method(allowed: str) -> Answer:
    body = {"error": f"Method not allowed, use {allowed}", "code": "METHOD_NOT_ALLOWED"}
    return Answer(405, body, ((b"allow", allowed.encode()),))


def _body(error: PosthasteError) -> dict[str, object]:
    # The documented body of a 401 is this one word, so that nobody learns why a key was refused.
    if isinstance(error, Unauthorized):
        return {"error": error.message}
    # What the database's driver said may name hosts and files.
    if isinstance(error, StoreUnavailable):
        return {"error": "The database is away, come back in a moment", "code": error.code}
    return {"error": error.message, "code": error.code, **error.extra}


def _headers(error: PosthasteError) -> tuple[tuple[bytes, bytes], ...]:
    match error:
        case TooManyRequests():
            return ((b"retry-after", str(error.retry_after_s).encode()),)
        case Unavailable():
            return ((b"retry-after", str(_AGAIN_AFTER_S).encode()),)
        case Unauthorized():
            return ((b"www-authenticate", b"Bearer"),)
        case _:
            return ()
