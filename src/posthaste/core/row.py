"""The base of values that are rows of a table: read, changed and written by the thousand a second.

They are msgspec structs, frozen like every other value here: making one costs a fifth of a frozen dataclass, and
sending a message makes a dozen. `replace` returns a changed copy.
"""

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["Row", "replace"]


class Row(Struct, frozen=True):
    """A frozen value whose fields are a table's columns, in order."""
