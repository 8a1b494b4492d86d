"""Any order of events: whatever workers, providers, people and clocks do, no text arrives twice and no cap or gap is broken.

A walk is a list of steps that Hypothesis draws and shrinks. The world beside the actions is a record of which hand-overs arrived;
answers, look-ups and receipts tell the truth about it or nothing.
"""

from collections import Counter
from dataclasses import dataclass, field

import invariants
from builders import ME, House, a_house, a_sending, phone
from hypothesis import Phase, given, note, settings
from hypothesis import strategies as st

from fixtures.rows import DAY, HOUR, MINUTE, SECOND
from posthaste.actions.claim import Claimed, claim
from posthaste.actions.lease import next_rescue_in_ms
from posthaste.actions.rescue import Lookup
from posthaste.core.errors import Conflict
from posthaste.core.outcomes import Absent, Accepted, Ambiguous, CannotTell, Deferred, Found, Outcome, Refusal, Rejected
from posthaste.core.signals import Echo, Inbound, Receipt
from posthaste.core.windows import Window

DEVICE_GAP, CONTACT_GAP, ARRIVAL, PER_DAY, NEW_PER_DAY = 5 * SECOND, 20 * SECOND, 30 * SECOND, 6, 4
WINDOWS = [None, None, None, Window("UTC", 9 * 60, 12 * 60 + 2, None), Window("UTC", 15 * 60, 17 * 60, None)]
REFUSALS: list[Outcome] = [
    Rejected(Refusal.BAD_CONTENT, "no"),
    Rejected(Refusal.NOT_ON_CHANNEL, "green"),
    Deferred("busy"),
    Deferred("away", device_is_down=True),
]
WAITS = [1, SECOND, 2 * SECOND, DEVICE_GAP, DEVICE_GAP, CONTACT_GAP, CONTACT_GAP, ARRIVAL + 2 * SECOND, 3 * MINUTE, DAY]


@dataclass
class World:
    """What happened outside: `arrived` says of each hand-over whether its text gets to a phone, `seen_at` from when on its
    provider shows it."""

    house: House
    made: list[str] = field(default_factory=list)
    claimed: list[Claimed] = field(default_factory=list)
    handed: list[Claimed] = field(default_factory=list)
    arrived: dict[str, bool] = field(default_factory=dict)
    seen_at: dict[str, int] = field(default_factory=dict)
    lookups: list[Lookup] = field(default_factory=list)
    steps: int = 0

    def step(self, verb: str, pick: int) -> None:
        self.steps += 1
        note(f"{verb} {pick}")
        getattr(self, verb)(pick)
        self.house.read(invariants.check)

    def send(self, pick: int) -> None:
        more = {"alt_phones": (phone(9 + pick % 2), None, None)} if pick % 3 == 0 else {}
        scheduled_at = self.house.clock.now + HOUR if pick % 7 == 0 else None
        result = self.house.accept(
            a_sending(pick % 4, text=f"text {self.steps}", window=WINDOWS[pick % 5], scheduled_at=scheduled_at, **more)
        )[0]
        self.made.append(result.message_id)  # type: ignore[union-attr]

    def claim(self, pick: int) -> None:
        self.claimed += self.house.claim(limit=1 + pick % 2)

    def hand(self, pick: int) -> None:
        if not self.claimed:
            return
        one = self.claimed.pop(pick % len(self.claimed))
        was = self.house.status(one.message.id)
        if self.house.hand(one) == [True]:
            assert was == "sending", f"it was {was} and was handed over"
            self.arrived[one.attempt.id] = pick % 2 == 0
            self.seen_at[one.attempt.id] = self.house.clock.now + (ARRIVAL if pick % 4 == 0 else 0)
            self.handed.append(one)

    def go(self, pick: int) -> None:
        """Send to somebody and hand it over at once, if it may go."""
        self.send(pick)
        self.claim(pick)
        self.hand(pick)

    def _shows(self, attempt_id: str) -> bool:
        return self.arrived[attempt_id] and self.house.clock.now >= self.seen_at[attempt_id]

    def give_up(self, pick: int) -> None:
        """Something is wrong before the hand-over: an address is not on the channel, the device is away."""
        if self.claimed:
            self.house.record(self.claimed.pop(pick % len(self.claimed)), REFUSALS[pick % 4], None)

    def answer(self, pick: int) -> None:
        """The provider answers; it may do so again, or long after anybody waits for it."""
        if not self.handed:
            return
        one = self.handed[pick % len(self.handed)]
        outcome = Accepted(self._name(one.attempt.id)) if self.arrived[one.attempt.id] else REFUSALS[pick % 4]
        self.house.record(one, Ambiguous("timed out") if pick % 5 == 0 else outcome)

    def rescue(self, pick: int) -> None:
        self.lookups += self.house.rescue(f"rescuer-{pick % 2}")

    def conclude(self, pick: int) -> None:
        if not self.lookups:
            return
        found = self.lookups.pop(pick % len(self.lookups))
        is_there = self._shows(found.attempt.id)
        finding = Found(Accepted(self._name(found.attempt.id))) if is_there else Absent()
        assert found.attempt.owner is not None
        self.house.conclude(found, CannotTell("away") if pick % 3 == 0 else finding, owner=found.attempt.owner)

    def report(self, pick: int) -> None:
        there = [one for one in self.handed if self._shows(one.attempt.id)]
        if not there:
            return
        one = there[pick % len(there)]
        name, at = self._name(one.attempt.id), self.house.clock.now
        reports = [Receipt(name, delivered_at=at), Echo(name, 1, one.attempt.marker), Receipt(name, read_at=at), Echo(name, 1)]
        self.house.receive(one.attempt.device_id, reports[pick % 4])

    def write_in(self, pick: int) -> None:
        device_id = self._devices()[pick % 2]
        self.house.receive(device_id, Inbound(f"in-{pick}", 1, phone(pick % 4), "Hi", self.house.clock.now))

    def cancel(self, pick: int) -> None:
        if self.made:
            try:
                self.house.cancel(self.made[pick % len(self.made)])
            except Conflict as conflict:
                assert conflict.code == "NOT_CANCELLABLE"

    def ping(self, pick: int) -> None:
        self.house.ping(self._devices()[pick % 2], is_up=pick % 3 > 0)

    def wait(self, pick: int) -> None:
        self.house.later(WAITS[pick % len(WAITS)])

    def _devices(self) -> list[str]:
        return sorted({row[0] for row in self.house.read(lambda tx: tx.rows("SELECT id FROM devices"))})

    def _name(self, attempt_id: str) -> str:
        return f"guid-{attempt_id}"

    def calm_down(self) -> None:
        """Let all that is broken be well, and look whenever the clocks say so, until nothing moves any more."""
        for device_id in self._devices():
            self.house.ping(device_id)
        for _ in range(500):
            for lookup in self.lookups + self.house.rescue("last"):
                is_there = self._shows(lookup.attempt.id)
                finding = Found(Accepted(self._name(lookup.attempt.id))) if is_there else Absent()
                self.house.conclude(lookup, finding, owner=lookup.attempt.owner or "")
            self.lookups.clear()
            taken = self.house.write(claim, self.house.settings, ME, 64)
            in_hand = [*self.claimed, *taken.claimed]
            for one in in_hand:
                if self.house.hand(one) == [True]:
                    self.arrived[one.attempt.id], self.seen_at[one.attempt.id] = True, self.house.clock.now
                    self.handed.append(one)
                    self.house.record(one, Accepted(self._name(one.attempt.id)))
            self.claimed.clear()
            waits = [at for at in (taken.next_in_ms, self.house.read(next_rescue_in_ms)) if at is not None]
            if not in_hand and not waits:
                break
            self.house.later(0 if in_hand else max(1, min(waits)))


