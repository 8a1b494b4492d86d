"""How logs are written: one event, one line, `key=value`, to the standard error. The only place that sets logging up.

Addresses and texts of messages never stand in a log. That is why an exception is written as its type and where it
came from: its own words may quote a row. They are added at the level debug alone.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from traceback import extract_tb

from posthaste.core.errors import SettingError

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_FRAMES = 8
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/+")


def write_logs(level: str) -> None:
    """Send the logs of this process to the standard error from now on."""
    if level.lower() not in _LEVELS:
        raise SettingError(f"log_level is {level!r}, which is not one of {', '.join(_LEVELS)}")
    out = logging.StreamHandler(sys.stderr)
    out.setFormatter(Lines(with_words=level.lower() == "debug"))
    logging.basicConfig(handlers=[out], level=_LEVELS[level.lower()], force=True)
    logging.captureWarnings(True)
    # They tell their own life (started, waiting, finished), which ours tells already.
    for name in ("uvicorn", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, _LEVELS[level.lower()]))


class Lines(logging.Formatter):
    """Each record as one line."""

    def __init__(self, *, with_words: bool) -> None:
        super().__init__()
        self._with_words = with_words

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        parts = {"at": at, "level": record.levelname.lower(), "from": record.name, "says": record.getMessage()}
        if record.exc_info and record.exc_info[1] is not None:
            parts |= self._failure(record.exc_info[1])
        return " ".join(f"{key}={_quoted(value)}" for key, value in parts.items())

    def _failure(self, error: BaseException) -> dict[str, str]:
        frames = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}:{frame.name}" for frame in extract_tb(error.__traceback__)]
        failure = {"error": type(error).__name__, "where": " ".join(frames[-_FRAMES:])}
        return failure | ({"words": str(error)} if self._with_words else {})


def _quoted(value: str) -> str:
    return value if value and _PLAIN.issuperset(value) else json.dumps(value, ensure_ascii=False)
