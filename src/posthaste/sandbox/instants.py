"""Times as ISO 8601 writes them, and as milliseconds."""

import datetime as dt

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def iso(at: int) -> str:
    """Write milliseconds as an ISO 8601 time."""
    seconds, ms = divmod(at, 1000)
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


def instant(text: str) -> int:
    """Read an ISO 8601 time, in UTC unless it says otherwise; a blank in it was a `+` that nobody escaped. Raise `ValueError`."""
    at = dt.datetime.fromisoformat(text.strip().replace(" ", "+"))
    aware = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    return (aware - _EPOCH) // dt.timedelta(milliseconds=1)
