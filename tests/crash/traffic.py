"""The messages of a crash test, the client that posts them, and the people who answer.

The client does what a careful program does: it sends every message under an `Idempotency-Key` and again until it is told that the
message was taken. Every text is its own, so a phone that has one twice gives us away.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import httpx2

from fixtures.processes import Caller, Program, Site, caller, sandbox_file, until
from fixtures.tiny_files import png

POSTERS = 6
IMESSAGE, SMS, EMAIL = "imessage", "sms", "email"
PICTURE = png()

#: How many of a hundred messages are of a type and go to numbers of a script; the others are iMessages to numbers without one.
_SHARES = {
    (IMESSAGE, "delivered"): 15,
    (IMESSAGE, "read"): 15,
    (IMESSAGE, "hangup"): 8,
    (IMESSAGE, "receipt-first"): 6,
    (IMESSAGE, "receipt-twice"): 5,
    (IMESSAGE, "silent"): 4,
    (IMESSAGE, "refused"): 4,
    (IMESSAGE, "late"): 3,
    (IMESSAGE, "no-imessage"): 5,
    (IMESSAGE, "unreachable"): 2,
    (IMESSAGE, "replies"): 5,
    (IMESSAGE, "picture"): 5,
    (SMS, "delivered"): 2,
    (SMS, "hangup"): 2,
    (SMS, "late"): 1,
    (SMS, "no-imessage"): 1,
    (SMS, "refused"): 1,
    (SMS, "replies"): 2,
    (EMAIL, "plain"): 4,
}


@dataclass(frozen=True, slots=True)
class Planned:
    """One message that the client wants to be sent, and what its address does.

    A picture goes from `line` to somebody whom it already talks with, since a Mac can begin no conversation with one.
    """

    key: str
    text: str
    type: str
    to: str
    script: str
    asks_for_sms: bool = False
    line: str | None = None

    @property
    def has_picture(self) -> bool:
        return self.script == "picture"


@dataclass
class Traffic:
    """The client's side: what it posts, how many it may post so far, and what it was told."""

    plan: list[Planned]
    ids: dict[str, str] = field(default_factory=dict)
    retries: Counter[str] = field(default_factory=Counter)
    picture_url: str = ""

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
        try:
            answer = await calls.send(self._body(one), Idempotency_Key=one.key)
        except httpx2.HTTPError as error:
            self.retries[type(error).__name__] += 1
            return None
        if answer.status_code >= 500 or answer.status_code == 409:
            self.retries[str(answer.status_code)] += 1
            return None
        assert answer.status_code in (200, 201), answer.text
        message_id: str = answer.json()["message"]["_id"]
        return message_id

    def _body(self, one: Planned) -> dict[str, object]:
        return {
            "message": one.text,
            "messageType": one.type,
            "recipientEmail" if one.type == EMAIL else "recipientPhone": one.to,
            "sendFallbackSmsOnFailed": one.asks_for_sms,
            "fromLineId": one.line,
            "attachmentUrls": [self.picture_url] if one.has_picture else [],
        }


async def planned(made: Site, taking_calls: Program, random: Random, count: int) -> Traffic:
    """Spread messages over types and scripts, in an order of the seed's; upload the picture, and let people begin to talk."""
    numbers = await made.numbers()
    kinds = [kind for kind, share in _SHARES.items() for _ in range(share * count // 100)]
    kinds += [(IMESSAGE, "plain")] * (count - len(kinds))
    random.shuffle(kinds)
    tag = f"{random.randrange(1 << 32):08x}"
    macs = [line for line in sandbox_file(taking_calls)["lines"] if line["channel"] == "bluebubbles"]
    traffic = Traffic([_one(f"{tag}-{n}", *kind, numbers, macs, random) for n, kind in enumerate(kinds)])
    async with caller([taking_calls]) as calls:
        traffic.picture_url = await _upload(calls)
    met = "SELECT count(*) FROM devices WHERE channel <> 'email' AND options = '{}'"
    await until(lambda: made.number(met) == 0, "the devices are known, so that what people write counts as a reply")
    phone_of = {line["_id"]: line["phone"] for line in macs}
    for line_id, person in sorted({(one.line, one.to) for one in traffic.plan if one.line is not None}):
        await made.write(person, phone_of[line_id], f"I have a question, {tag}")
    return traffic


def _one(
    key: str, type: str, script: str, numbers: dict[str, list[str]], macs: Sequence[dict[str, str]], random: Random
) -> Planned:
    text = f"Text {key}"
    if script == "picture":
        mac = random.randrange(len(macs))
        return Planned(key, text, type, f"+1202555{2000 + 10 * mac + random.randrange(4)}", script, line=macs[mac]["_id"])
    if type == EMAIL:
        return Planned(key, text, type, f"person{random.randrange(9)}@people.example", script)
    to = f"+1202555{random.randrange(1000, 1060)}" if script == "plain" else random.choice(numbers[script])
    return Planned(key, text, type, to, script, asks_for_sms=type == IMESSAGE and random.random() < 0.2)


async def _upload(calls: Caller) -> str:
    answer = await calls.upload("picture.png", PICTURE)
    assert answer.status_code == 201, answer.text
    url: str = answer.json()["attachment"]["url"]
    return url
