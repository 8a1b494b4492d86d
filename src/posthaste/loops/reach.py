"""How a device is reached: its row, with its secrets opened and the address under which it reports to us."""

from collections.abc import Callable, Mapping
from typing import Protocol

from posthaste.channels.base import Connection
from posthaste.store.devices import Access


class Opener(Protocol):
    """What opens sealed secrets."""

    def open(self, sealed: str, /) -> Mapping[str, str]: ...


class Reach:
    """Turns rows of devices into connections."""

    def __init__(self, opener: Opener, hook_url: Callable[[Access], str]) -> None:
        self._opener, self._hook_url = opener, hook_url

    def __call__(self, access: Access) -> Connection:
        return Connection(
            access.device_id,
            access.url,
            self._opener.open(access.secret),
            access.options,
            access.config,
            self._hook_url(access),
        )
