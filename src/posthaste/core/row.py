"""The bases of values that are made by the thousand a second: rows of a table, and what accepting a message passes on.

They are msgspec structs, frozen like every other value here: making one costs a fifth of a frozen dataclass or less,
and a message makes two dozen on its way. `replace` returns a changed copy.
"""

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["Row", "Value", "replace"]


class Value(Struct, frozen=True):
    """A frozen value of which every message makes some."""


class Row(Value, frozen=True):
    """A frozen value whose fields are a table's columns, in order."""
