"""Read what strangers send in the shapes that a channel knows."""

from typing import TypeVar

import msgspec

T = TypeVar("T")


def read(raw: bytes | msgspec.Raw, shape: type[T]) -> T | None:
    """Parse JSON into a shape; None if it is not that."""
    try:
        return msgspec.json.decode(raw, type=shape)
    # Deep nesting is a RecursionError.
    except (msgspec.DecodeError, RecursionError):
        return None
