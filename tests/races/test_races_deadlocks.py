"""Everything at once on PostgreSQL, over the same few people and lines: whatever the database untangles, no caller hears of it.

Two stores stand for two processes. What surprises: a deadlock is not a failure here, since the store runs the action again; an
error that reaches a caller is.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

import psycopg
import pytest
from stock import Stock, stock

from fixtures.processes import chosen_seed
from posthaste.actions import parts
from posthaste.actions import sweep as sweeping
from posthaste.actions.cancel import cancel
from posthaste.actions.claim import Claimed, claim
from posthaste.actions.hand import Handing, hand
from posthaste.actions.health import note_health
from posthaste.actions.lease import renew_leases
from posthaste.actions.lines import LineChange, NewLine, add_line, change_line
from posthaste.actions.move import move_off_device
from posthaste.actions.parts import give_out_incomplete
from posthaste.actions.receive import receive
from posthaste.actions.record import Report, record
from posthaste.actions.rescue import Sighting, conclude, rescue
from posthaste.actions.sweep import sweep
from posthaste.actions.withdraw import withdraw
from posthaste.core.errors import Conflict, PosthasteError
from posthaste.core.messages import Sending
from posthaste.core.outcomes import Absent, Accepted, Ambiguous, CannotTell, Deferred, Found, Outcome, Refusal, Rejected
from posthaste.core.signals import Echo, Inbound, InboundPart, Receipt, Signal
from posthaste.core.workspaces import Fallback
from posthaste.settings import Settings
from posthaste.store import workspaces
from posthaste.store.base import Store
from posthaste.store.transaction import Transaction

RUNS_S = 6.0
SETTINGS = Settings(lease_ms=1_000, look_every_ms=1, retry_first_ms=1, retry_longest_ms=5, start_within_ms=1)


@dataclass
class Hunt:
    """What the racers share, and what they met."""

    made: Stock
    random: Random
    until: float
    texts: int = 0
    message_ids: list[str] = field(default_factory=list)
    external_ids: list[tuple[str, str]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return self.random.choice(list(self.made.stores))

    def device_id(self) -> str:
        return self.random.choice(self.made.lines).device.id

    def phone(self) -> str:
        return f"+1202555{self.random.randrange(1000, 1025)}"

    def sending(self) -> Sending:
        self.texts += 1
        draw = self.random.random
        return Sending(
            text=f"text {self.texts}",
            phone=self.phone(),
            email=f"p{self.random.randrange(20)}@example.org" if draw() < 0.4 else None,
            alt_phones=(self.phone() if draw() < 0.4 else None, self.phone() if draw() < 0.3 else None, None),
            name=self.random.choice(["Ann Other", None, "Ben Else"]),
            from_line_id=self.random.choice(self.made.lines).line.id if draw() < 0.3 else None,
        )

    async def race(self, name: str, step: Callable[["Hunt"], Awaitable[None]]) -> None:
        while time.monotonic() < self.until and len(self.errors) < 200:
            try:
                await step(self)
                self.done[name] += 1
                await asyncio.sleep(0)
            except Conflict:
                self.done[f"{name}: conflict"] += 1
            except Exception as error:
                self.errors.append(f"{name}: {type(error).__name__}: {error} {error.__cause__!r}")


async def accept_some(hunt: Hunt) -> None:
    results = await hunt.made.accept(*[hunt.sending() for _ in range(hunt.random.randrange(1, 24))], store=hunt.store)
    for result in results:
        if isinstance(result, PosthasteError):
            if result.code != "LINE_INACTIVE":
                hunt.errors.append(f"refused: {result.code} {result}")
        else:
            hunt.message_ids.append(result.message_id)


async def send_some(hunt: Hunt) -> None:
    store, owner = hunt.store, f"owner-{hunt.random.randrange(4)}"
    taken = (await store.write(claim, SETTINGS, owner, 8)).claimed
    if not taken:
        return
    await store.write(renew_leases, SETTINGS, owner, [one.attempt.id for one in taken])
    kept = [one for one in taken if hunt.random.random() < 0.95]
    handings = [Handing(one.attempt.id, owner, one.message.address, "{}", one.message.text) for one in kept]
    may_go = await store.write(hand, SETTINGS, handings)
    reports = [Report(one.attempt, _outcome(hunt, one), 1) for one, may in zip(kept, may_go, strict=True) if may]
    await store.write(record, SETTINGS, [one for one in reports if hunt.random.random() < 0.9])


def _outcome(hunt: Hunt, one: Claimed) -> Outcome:
    hunt.external_ids.append((one.attempt.device_id, f"guid-{one.attempt.id}"))
    match hunt.random.randrange(10):
        case 0:
            return Ambiguous("lost")
        case 1:
            return Deferred("busy")
        case 2:
            return Rejected(Refusal.NOT_ON_CHANNEL, "not here")
        case 3:
            return Rejected(Refusal.OTHER, "no")
        case _:
            return Accepted(f"guid-{one.attempt.id}")


async def reject_unhanded(hunt: Hunt) -> None:
    """An address that turns out to be off the channel: recorded without a hand-over."""
    store = hunt.store
    taken = (await store.write(claim, SETTINGS, "checker", 2)).claimed
    off = Rejected(Refusal.NOT_ON_CHANNEL, "it is not on iMessage")
    await store.write(record, SETTINGS, [Report(one.attempt, off, off_channel=frozenset([one.message.address])) for one in taken])


async def rescue_some(hunt: Hunt) -> None:
    store, owner = hunt.store, f"rescuer-{hunt.random.randrange(2)}"
    for one in await store.write(rescue, SETTINGS, owner, 16):
        found = Found(Accepted(f"guid-{one.attempt.id}"))
        finding = hunt.random.choice([Absent(), found, found, CannotTell("no answer")])
        await store.write(conclude, SETTINGS, owner, Sighting(one.attempt, finding, True, one.attempt.lease_until))


async def move_some(hunt: Hunt) -> None:
    """A device goes down and is up again; what may moves off it."""
    device_id, store = hunt.device_id(), hunt.store
    for is_up in (False, False, True):
        await store.write(note_health, SETTINGS, device_id, is_up=is_up, detail="", options={}, cursor=None)
        await store.write(move_off_device, device_id)


async def withdraw_some(hunt: Hunt) -> None:
    await hunt.store.write(withdraw, hunt.made.workspace.id, lead_id=None, addresses=[hunt.phone()])


async def cancel_one(hunt: Hunt) -> None:
    if hunt.message_ids:
        await hunt.store.write(cancel, hunt.made.workspace.id, hunt.random.choice(hunt.message_ids[-60:]))


async def change_one(hunt: Hunt) -> None:
    line = hunt.random.choice(hunt.made.lines).line
    change = LineChange(is_active=hunt.random.random() < 0.8, messages_per_day=hunt.random.choice([50_000, 100_000]))
    await hunt.store.write(change_line, hunt.made.workspace.id, line.id, change)


async def report_some(hunt: Hunt) -> None:
    signals: list[Signal] = []
    device_id = hunt.device_id()
    for _ in range(hunt.random.randrange(1, 5)):
        known = [one for device, one in hunt.external_ids[-40:] if device == device_id]
        if known and hunt.random.random() < 0.7:
            guid = hunt.random.choice(known)
            marker = f"posthaste-{guid.removeprefix('guid-')}"
            signals.append(
                hunt.random.choice([Receipt(guid, 1), Receipt(guid, error="no"), Echo(guid, 1, marker), Receipt(guid, 1, 2)])
            )
        else:
            hunt.texts += 1
            text = hunt.random.choice(("hello", "hello", "STOP", "START"))
            signals.append(Inbound(f"in-{hunt.texts}", hunt.texts, hunt.phone(), text, int(time.time() * 1000)))
        if hunt.random.random() < 0.3:
            signals.append(_a_part(hunt))
    await hunt.store.write(receive, SETTINGS, device_id, signals, "a webhook")


def _a_part(hunt: Hunt) -> InboundPart:
    """Make a part of a STOP under one of a few references, so that texts become whole, begin anew and stay open."""
    number, reference = hunt.random.choice((1, 2)), hunt.random.randrange(2)
    text = ("ST", "OP")[number - 1]
    return InboundPart(f"{reference}-{number}", hunt.phone(), "+16285550000", text, int(time.time() * 1000), reference, 2, number)


async def clean_up(hunt: Hunt) -> None:
    await hunt.store.write(give_out_incomplete, SETTINGS)
    await hunt.store.write(sweep, SETTINGS)


RACERS = [accept_some] * 6 + [send_some] * 4 + [reject_unhanded, rescue_some, rescue_some, cancel_one, cancel_one, change_one]
RACERS += [report_some, report_some, move_some, withdraw_some, clean_up]


def test_no_error_of_the_database_reaches_a_caller_however_much_collides(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_INCOMPLETE_MS", 20)
    monkeypatch.setattr(sweeping, "_PARTS_FOR_MS", 20)

    async def main() -> None:
        random = Random(chosen_seed())
        async with stock(postgres_url, SETTINGS, devices=3, stores=2) as made:
            await made.store.write(_fall_back_to, made)
            hunt = Hunt(made, random, time.monotonic() + RUNS_S)
            await asyncio.gather(*(hunt.race(step.__name__, step) for step in RACERS))
            print(f"deadlocks: {_deadlocks(postgres_url)} in {RUNS_S:.0f} s, {dict(hunt.done)}")
            assert not hunt.errors, f"{len(hunt.errors)} errors: {Counter(one[:300] for one in hunt.errors).most_common(8)}"

    asyncio.run(main())


def _fall_back_to(tx: Transaction, made: Stock) -> None:
    """Give the workspace an SMS line to fall back to, on a device of its own that all racers share."""
    new = NewLine(channel="smsgate", message_type="sms", phone="+16285559999", new_per_day=100_000, messages_per_day=100_000)
    view = add_line(tx, made.settings, made.workspace.id, new)
    note_health(tx, made.settings, view.device.id, is_up=True, detail="", options={}, cursor=None)
    workspaces.save_fallback(tx, made.workspace.id, Fallback(True, view.line.id, send_on_failed=True))


def _deadlocks(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_clear_snapshot()")
        found = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
    assert found is not None
    return int(found[0])
