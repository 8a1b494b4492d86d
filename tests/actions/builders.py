"""A small house in which actions are run: a store, a clock that stands still, a workspace, and verbs for what tests do.

Its verbs are plain functions on a loop of the house's own, so that a test reads as what happens, one thing after the other.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar

import invariants

from fixtures.rows import NOON
from posthaste.actions.accept import Acceptance, Result, Submission, accept
from posthaste.actions.cancel import cancel
from posthaste.actions.claim import Claimed, claim
from posthaste.actions.hand import Handing, hand
from posthaste.actions.health import note_health
from posthaste.actions.lines import LineChange, NewLine, add_line, change_line
from posthaste.actions.receive import receive
from posthaste.actions.record import Report, record
from posthaste.actions.rescue import Lookup, Sighting, conclude, rescue
from posthaste.actions.show import MessageView, message_view, timeline_of
from posthaste.actions.workspaces import make_workspace
from posthaste.core.errors import PosthasteError
from posthaste.core.lines import Device, Line
from posthaste.core.messages import Sending
from posthaste.core.outcomes import Accepted, Finding, Outcome
from posthaste.core.signals import Signal
from posthaste.core.timeline import Entry
from posthaste.core.workspaces import Workspace
from posthaste.ids import Ids
from posthaste.settings import Settings
from posthaste.store import attempts, devices, lines
from posthaste.store.attempts import Attempt
from posthaste.store.base import Store
from posthaste.store.inline import InlineStore
from posthaste.store.opening import open_store
from posthaste.store.transaction import Transaction

P = ParamSpec("P")
T = TypeVar("T")
ME = "worker"


@dataclass
class SetClock:
    """A clock that moves only when told."""

    now: int = NOON

    def now_ms(self) -> int:
        return self.now

    def monotonic_ms(self) -> float:
        return float(self.now)


def phone(number: int) -> str:
    """Return one of ten thousand phone numbers."""
    return f"+1202555{number:04d}"


def a_sending(to: int = 1, **changes: Any) -> Sending:
    """Return a request for an iMessage to one of the phones."""
    return Sending(**{"text": "Hello", "phone": phone(to), **changes})


@dataclass
class House:
    """One store with one workspace; `woken` are the topics that commits have announced."""

    store: Store
    clock: SetClock
    settings: Settings
    runner: asyncio.Runner
    workspace: Workspace = field(init=False)
    woken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.workspace = self.write(make_workspace, "Test")

    def write(self, action: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.runner.run(self.store.write(action, *args, **kwargs))

    def read(self, action: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.runner.run(self.store.read(action, *args, **kwargs))

    def later(self, ms: int) -> None:
        self.clock.now += ms

    # What stands in the tables

    def line(self, line_id: str) -> Line:
        return self.read(lines.by_ids, [line_id])[line_id]

    def device(self, device_id: str) -> Device:
        return self.read(devices.by_ids, [device_id])[device_id]

    def attempts(self, message_id: str) -> list[Attempt]:
        return self.read(attempts.of_message, message_id)

    def count(self, table: str) -> int:
        return int(self.read(_count, table))

    # Lines

    def add_line(self, *, is_up: bool = True, workspace: Workspace | None = None, **changes: Any) -> Line:
        """Add a line without gaps on a device of its own that is up."""
        fields = {"channel": "bluebubbles", "message_type": "imessage", "device_gap_ms": 0, "contact_gap_ms": 0, **changes}
        view = self.write(add_line, self.settings, (workspace or self.workspace).id, NewLine(**fields))
        if is_up and not changes.get("device_id"):
            self.ping(view.device.id)
        return view.line

    def change(self, line: Line, **changes: Any) -> None:
        self.write(change_line, self.workspace.id, line.id, LineChange(**changes))

    def ping(self, device_id: str, *, is_up: bool = True, cursor: int | None = None) -> None:
        self.write(
            note_health, self.settings, device_id, is_up=is_up, detail="" if is_up else "no answer", options={}, cursor=cursor
        )

    def slots(self, device_id: str, slots: int) -> None:
        """Give a device more than the one slot that devices have today."""
        self.write(_set_slots, device_id, slots)

    # Messages

    def accept(self, *asked: Sending | Submission) -> list[Result]:
        """Accept a batch."""
        given = [one if isinstance(one, Submission) else Submission(self.workspace, one, None, "body") for one in asked]
        return self.write(accept, self.settings, given)

    def keyed(self, key: str, sending: Sending, body: str = "body") -> Submission:
        return Submission(self.workspace, sending, key, body)

    def send(self, to: int = 1, **changes: Any) -> str:
        """Have one message accepted and return its id."""
        return accepted(self.accept(a_sending(to, **changes))[0]).message_id

    def claim(self, owner: str = ME, limit: int = 64) -> list[Claimed]:
        return list(self.write(claim, self.settings, owner, limit).claimed)

    def claim_ids(self) -> list[str]:
        return [one.message.id for one in self.claim()]

    def hand(self, *claimed: Claimed, owner: str = ME) -> list[bool]:
        handings = [Handing(one.attempt.id, owner, one.attempt.address, "{}", one.message.text) for one in claimed]
        return self.write(hand, self.settings, handings)

    def record(self, claimed: Claimed, outcome: Outcome, started_after_ms: int | None = 1, **report: Any) -> None:
        self.write(record, self.settings, [Report(claimed.attempt, outcome, started_after_ms, **report)])

    def begin(self) -> Claimed:
        """Claim the one message that may go, and hand it over."""
        (claimed,) = self.claim()
        assert self.hand(claimed) == [True]
        return claimed

    def deliver(self, outcome: Outcome | None = None) -> str:
        """Send the one message that may go, with this outcome; return its id."""
        claimed = self.begin()
        self.record(claimed, outcome or Accepted(f"guid-{claimed.attempt.id}"))
        return claimed.message.id

    def receive(self, device_id: str, *signals: Signal) -> None:
        self.write(receive, self.settings, device_id, signals, "a webhook")

    def rescue(self, owner: str = "rescuer") -> list[Lookup]:
        return self.write(rescue, self.settings, owner, 64)

    def conclude(self, found: Lookup, finding: Finding, *, owner: str = "rescuer", can_find: bool = True) -> None:
        self.write(conclude, self.settings, owner, Sighting(found.attempt, finding, can_find, self.clock.now))

    def cancel(self, message_id: str) -> None:
        self.write(cancel, self.workspace.id, message_id)

    def view(self, message_id: str) -> MessageView:
        return self.read(message_view, self.workspace.id, message_id)

    def status(self, message_id: str) -> str:
        return self.view(message_id).message.status

    def held(self, message_id: str) -> tuple[str, str | None, int | None]:
        """Return what callers see of a message that waits: status, reason and until when."""
        hold = self.view(message_id).hold
        assert hold is not None
        return hold.status, hold.reason, hold.until

    def story(self, message_id: str) -> list[Entry]:
        return self.read(timeline_of, self.workspace.id, message_id)

    def codes(self, message_id: str) -> list[str]:
        return [one.code for one in self.story(message_id)]


def accepted(result: Result) -> Acceptance:
    assert isinstance(result, Acceptance), result
    return result


def refused(result: Result) -> PosthasteError:
    assert isinstance(result, PosthasteError), result
    return result


def messages_of(results: Sequence[Result]) -> list[str]:
    return [accepted(one).message_id for one in results]


def _count(tx: Transaction, table: str) -> int:
    row = tx.one(f"SELECT count(*) FROM {table}")
    assert row is not None
    return int(row[0])


def _set_slots(tx: Transaction, device_id: str, slots: int) -> None:
    tx.run("UPDATE devices SET max_in_flight = :slots WHERE id = :id", {"slots": slots, "id": device_id})


@contextmanager
def a_house(**settings: Any) -> Iterator[House]:
    """Open a house on SQLite in memory."""
    clock = SetClock()
    with asyncio.Runner() as runner:
        store = InlineStore(clock, Ids())
        try:
            with furnished(store, clock, runner, **settings) as house:
                yield house
        finally:
            runner.run(store.close())


@contextmanager
def furnished(store: Store, clock: SetClock, runner: asyncio.Runner, **settings: Any) -> Iterator[House]:
    """Furnish a house in an empty store, and see in the end that all is in order."""
    house = House(store, clock, Settings(**settings), runner)
    forget = store.on_wake("*", house.woken.append)
    try:
        yield house
        house.read(invariants.check)
    finally:
        forget()


@dataclass
class Ground:
    """A PostgreSQL database on which one house after the other is built: to empty one is ten times faster than to make one."""

    store: Store
    clock: SetClock
    runner: asyncio.Runner

    @contextmanager
    def house(self) -> Iterator[House]:
        self.clock.now = NOON
        self.runner.run(self.store.write(_empty))
        with furnished(self.store, self.clock, self.runner) as house:
            yield house


@contextmanager
def a_ground(url: str) -> Iterator[Ground]:
    clock = SetClock()
    with asyncio.Runner() as runner:
        store = runner.run(open_store(url, clock, Ids(), database_clock=False))
        try:
            yield Ground(store, clock, runner)
        finally:
            runner.run(store.close())


def _empty(tx: Transaction) -> None:
    names = """
        SELECT table_name FROM information_schema.tables
        WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND table_name <> 'schema_migrations'
    """
    tables = sorted({str(row[0]) for row in tx.rows(names)} - {*_REFERRED_TO})
    for table in (*tables, *_REFERRED_TO):
        tx.run(f"DELETE FROM {table}")


#: Tables that others refer to, so that they are emptied last.
_REFERRED_TO = ("lines", "devices", "workspaces")
