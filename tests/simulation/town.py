"""One seed's world, built and lived through: Macs, an Android phone, a database, processes of ours that come and go, and callers.

The town only lets things happen and notes them; whether what happened was right is judged afterwards, from the database, the
phones and the network's notes.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx2

from posthaste.actions.keys import make_key
from posthaste.actions.lease import void_leases
from posthaste.actions.workspaces import make_workspace
from posthaste.api.application import build
from posthaste.app import Engine, make_engine
from posthaste.channels.catalog import KINDS
from posthaste.channels.http import open_client
from posthaste.ids import Ids
from posthaste.links import Links
from posthaste.sandbox import android_sending, sending
from posthaste.sandbox.app import build as build_devices
from posthaste.sandbox.entries import AndroidTurned, MacTurned
from posthaste.sandbox.numbers import course_of
from posthaste.sandbox.world import World
from posthaste.store.errors import StoreUnavailable
from posthaste.store.inline import Hooks, InlineStore
from posthaste.vault import Vault

from .building import add_lines, rules_of
from .callers import Callers
from .faults import Faults
from .plan import Plan
from .process import Disk, MortalStore, Process, own_tasks
from .quiet import Outlook
from .trace import Trace
from .virtual import VirtualClock, VirtualLoop
from .web import Web
from .wire import OURS, Network, PhoneJournal

_CALM_AFTER_MS = 1_800_000
_LOOK_EVERY_S = 20.0
_A_WHILE_S = 25.0


@dataclass(slots=True)
class Node:
    """A process of ours over its lives."""

    name: str
    takes_calls: bool
    sends: bool
    lives: int = 0
    process: Process | None = None
    engine: Engine | None = None
    boots_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A line's rules, asked for at one moment and in force at the latest from another (never confirmed: None)."""

    asked_at: int
    at: int | None
    line: int
    rules: dict[str, Any]


