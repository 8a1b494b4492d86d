"""The composition root: settings → store, channels, loops, API. The only module that wires; nothing else makes its own
parts.

One process is `serve` (everything), `api` (takes calls) or `worker` (sends). On SQLite it holds its data folder
alone.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import uvicorn
from starlette.types import ASGIApp

from posthaste.actions.lease import void_leases
from posthaste.actions.seals import seal_anew, sealing_key
from posthaste.api.application import build
from posthaste.channels.base import Channel
from posthaste.channels.catalog import KINDS, Tools, make_channels
from posthaste.channels.fetch.cache import Cache
from posthaste.channels.fetch.fetcher import Fetcher, WebFetcher
from posthaste.channels.fetch.guard import Guard
from posthaste.channels.http import open_client
from posthaste.clock import Clock, SystemClock
from posthaste.core.errors import SettingError, Unavailable
from posthaste.core.files import ANY, sniff
from posthaste.core.signals import Signal
from posthaste.ids import Ids
from posthaste.links import Links
from posthaste.loops.attaching import Attaching
from posthaste.loops.checker import Checker
from posthaste.loops.collector import Collector
from posthaste.loops.janitor import Janitor
from posthaste.loops.leases import Leases
from posthaste.loops.reach import Reach
from posthaste.loops.receiver import Receiver
from posthaste.loops.rescuer import Rescuer
from posthaste.loops.sender import Sender
from posthaste.loops.supervisor import Supervisor
from posthaste.loops.watcher import Watcher
from posthaste.provision import Sandboxed, provision
from posthaste.sandbox.server import SandboxError, spawn
from posthaste.settings import Settings
from posthaste.store.base import Store
from posthaste.store.lock import hold
from posthaste.store.opening import open_store
from posthaste.vault import Vault

_log = logging.getLogger(__name__)
_BACKLOG = 2_048
_HTTP_DRAIN_S = 5
_FIRST_LOOK_S = 2
#: Connections to devices beyond those of sends, which may block for minutes: pings, polls, look-ups.
_QUESTIONS = 256


@dataclass(frozen=True, slots=True)
class Role:
    """What a process does."""

    takes_calls: bool
    sends: bool
    starts_sandbox: bool


SERVE = Role(takes_calls=True, sends=True, starts_sandbox=True)
API = Role(takes_calls=True, sends=False, starts_sandbox=False)
WORKER = Role(takes_calls=False, sends=True, starts_sandbox=False)


class Engine:
    """The loops of one process over one store, and what the API needs of them."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        clock: Clock,
        ids: Ids,
        channels: Mapping[str, Channel],
        links: Links,
        fetcher: Fetcher,
        cache: Cache,
    ) -> None:
        reach = reach_of(links.vault, links.public_url)
        self.leases = Leases(store, settings, ids.new(clock.now_ms()))
        attaching = Attaching(store, fetcher, cache, links)
        self.sender = Sender(store, settings, clock, channels, self.leases, reach, links, attaching)
        self.receiver = Receiver(store, settings, channels, reach)
        rescuer = Rescuer(store, settings, channels, self.leases, reach)
        self.watcher = Watcher(store, settings, channels, reach)
        self.checker = Checker(store, settings, clock, channels, reach)
        self._channels = channels
        self.supervisor = Supervisor(
            {
                "sender": self.sender.run,
                "leases": self.leases.run,
                "rescuer": rescuer.run,
                "receiver": self.receiver.run,
                "watcher": self.watcher.run,
                "collector": Collector(store, settings, channels, reach, links).run,
                "janitor": Janitor(store, settings, cache.tidy).run,
            }
        )

    def start(self) -> None:
        self.supervisor.start()

    async def first_look(self) -> None:
        """Wait until devices were asked once, or for a moment: a device counts as down before that, and holds its messages."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_LOOK_S):
                await self.watcher.has_looked.wait()

    async def stop(self) -> None:
        """Let the sends in hand end, then the loops."""
        await self.sender.drain()
        await self.supervisor.stop()
        await self.close()

    async def close(self) -> None:
        """Let go of the standing connections to devices, which calls alone may have opened."""
        for channel in self._channels.values():
            await channel.close()


class LateInbox:
    """The receiver as channels know it, who are made before it; what comes in before that is not taken."""

    def __init__(self) -> None:
        self.receiver: Receiver | None = None

    async def put(self, device_id: str, signals: Sequence[Signal]) -> None:
        if self.receiver is None:
            raise Unavailable("this process takes nothing in yet")
        await self.receiver.put(device_id, signals)


def tools(settings: Settings, clock: Clock, client: httpx2.AsyncClient, inbox: LateInbox) -> Tools:
    return Tools(
        client,
        _inbound_fetcher(settings),
        inbox,
        connect_ms=settings.connect_timeout_ms,
        question_ms=settings.question_timeout_ms,
        answer_ms=settings.send_timeout_ms,
        now_ms=clock.now_ms,
    )


def make_engine(
    store: Store,
    settings: Settings,
    clock: Clock,
    ids: Ids,
    client: httpx2.AsyncClient,
    links: Links,
    *,
    fetcher: Fetcher | None = None,
    folder: Path | None = None,
) -> Engine:
    """Make the loops over every channel that there is; attachments come through `fetcher`, else the web, into `folder`."""
    inbox = LateInbox()
    channels = make_channels(tools(settings, clock, client, inbox))
    cache = Cache(
        folder or settings.data / "attachments",
        clock.now_ms,
        keep_ms=settings.attachment_cache_ms,
        entry_bytes=settings.attachment_max_bytes,
        most_bytes=settings.attachment_cache_max_bytes,
    )
    engine = Engine(store, settings, clock, ids, channels, links, fetcher or web_fetcher(settings), cache)
    inbox.receiver = engine.receiver
    return engine


def web_fetcher(settings: Settings) -> Fetcher:
    """Return what fetches attachments, from where the settings allow."""
    return WebFetcher(_guard(settings), most_bytes=settings.attachment_max_bytes, timeout_ms=settings.attachment_timeout_ms)


def _inbound_fetcher(settings: Settings) -> Fetcher:
    """Return what fetches files that people sent: from where attachments may come from, but of whatever type."""
    return WebFetcher(
        _guard(settings),
        most_bytes=settings.attachment_max_bytes,
        timeout_ms=settings.download_timeout_ms,
        type_of=lambda head: sniff(head) or ANY,
    )


def _guard(settings: Settings) -> Guard:
    return Guard(allow_private=settings.attachment_allow_private, ports=_ports(settings.attachment_ports))


def _ports(written: str) -> frozenset[int]:
    ports = [one.strip() for one in written.split(",") if one.strip()]
    if not all(one.isascii() and one.isdecimal() and 0 < int(one) <= 65535 for one in ports):
        raise SettingError(f"POSTHASTE_ATTACHMENT_PORTS is {written!r}, which is no list of ports")
    return frozenset(int(one) for one in ports)


async def open_vault(store: Store, settings: Settings) -> Vault:
    """Return what opens the credentials of lines: keys of the setting first, then the one made at the first start.

    On one machine that one is a file of the data folder. Where only a database is shared it is kept there, which is worth less.
    """
    given = [one.strip() for one in settings.secret_key.split(",") if one.strip()]
    if is_alone(settings):
        return Vault([*given, *_kept_key(settings.data / "secret.key", ids=Ids(), may_make=not given)])
    if not given:
        _log.warning("credentials are sealed with a key that is in the database itself: set POSTHASTE_SECRET_KEY")
    return Vault([*given, await store.write(sealing_key)])


def _kept_key(path: Path, ids: Ids, *, may_make: bool) -> list[str]:
    try:
        return [path.read_text().strip()]
    except FileNotFoundError:
        if not may_make:
            return []
    key = ids.secret(256)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key + "\n")
    return [key]


def database_url(settings: Settings) -> str:
    return settings.database_url or f"sqlite:///{settings.data.resolve()}/posthaste.db"


def is_alone(settings: Settings) -> bool:
    """Tell whether the database is embedded, and so this process's alone."""
    return not settings.database_url or settings.database_url.startswith("sqlite:")


