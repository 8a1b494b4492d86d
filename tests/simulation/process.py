"""A process of ours that can die: its tasks, its view of the database, and what death takes with it.

Everything that a process starts is its own, by context. When it dies, its tasks are cancelled and nothing that they still do has
any effect: the database and the network are gone for it. What it had asked of others goes on there.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from posthaste.store.errors import StoreUnavailable
from posthaste.store.inline import Hooks, InlineStore
from posthaste.store.transaction import Transaction

from .faults import Faults
from .trace import Trace
from .virtual import VirtualLoop

P = ParamSpec("P")
T = TypeVar("T")

_RUNNING: contextvars.ContextVar["Process | None"] = contextvars.ContextVar("process", default=None)


class Died(BaseException):
    """The process ended at this very line."""


class Process:
    """One life of one process."""

    def __init__(self, loop: VirtualLoop, name: str, on_death: Callable[["Process"], None]) -> None:
        self.name = name
        self.is_alive = True
        self._loop = loop
        self._on_death = on_death
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self.context = contextvars.copy_context()
        self.context.run(_RUNNING.set, self)

    def spawn(self, coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return self._loop.create_task(coro, context=self.context)

    def own(self, task: asyncio.Task[Any]) -> None:
        self._tasks[task] = None
        task.add_done_callback(self._forget)

    def check(self) -> None:
        """Stop whoever acts for a process that is dead."""
        if not self.is_alive:
            raise Died

    def die(self) -> None:
        """End now; whoever runs this for the process itself raises `Died` next."""
        if not self.is_alive:
            return
        self.is_alive = False
        running = asyncio.current_task(self._loop)
        for task in list(self._tasks):
            if task is not running:
                task.cancel()
        self._on_death(self)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        del self._tasks[task]
        if not self.is_alive and not task.cancelled():
            task.exception()  # Looked at, so that nobody complains of what a dead process left behind.


def own_tasks(loop: VirtualLoop) -> None:
    """Have every new task belong to the process that starts it."""

    def make(
        loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], context: contextvars.Context | None = None
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=loop, context=context)
        owner = _RUNNING.get() if context is None else context.get(_RUNNING)
        if owner is not None:
            owner.own(task)
        return task

    loop.set_task_factory(make)  # type: ignore[arg-type]


class Disk:
    """The database under all processes: where a commit is a chance to die."""

    def __init__(self, open_store: Callable[[bytes | None, Hooks], InlineStore], faults: Faults, trace: Trace) -> None:
        self._open, self._faults, self._trace = open_store, faults, trace
        self._hooks = Hooks(before_commit=self._before_commit, after_commit=self._after_commit)
        self._writer: tuple[Process, str] | None = None
        self._changes = 0
        self.commits = 0
        self.back = asyncio.Event()
        self.back.set()
        self.store = open_store(None, self._hooks)

    def reopen(self) -> None:
        """Forget everything but what was committed."""
        image = self.store.image()
        self.store._connection.close()
        self.store = self._open(image, self._hooks)
        self._changes = 0
        self.commits += 1

    async def write(self, process: Process, action: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        self._writer = (process, action.__name__)
        try:
            return await self.store.write(action, *args, **kwargs)
        finally:
            self._writer = None

    def _before_commit(self) -> None:
        if self._writer is not None:
            self._chance_to_die("before the commit of")

    def _after_commit(self) -> None:
        changes = self.store._connection.total_changes
        if changes == self._changes:
            return
        self._changes = changes
        self.commits += 1
        if self._writer is not None:
            self._trace.say(self._writer[0].name, f"commits {self._writer[1]}")
            self._chance_to_die("after the commit of")

    def _chance_to_die(self, where: str) -> None:
        assert self._writer is not None
        process, action = self._writer
        has_changed = self.store._connection.total_changes != self._changes or where.startswith("after")
        if has_changed and self._faults.dies(action):
            self._trace.say(process.name, f"DIES {where} {action}")
            process.die()
            raise Died


class MortalStore:
    """A process's view of the database."""

    def __init__(self, disk: Disk, process: Process, faults: Faults) -> None:
        self._disk, self._process, self._faults = disk, process, faults

    async def write(self, action: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        await self._wait()
        return await self._disk.write(self._process, action, args, kwargs)

    async def read(self, action: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        await self._wait()
        return await self._disk.store.read(action, *args, **kwargs)

    def on_wake(self, topic: str, call: Callable[[str], None]) -> Callable[[], None]:
        return self._disk.store.on_wake(topic, lambda woken: call(woken) if self._process.is_alive else None)

    async def close(self) -> None:
        pass

    async def _wait(self) -> None:
        """Let others go first now and then; a database may also be slow."""
        self._process.check()
        if not self._disk.back.is_set():
            raise StoreUnavailable("the database is away")
        wait_s = self._faults.database_wait_s()
        if wait_s is not None:
            await asyncio.sleep(wait_s)
        self._process.check()
