"""The messages of a crash test, the client that posts them, and what must be true of them in the end.

The client does what a careful program does: it sends every message under an `Idempotency-Key` and again until it is told that the
message was taken. Every text is its own, so a phone that has one twice gives us away.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx2

from fixtures.processes import Caller, Site, until

POSTERS = 6
SETTLED_WITHIN_S = 75.0

#: How many of a hundred messages go to numbers of each script; the others go to numbers without one.
_SHARES = {
    "delivered": 22,
    "read": 22,
    "hangup": 8,
    "receipt-first": 7,
    "receipt-twice": 6,
    "silent": 5,
    "refused": 4,
    "late": 3,
    "no-imessage": 2,
    "replies": 1,
}


@dataclass(frozen=True, slots=True)
class Planned:
    """One message that the client wants to be sent, and what its number does."""

    key: str
    text: str
    number: str
    script: str


@dataclass
class Traffic:
    """The client's side: what it posts, how many it may post so far, and what it was told."""

    plan: list[Planned]
    ids: dict[str, str] = field(default_factory=dict)
    retries: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._left = list(reversed(self.plan))
        self._allowed = asyncio.Semaphore(0)

    def allow(self, count: int) -> None:
        """Let the client post some more; the pace is what spreads the messages over all the kills."""
        for _ in range(count):
            self._allowed.release()

    async def post_all(self, calls: Caller) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(POSTERS):
                group.create_task(self._post_on(calls))

    async def _post_on(self, calls: Caller) -> None:
        while self._left:
            await self._allowed.acquire()
            if not self._left:
                return
            one = self._left.pop()
            self.ids[one.key] = await until(lambda one=one: self._post(calls, one), f"{one.key} is taken", 90)  # type: ignore[misc]

    async def _post(self, calls: Caller, one: Planned) -> str | None:
        body = {"message": one.text, "recipientPhone": one.number}
        try:
            answer = await calls.send(body, Idempotency_Key=one.key)
        except httpx2.HTTPError as error:
            self.retries[type(error).__name__] += 1
            return None
        if answer.status_code >= 500 or answer.status_code == 409:
            self.retries[str(answer.status_code)] += 1
            return None
        assert answer.status_code in (200, 201), answer.text
        message_id: str = answer.json()["message"]["_id"]
        return message_id


async def plan(made: Site, random: Random, count: int) -> list[Planned]:
    """Spread messages over the scripts, in an order of the seed's."""
    numbers = await made.numbers()
    scripts = [script for script, share in _SHARES.items() for _ in range(share * count // 100)]
    scripts += ["plain"] * (count - len(scripts))
    random.shuffle(scripts)
    tag = f"{random.randrange(1 << 32):08x}"
    return [
        Planned(f"{tag}-{n}", f"Text {n} of {tag}", _number(numbers, script, random), script) for n, script in enumerate(scripts)
    ]


def _number(numbers: dict[str, list[str]], script: str, random: Random) -> str:
    return f"+1202555{random.randrange(1000, 1060)}" if script == "plain" else random.choice(numbers[script])


async def settled(made: Site) -> None:
    """Wait until nothing moves any more: no message waits or is being sent, and no attempt is open."""
    open_ones = (
        "SELECT (SELECT count(*) FROM messages WHERE status IN ('waiting', 'sending'))"
        " + (SELECT count(*) FROM attempts WHERE state <> 'done')"
    )
    await until(lambda: made.number(open_ones) == 0, f"everything is settled; {census(made)}", SETTLED_WITHIN_S)


def census(made: Site) -> dict[str, int]:
    return {str(status): int(n) for status, n in made.rows("SELECT status, count(*) FROM messages GROUP BY status ORDER BY 1")}


def doubts(made: Site) -> dict[str, int]:
    """Return how often the dangerous things happened at all: without them a run proves nothing."""
    return {
        "attempts": made.number("SELECT count(*) FROM attempts"),
        "never handed over": made.number("SELECT count(*) FROM attempts WHERE outcome = 'retry' AND handed_at IS NULL"),
        "handed over, not there, sent again": made.number(
            "SELECT count(*) FROM attempts WHERE outcome = 'retry' AND handed_at IS NOT NULL"
        ),
        "found by a look-up": made.number("""SELECT count(*) FROM timeline WHERE steps LIKE '%"source":"a look-up"%'"""),
    }


_GOOD = {"sent", "delivered"}
_EXPECTED = {"refused": {"failed"}, "no-imessage": {"fallback"}}


async def check(made: Site, traffic: Traffic) -> int:
    """Hold the phones against the database; return how many messages are honestly unknown."""
    phones = Counter((one["to"], one["text"]) for one in await made.received())
    status_of = {str(id): str(status) for id, status in made.rows("SELECT id, status FROM messages WHERE direction = 'sent'")}
    twice = [key for key, times in phones.items() if times > 1]
    assert not twice, f"on a phone twice: {[_story(made, traffic, text) for _, text in twice]}"
    assert len(traffic.ids) == len(traffic.plan), "the client was not told of every message"
    assert len(status_of) == len(traffic.plan), "a message was accepted twice under one key"
    wrong = [
        (one, status_of[traffic.ids[one.key]], _story(made, traffic, one.text))
        for one in traffic.plan
        if not _is_true(one, status_of[traffic.ids[one.key]], phones[one.number, one.text])
    ]
    assert not wrong, f"{len(wrong)} messages ended wrongly: {wrong[:5]}"
    assert sum(phones.values()) == sum(phones[one.number, one.text] for one in traffic.plan), "a phone has a text of nobody"
    _devices_are_free(made)
    return sum(status == "unknown" for status in status_of.values())


def _is_true(one: Planned, status: str, on_phone: int) -> bool:
    if status == "unknown":
        return True
    expected = _EXPECTED.get(one.script, _GOOD)
    return status in expected and on_phone == (expected is _GOOD)


def _devices_are_free(made: Site) -> None:
    assert made.number("SELECT count(*) FROM devices WHERE in_flight <> 0") == 0, "a device still counts a send as in flight"
    assert made.number("SELECT count(*) FROM attempts WHERE state <> 'done' OR occupies <> 0 OR owner IS NOT NULL") == 0


def _story(made: Site, traffic: Traffic, text: str) -> list[tuple[Any, ...]]:
    """Return what a message's timeline says, for the failure."""
    key = next((one.key for one in traffic.plan if one.text == text), "")
    message_id = traffic.ids.get(key, "")
    return made.rows(f"SELECT at, steps FROM timeline WHERE message_id = '{message_id}' ORDER BY at, id")


def scripts_of(plan: Sequence[Planned]) -> dict[str, int]:
    return dict(Counter(one.script for one in plan))
