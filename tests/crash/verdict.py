"""What must be true when a crash test is over, read from the database and from the sandbox's own log.

A message is on its phone exactly once, or not at all because its number refuses, or nobody can tell and it says so. An SMS
stands in for an iMessage exactly where the rules say, and what people wrote is stored exactly once.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from traffic import IMESSAGE, PICTURE, Planned, Traffic

from fixtures.processes import Site, until

SETTLED_WITHIN_S = 75.0
HEARD_WITHIN_S = 30.0

_GOOD = frozenset({"sent", "delivered"})
_FAILED, _FALLBACK = frozenset({"failed"}), frozenset({"fallback"})


async def settled(made: Site) -> None:
    """Wait until nothing moves any more: no message waits or is being sent, and no attempt is open."""
    open_ones = (
        "SELECT (SELECT count(*) FROM messages WHERE status IN ('waiting', 'sending'))"
        " + (SELECT count(*) FROM attempts WHERE state <> 'done')"
    )
    await until(lambda: made.number(open_ones) == 0, f"everything is settled; {census(made)}", SETTLED_WITHIN_S)


async def heard(made: Site) -> int:
    """Wait until every reply is stored, and every device was polled twice more; return how many replies there are."""
    await until(lambda: not _missing(made), "every reply is stored", HEARD_WITHIN_S)
    await _polled(made)
    await _polled(made)
    wrote, stored = _wrote(made), _stored(made)
    assert stored == wrote, f"stored too often: {stored - wrote}, not stored: {wrote - stored}"
    return sum(wrote.values())


def _missing(made: Site) -> Counter[tuple[str, str, str]]:
    return _wrote(made) - _stored(made)


def _wrote(made: Site) -> Counter[tuple[str, str, str]]:
    return Counter((one.sender, one.to, one.text) for one in made.wrote())


def _stored(made: Site) -> Counter[tuple[str, str, str]]:
    rows = made.rows("""
        SELECT m.address, COALESCE(l.phone, l.email), m.text
        FROM messages AS m JOIN lines AS l ON l.id = m.line_id
        WHERE m.direction = 'received'
    """)
    return Counter((str(sender), str(to), str(text)) for sender, to, text in rows)


async def _polled(made: Site) -> None:
    last_due = made.number("SELECT max(poll_due_at) FROM devices")
    # A poll is due anew as it begins; one more round later the one before it has been stored.
    await until(lambda: made.number("SELECT min(poll_due_at) FROM devices") > last_due, "every device is polled")


def census(made: Site) -> dict[str, int]:
    rows = made.rows("SELECT message_type, status, count(*) FROM messages WHERE direction = 'sent' GROUP BY 1, 2 ORDER BY 1, 2")
    return {f"{type} {status}": int(n) for type, status, n in rows}


def doubts(made: Site) -> dict[str, int]:
    """Return how often the dangerous things happened at all: without them a run proves nothing."""
    return {
        "attempts": made.number("SELECT count(*) FROM attempts"),
        "never handed over": made.number("SELECT count(*) FROM attempts WHERE outcome = 'retry' AND handed_at IS NULL"),
        "handed over, not there, sent again": made.number(
            "SELECT count(*) FROM attempts WHERE outcome = 'retry' AND handed_at IS NOT NULL"
        ),
        "found by a look-up": made.number("""SELECT count(*) FROM timeline WHERE steps LIKE '%"source":"a look-up"%'"""),
        "an SMS in a message's place": made.number("SELECT count(*) FROM messages WHERE fallback_of IS NOT NULL"),
    }


@dataclass(frozen=True, slots=True)
class Row:
    """A message as the database has it at last."""

    id: str
    status: str
    address: str
    text: str
    type: str
    fallback_of: str | None
    fallback_id: str | None


@dataclass(frozen=True, slots=True)
class Phones:
    """What the phones have: how often each text, and how many of these with exactly the picture."""

    texts: Counter[tuple[str, str, str]]
    pictures: Counter[tuple[str, str, str]]


async def check(made: Site, traffic: Traffic) -> int:
    """Hold the phones against the database; return how many messages are honestly unknown."""
    phones, rows = await _phones(made), _rows(made)
    twice = [key for key, times in phones.texts.items() if times > 1]
    assert not twice, f"on a phone twice: {[(key, _story(made, traffic, key[1])) for key in twice]}"
    assert len(traffic.ids) == len(traffic.plan), "the client was not told of every message"
    in_place_of_another = sum(row.fallback_of is not None for row in rows.values())
    assert len(rows) == len(traffic.plan) + in_place_of_another, "a message was accepted twice under one key"
    wrong = [
        (one, complaint, _story(made, traffic, one.text))
        for one in traffic.plan
        for complaint in _complaints(one, rows[traffic.ids[one.key]], rows, phones)
    ]
    assert not wrong, f"{len(wrong)} complaints: {wrong[:5]}"
    ours = {(row.address, row.text, row.type) for row in rows.values()}
    assert set(phones.texts) <= ours, f"a phone has a text of nobody: {set(phones.texts) - ours}"
    _devices_are_free(made)
    return sum(row.status == "unknown" for row in rows.values())


def _complaints(one: Planned, row: Row, rows: Mapping[str, Row], phones: Phones) -> Iterator[str]:
    """Yield what is wrong with a message and with the SMS in its place."""
    key = (one.to, one.text, one.type)
    wanted = _statuses_of(one.type, one.script)
    if row.status != "unknown" and row.status not in wanted:
        yield f"it is {row.status}"
    if row.status != "unknown" and phones.texts[key] != (row.status in _GOOD):
        yield f"it is {row.status}, and {phones.texts[key]} times on the phone"
    if phones.pictures[key] != phones.texts[key] * one.has_picture:
        yield "it is on the phone without its picture, or with another's"
    yield from _complaints_of_sms(one, row, rows, phones)


def _complaints_of_sms(one: Planned, row: Row, rows: Mapping[str, Row], phones: Phones) -> Iterator[str]:
    must_be = one.type == IMESSAGE and (row.status == "fallback" or (row.status == "failed" and one.asks_for_sms))
    if must_be != (row.fallback_id is not None):
        yield f"it is {row.status}, and its SMS is {row.fallback_id}"
    if row.fallback_id is None:
        return
    sms = rows[row.fallback_id]
    if (sms.type, sms.address, sms.text, sms.fallback_of) != ("sms", one.to, one.text, row.id):
        yield f"what is in its place is {sms}"
    if sms.status != "unknown" and sms.status not in _statuses_of("sms", one.script):
        yield f"its SMS is {sms.status}"
    if sms.status != "unknown" and phones.texts[one.to, one.text, "sms"] != (sms.status in _GOOD):
        yield f"its SMS is {sms.status}, and {phones.texts[one.to, one.text, 'sms']} times on the phone"


def _statuses_of(type: str, script: str) -> frozenset[str]:
    match type, script:
        case _, "refused":
            return _FAILED
        case "imessage", "no-imessage" | "unreachable":
            return _FALLBACK
        case "sms", "unreachable":
            return _FAILED
        case _:
            return _GOOD


async def _phones(made: Site) -> Phones:
    picture = sha256(PICTURE).hexdigest()
    texts, pictures = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]]()
    for one in await made.received():
        key = (one["to"], one["text"], one["channel"])
        texts[key] += 1
        pictures[key] += [file["sha256"] for file in one.get("attachments", ())] == [picture]
    return Phones(texts, pictures)


def _rows(made: Site) -> dict[str, Row]:
    rows = made.rows("""
        SELECT id, status, address, text, message_type, fallback_of, fallback_message_id
        FROM messages
        WHERE direction = 'sent'
    """)
    return {str(row[0]): Row(*row) for row in rows}


def _devices_are_free(made: Site) -> None:
    assert made.number("SELECT count(*) FROM devices WHERE in_flight <> 0") == 0, "a device still counts a send as in flight"
    assert made.number("SELECT count(*) FROM attempts WHERE state <> 'done' OR occupies <> 0 OR owner IS NOT NULL") == 0


def _story(made: Site, traffic: Traffic, text: str) -> list[tuple[Any, ...]]:
    """Return what a message's timeline says, and that of its SMS, for the failure."""
    key = next((one.key for one in traffic.plan if one.text == text), "")
    message_id = traffic.ids.get(key, "")
    return made.rows(
        f"SELECT at, steps FROM timeline WHERE message_id = '{message_id}' "
        f"OR message_id IN (SELECT id FROM messages WHERE fallback_of = '{message_id}') ORDER BY at, id"
    )