@asynccontextmanager
async def opened(settings: Settings, clock: Clock, ids: Ids) -> AsyncIterator[Store]:
    """Open the data folder and the database."""
    async with AsyncExitStack() as stack:
        make_folder(settings)
        if is_alone(settings):
            stack.callback(hold(settings.data))
        store = await open_store(
            database_url(settings), clock, ids, writers=settings.write_threads, readers=settings.read_threads
        )
        stack.push_async_callback(store.close)
        if is_alone(settings):
            await store.write(void_leases)
        yield store


def make_folder(settings: Settings) -> None:
    """Make the data folder if it is missing, or refuse to start where nothing can be kept."""
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        probe = settings.data / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SettingError(f"the data folder {settings.data} cannot be written: {error.strerror}") from None


async def run(settings: Settings, role: Role, announce: Callable[[str, Sandboxed | None], None]) -> None:
    """Run one process until it is told to stop; `announce` is called with its address once it is ready."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    clock, ids = SystemClock(), Ids()
    async with AsyncExitStack() as stack:
        bound = stack.enter_context(_listen(settings)) if role.takes_calls else None
        store = await stack.enter_async_context(opened(settings, clock, ids))
        own_url = local_url(settings, bound)
        public_url = settings.public_url.rstrip("/") or own_url
        client = await stack.enter_async_context(open_client(max_connections=settings.sends_max + _QUESTIONS))
        vault = await open_vault(store, settings)
        await store.write(seal_anew, vault)
        links = Links(vault, public_url)
        engine = make_engine(store, settings, clock, ids, client, links)
        # After the last call was answered, which may have asked a device; a process without loops has no other end.
        stack.push_async_callback(engine.close)
        sandbox_url = await _sandbox(settings, role, stack)
        ready = asyncio.Event()
        if bound is not None:
            app = build(
                settings, store, clock, ids, engine.receiver, engine.checker, is_ready=ready.is_set, kinds=KINDS, links=links
            )
            await stack.enter_async_context(_http(app, bound))
        made = await provision(store, settings, vault, sandbox_url, own_url) if sandbox_url and role.takes_calls else None
        if role.sends:
            engine.start()
            stack.push_async_callback(engine.stop)
            if made is not None:
                await engine.first_look()
        _collect_rarely()
        ready.set()
        announce(own_url if role.takes_calls else public_url, made)
        await stop.wait()
        _log.info("stopping: sends in hand are waited for")


def _collect_rarely() -> None:
    """Leave what is loaded by now out of garbage collection, and collect less often: six in a hundred calls more a second."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def _sandbox(settings: Settings, role: Role, stack: AsyncExitStack) -> str:
    """Return the address of the sandbox, started here if need be; empty: none."""
    if not settings.sandbox or not (role.starts_sandbox or settings.sandbox_url):
        return ""
    if settings.sandbox_url:
        return settings.sandbox_url.rstrip("/")
    try:
        child = await asyncio.to_thread(spawn, settings.data / "sandbox")
    except SandboxError as error:
        raise SettingError(str(error)) from None
    stack.callback(child.stop)
    return child.url


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SettingError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from None
    except OverflowError:
        raise SettingError(f"cannot listen on port {settings.port}: the highest is 65535") from None


def local_url(settings: Settings, bound: socket.socket | None) -> str:
    port = bound.getsockname()[1] if bound else settings.port
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}"


def reach_of(vault: Vault, public_url: str) -> Reach:
    """Return what turns rows of devices into connections, with the addresses under which they report to us."""
    return Reach(vault, lambda access: f"{public_url.rstrip('/')}/hooks/{access.channel}/{access.hook_token}")


@asynccontextmanager
async def _http(app: ASGIApp, bound: socket.socket) -> AsyncIterator[None]:
    """Serve calls on a bound socket; on leaving, calls in hand are answered first."""
    config = uvicorn.Config(
        app, lifespan="off", access_log=False, log_config=None, proxy_headers=False, timeout_graceful_shutdown=_HTTP_DRAIN_S
    )
    server = uvicorn.Server(config)
    # Signals are ours: uvicorn would end the process while sends are in hand.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
