"""The store as everything above it sees it: write, read, and be woken.

There are three: SQLite behind one writer thread, PostgreSQL behind a pool of threads, and the inline SQLite of the
simulation, which runs an action at once on the caller's own thread. All run the same actions over the same SQL.
"""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from posthaste.store.transaction import Transaction

P = ParamSpec("P")
T = TypeVar("T")


class Store(Protocol):
    """A database that runs actions."""

    async def write(self, action: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an action in one transaction and resume after its commit. Its exception rolls it back and comes out here."""
        ...

    async def read(self, action: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a reading action on a consistent snapshot."""
        ...

    def on_wake(self, topic: str, call: Callable[[str], None]) -> Callable[[], None]:
        """Call `call(topic)` on the event loop whenever a committed transaction woke `topic`; return how to stop that.

        A topic that ends in `*` stands for all topics that start so. Wakes may be lost (a dead connection): nobody may rely on
        them alone.
        """
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of the database."""
        ...
