"""Waiting until a message has an outcome or a hold, for callers who would like to be told.

A wake-up of the message's topic makes us look again at once; since wake-ups may be lost, we also look every now and
then, ever more rarely. The message is durable before anybody waits, so nothing that fails here may become an error:
the last view is then the answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from posthaste.actions.show import MessageView, views_of
from posthaste.core.errors import NotFound, PosthasteError
from posthaste.core.lifecycle import Status
from posthaste.store.base import Store
from posthaste.store.gather import Gatherer
from posthaste.store.transaction import Transaction

_LOOK_FIRST_S = 0.2
_LOOK_RARELY_S = 2.0
#: Less than this is no time left: a timer that short rings at once, and time would not have moved when we look again.
_LEAST_S = 0.001
_READ_MAX = 64
_REMEMBERED = 4096
_TOPIC = "message:"


class Watch:
    """Everybody in this process who waits for a message."""

    def __init__(self, store: Store) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        # A message can be sent between its commit and the moment its caller begins to listen: wake-ups of the last
        # moments are kept, so that such a caller looks at once.
        self._lately: dict[str, None] = {}
        self._reader: Gatherer[str, MessageView] = Gatherer(_reading(store), _READ_MAX)
        store.on_wake(_TOPIC + "*", self._wake)

    async def until_settled(self, view: MessageView, wait_ms: int) -> MessageView:
        """Return the message once it has an outcome or a hold, or as it stands when the time is up."""
        if wait_ms <= 0 or is_settled(view):
            return view
        woken = asyncio.Event()
        message_id = view.message.id
        self._waiting.setdefault(message_id, set()).add(woken)
        try:
            if message_id in self._lately:
                woken.set()
            return await self._looked_at(view, woken, wait_ms / 1000)
        finally:
            self._leave(message_id, woken)

    async def _looked_at(self, view: MessageView, woken: asyncio.Event, wait_s: float) -> MessageView:
        clock = asyncio.get_running_loop().time
        ends_at = clock() + wait_s
        pause_s = _LOOK_FIRST_S
        while not is_settled(view) and (left_s := ends_at - clock()) > _LEAST_S:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(pause_s, left_s)):
                    await woken.wait()
            woken.clear()
            view = await self._look(view)
            pause_s = min(2 * pause_s, _LOOK_RARELY_S)
        return view

    async def _look(self, view: MessageView) -> MessageView:
        try:
            return await self._reader.ask(view.message.id)
        except PosthasteError:
            return view

    def _leave(self, message_id: str, woken: asyncio.Event) -> None:
        listeners = self._waiting[message_id]
        listeners.discard(woken)
        if not listeners:
            del self._waiting[message_id]

    def _wake(self, topic: str) -> None:
        message_id = topic.removeprefix(_TOPIC)
        if message_id == "*":
            for listeners in self._waiting.values():
                _set_all(listeners)
            return
        listeners = self._waiting.get(message_id, set())
        _set_all(listeners)
        self._remember(message_id)

    def _remember(self, message_id: str) -> None:
        self._lately[message_id] = None
        if len(self._lately) > _REMEMBERED:
            del self._lately[next(iter(self._lately))]


def is_settled(view: MessageView) -> bool:
    """Tell whether there is something to say of a message: an outcome, or the reason why it is held."""
    match view.message.status:
        case Status.WAITING | Status.SENDING:
            return view.hold is not None and view.hold.reason is not None
        case _:
            return True


def show_all(tx: Transaction, message_ids: Sequence[str]) -> list[MessageView | Exception]:
    """Read messages in one go."""
    views = views_of(tx, message_ids)
    return [views.get(one) or NotFound("Message not found", code="MESSAGE_NOT_FOUND") for one in message_ids]


def _reading(store: Store) -> Callable[[Sequence[str]], Awaitable[Sequence[MessageView | Exception]]]:
    async def run(asks: Sequence[str]) -> Sequence[MessageView | Exception]:
        return await store.read(show_all, asks)

    return run


def _set_all(listeners: set[asyncio.Event]) -> None:
    for one in listeners:
        one.set()