class Town:
    """Everything of one seed."""

    def __init__(self, plan: Plan, loop: VirtualLoop, folder: Path) -> None:
        """`folder` is where files are kept that are sent."""
        self.plan, self._loop, self._folder = plan, loop, folder
        self.clock = VirtualClock(loop, plan.began_at)
        self.trace = Trace(self.clock)
        self.faults = Faults(plan.seed, plan.weather)
        self._dice = Random(f"{plan.seed}/town")
        self._stores = 0
        self.disk = Disk(self._open_store, self.faults, self.trace)
        self.nodes = _nodes(plan)
        self.device_ids: list[str] = []
        self.line_ids: list[str] = []
        self.changes: list[Change] = []
        self.workspace_id = ""
        self.vault = Vault(["town"])
        # SMS Gate reports to nobody who has no certificate.
        self._links = Links(self.vault, f"http{'s' if plan.is_heard else ''}://{OURS}")
        self.complaints: list[str] = []
        self.before_us: set[str] = set()
        own_tasks(loop)
        loop.set_exception_handler(self._complain)
        self.network = Network(loop, self.clock, self.faults, self.trace)
        self.world = self._make_world()
        self.network.devices = build_devices(self.world)
        self.web = Web(plan.seed, self.trace)
        self.callers = Callers(self)
        self.outlook = Outlook(self)

    async def live(self) -> None:
        """Live through the plan, and on until nothing moves any more."""
        with _heard(self.complaints):
            await self._provision()
            self._loop.leap = self.outlook.leap
            if self.plan.weather.stalls:
                self._loop.stall = self.faults.stall_s
            for node in self.nodes:
                self._boot(node)
            await self._happen()
            await self._settle_down()
            self._loop.leap = None
            await self.world.close()

    async def _happen(self) -> None:
        for event in self.outlook.upcoming():
            await asyncio.sleep(max(0.0, event.at_ms / 1000 - self._loop.time()))
            getattr(self, event.what)(*event.args)

    async def _settle_down(self) -> None:
        calm_at_s = self._loop.time() + _CALM_AFTER_MS / 1000
        while self._loop.time() < self.plan.last_at_ms / 1000:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self._loop.time() >= calm_at_s and not self.faults.is_over:
                self.trace.say("town", "no more faults")
                self.faults.is_over = True
            if self.outlook.is_quiet():
                break
        self.faults.is_over = True
        await self._last_polls()

    async def _last_polls(self) -> None:
        """Let every device be pinged and polled once more, so that nothing is left that only had to be asked for."""
        ends_at_s = self._loop.time() + self.plan.settings.poll_every_ms / 1000
        self._loop.leap = lambda _, wakes_s: max(wakes_s, ends_at_s)
        await asyncio.sleep(ends_at_s - self._loop.time())
        self._loop.leap = None
        await asyncio.sleep(_A_WHILE_S)

    # What the plan's events do

    def ask(self, number: int) -> None:
        self.callers.begin(self.plan.requests[number])

    def device_down(self, device: int, how: str) -> None:
        device_id = self.device_ids[device]
        self.trace.say("device", f"{device} goes down, and {how}")
        self.network.note_trouble(device_id)
        if how == "refuses":
            self.network.cut_off[device_id] = None
        self._turn(device, is_up=False)

    def device_up(self, device: int) -> None:
        device_id = self.device_ids[device]
        self.trace.say("device", f"{device} is up again")
        self.outlook.look_anew()
        self.network.cut_off.pop(device_id, None)
        self.network.note_trouble(device_id)
        self._turn(device, is_up=True)

    def _turn(self, device: int, *, is_up: bool) -> None:
        turned = MacTurned if self.plan.devices[device].is_mac else AndroidTurned
        self.world.record(turned(self.device_ids[device], is_up))

    def patch(self, line: int, rules: dict[str, Any]) -> None:
        self.callers.patch(line, rules)

    def person_writes(self, device: int, person: str, text: str) -> None:
        device_id = self.device_ids[device]
        self.trace.say("device", f"{person} writes to {device}")
        if not self.plan.devices[device].is_mac:
            wrote = android_sending.person_writes(self.world, self.world.androids[device_id], person, text).id
        elif course_of(person).on_imessage:
            wrote = sending.person_writes(self.world, self.world.macs[device_id], person, text).guid
        else:
            return
        if not self._has_met(device_id):
            self.before_us.add(wrote)

    def _has_met(self, device_id: str) -> bool:
        """Tell whether we have ever reached a device; what lies on it before that is not ours to read."""
        ask = self.disk.store._connection.execute
        (options,) = ask("SELECT options FROM devices WHERE id = ?", [device_id]).fetchone()
        return bool(options != "{}")

    def database_down(self) -> None:
        self.trace.say("disk", "the database goes away")
        self.disk.back.clear()

    def database_up(self) -> None:
        self.trace.say("disk", "the database is back")
        self.disk.back.set()

    def kill(self) -> None:
        node = self._dice.choice(self.nodes)
        if node.process is not None and node.process.is_alive:
            self.trace.say(node.name, "DIES between two things")
            node.process.die()

    def stop(self) -> None:
        node = self._dice.choice(self.nodes)
        if node.process is not None and node.process.is_alive and node.engine is not None:
            self.trace.say(node.name, "is told to stop")
            node.process.spawn(self._drain(node, node.process, node.engine))

    async def _drain(self, node: Node, process: Process, engine: Engine) -> None:
        if node.sends:
            await engine.stop()
        self.trace.say(node.name, "has stopped")
        process.die()

    # Processes

    def _boot(self, node: Node) -> None:
        node.lives += 1
        node.boots_at_s = None
        node.engine = None
        node.process = Process(self._loop, node.name, lambda process: self._bury(node, process))
        self.trace.say(node.name, f"begins life {node.lives}")
        node.process.spawn(self._start(node, node.process))

    def _bury(self, node: Node, process: Process) -> None:
        delay_ms = self._dice.choice(self.plan.restart_ms)
        node.boots_at_s = self._loop.time() + delay_ms / 1000
        self._loop.call_at(node.boots_at_s, self._boot, node)

    async def _start(self, node: Node, process: Process) -> None:
        await self.disk.back.wait()  # A process that finds no database ends, and is started again until it does.
        if self.is_alone:
            self.disk.reopen()
        store: Any = MortalStore(self.disk, process, self.faults)
        if self.is_alone:
            await store.write(void_leases)
        settings = self.plan.settings
        client = open_client(transport=self.network.transport(process))
        ids = Ids(Random(f"{self.plan.seed}/{node.name}/{node.lives}"))
        node.engine = make_engine(store, settings, self.clock, ids, client, self._links, fetcher=self.web, folder=self._folder)
        if node.takes_calls:
            receiver, checker = node.engine.receiver, node.engine.checker
            app = build(settings, store, self.clock, ids, receiver, checker, kinds=KINDS, links=self._links)
            self.network.door = (app, process)
        if node.sends:
            node.engine.start()

    @property
    def is_alone(self) -> bool:
        return len(self.nodes) == 1

    # Building

    def _open_store(self, image: bytes | None, hooks: Hooks) -> InlineStore:
        self._stores += 1
        return InlineStore(self.clock, Ids(Random(f"{self.plan.seed}/store/{self._stores}")), image, hooks)

    def _make_world(self) -> World:
        post = httpx2.AsyncClient(transport=self.network.transport(None))
        return World(self.clock, Ids(Random(f"{self.plan.seed}/world")), PhoneJournal(), post)

    async def _provision(self) -> None:
        store = self.disk.store
        self.workspace_id = (await store.write(make_workspace, "Town")).id
        self.callers.key = (await store.write(make_key, self.workspace_id, "town")).key
        await add_lines(self)
        for number in range(len(self.plan.lines)):
            self.changes.append(Change(0, self.clock.now_ms(), number, rules_of(self.plan, number)))

    def _complain(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.complaints.append(f"the loop: {context.get('message')}: {context.get('exception')!r}")


def _nodes(plan: Plan) -> list[Node]:
    if plan.workers == 1:
        return [Node("serve", takes_calls=True, sends=True)]
    workers = [Node(f"worker{number}", takes_calls=False, sends=True) for number in range(plan.workers)]
    return [Node("api", takes_calls=True, sends=False), *workers]


class _Ear(logging.Handler):
    def __init__(self, complaints: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._complaints = complaints

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, StoreUnavailable):
            return  # A database that is away may be told of; it is one of the faults.
        self._complaints.append(f"log: {record.getMessage()} {error!r}" if error else f"log: {record.getMessage()}")


@contextmanager
def _heard(complaints: list[str]) -> Iterator[None]:
    """Hear every error that is logged: none is expected but that the database is away, whatever the other faults."""
    log, ear = logging.getLogger("posthaste"), _Ear(complaints)
    log.addHandler(ear)
    was, log.propagate = log.propagate, False
    try:
        yield
    finally:
        log.removeHandler(ear)
        log.propagate = was
