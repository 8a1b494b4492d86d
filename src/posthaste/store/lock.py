"""The exclusive lock of a data folder: one process works on it, and a second one is refused in one line.

Because of it a starting process knows that every lease in its SQLite file is void. The kernel lets go of the lock
when the process dies, however it dies; the file stays and means nothing by itself. PostgreSQL needs none of this.
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from posthaste.store.errors import FolderInUse

NAME = "posthaste.lock"


def hold(folder: Path) -> Callable[[], None]:
    """Take the folder's lock, or raise `FolderInUse`; return how to let go of it."""
    descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise FolderInUse(f"{folder} is in use by process {holder or '(unknown)'}") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    held = [descriptor]

    def release() -> None:
        # The file is not removed: a third process might then hold the removed one, and a fourth a fresh one.
        if held:
            os.close(held.pop())

    return release