def nothing_arrived_twice(world: World) -> None:
    arrivals = Counter(one.message.id for one in world.handed if world.arrived[one.attempt.id])
    assert all(count == 1 for count in arrivals.values()), arrivals


def nothing_that_arrived_is_denied(world: World) -> None:
    for one in world.handed:
        status = world.house.status(one.message.id)
        if world.arrived[one.attempt.id]:
            assert status not in ("waiting", "failed", "fallback", "cancelled", "expired"), status


def caps_and_gaps_were_kept(world: World) -> None:
    there = [
        attempt for message_id in world.made for attempt in world.house.attempts(message_id) if world.arrived.get(attempt.id)
    ]
    total = Counter((one.line_id, one.usage_until) for one in there)
    new = Counter((one.line_id, one.usage_until) for one in there if one.opened)
    assert all(count <= PER_DAY for count in total.values())
    assert all(count <= NEW_PER_DAY for count in new.values())
    people = {one.address for one in there} - {phone(number) for number in range(4)}
    assert people <= {one.address for one in there if one.opened}, "somebody who never wrote was met without being counted"
    for key, gap_ms, ones in (("device_id", DEVICE_GAP, there), ("line_id", CONTACT_GAP, [one for one in there if one.opened])):
        last: dict[str, int] = {}
        for one in sorted(ones, key=lambda one: one.handed_at or 0):
            assert one.handed_at is not None
            before = last.get(getattr(one, key))
            assert before is None or one.handed_at - before >= gap_ms, key
            last[getattr(one, key)] = one.handed_at


def everything_ended(world: World) -> None:
    for message_id in world.made:
        status = world.house.status(message_id)
        assert status not in ("waiting", "sending"), world.house.codes(message_id)


VERBS = ["send", "claim", "hand", "give_up", "answer", "rescue", "conclude", "report", "write_in", "cancel", "ping", "wait"]
OFTEN = ["go", "go", "go", "answer", "claim", "hand", "wait", "wait", "rescue", "conclude", "conclude"]


# Walks are long and shrinking one takes minutes; its steps are noted instead.
@settings(max_examples=30, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.lists(st.tuples(st.sampled_from(VERBS + OFTEN), st.integers(0, 209)), min_size=30, max_size=60))
def test_no_walk_breaks_a_promise(steps: list[tuple[str, int]]) -> None:
    with a_house(arrival_ms=ARRIVAL) as house:
        shared = house.add_line(
            device_gap_ms=DEVICE_GAP, contact_gap_ms=CONTACT_GAP, messages_per_day=PER_DAY, new_per_day=NEW_PER_DAY
        )
        rules = {"contact_gap_ms": CONTACT_GAP, "messages_per_day": PER_DAY, "new_per_day": NEW_PER_DAY}
        house.add_line(device_id=shared.device_id, **rules)
        house.add_line(device_gap_ms=DEVICE_GAP, **rules)
        world = World(house)
        for verb, pick in steps:
            world.step(verb, pick)
        nothing_arrived_twice(world)
        nothing_that_arrived_is_denied(world)
        caps_and_gaps_were_kept(world)
        world.calm_down()
        nothing_arrived_twice(world)
        nothing_that_arrived_is_denied(world)
        caps_and_gaps_were_kept(world)
        everything_ended(world)
