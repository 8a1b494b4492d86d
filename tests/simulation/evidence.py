"""What is left when a seed is over: rows of the database, texts on phones, requests that left, and what callers were told.

`views` are what we sent, `replies` what people wrote. The judgement reads this and nothing else, so that it cannot take the
system's word for what the phones know better.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from posthaste.actions.show import MessageView, message_view, timeline_of
from posthaste.core.messages import Message
from posthaste.core.timeline import Entry
from posthaste.sandbox.entries import Received
from posthaste.store import attempts, messages
from posthaste.store.attempts import Attempt
from posthaste.store.transaction import Transaction

from .quiet import late_devices
from .wire import Sent

if TYPE_CHECKING:
    from .town import Town

_NEVER = 1 << 62
_MARK = re.compile(r"#\d+#")


def mark_of(text: str) -> str:
    found = _MARK.match(text)
    assert found is not None, text
    return found[0]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that the judgement may look at; what is grouped by mark is about one text.

    `sends` are the requests that left, in order, by the attempt that each was made for; `unwritten` are those of which nobody had
    written down before that they may leave.
    """

    town: "Town"
    now: int
    views: Mapping[str, MessageView]
    replies: Mapping[str, Message]
    attempts: Mapping[str, list[Attempt]]
    timelines: Mapping[str, list[Entry]]
    on_phones: Mapping[str, list[Received]]
    guids: frozenset[str]
    sends: Mapping[str, list[Sent]]
    unwritten: list[Sent]
    keys: Mapping[str, str]
    late_devices: list[str]
    in_flight: Mapping[str, tuple[int, int]]

    @property
    def by_mark(self) -> dict[str, list[MessageView]]:
        found: dict[str, list[MessageView]] = defaultdict(list)
        for view in self.views.values():
            found[mark_of(view.message.text)].append(view)
        return found

    def all_attempts(self) -> list[Attempt]:
        return [one for of_message in self.attempts.values() for one in of_message]

    def arrived(self, attempt: Attempt) -> Sent | None:
        """Return the request of an attempt that put its text on a phone."""
        return next((sent for sent in self.sends.get(attempt.id, ()) if sent.guid in self.guids), None)

    def knows_repeats(self, attempt: Attempt) -> bool:
        """Tell whether the device of an attempt refuses a text that it has already: an Android phone does, a Mac does not."""
        return not self.town.plan.devices[self.town.device_ids.index(attempt.device_id)].is_mac


async def gather(town: "Town") -> Evidence:
    store = town.disk.store
    on_phones: dict[str, list[Received]] = defaultdict(list)
    for received in town.world.received:
        on_phones[mark_of(received.text)].append(received)
    return await store.read(_read, town, on_phones)


def _read(tx: Transaction, town: "Town", on_phones: Mapping[str, list[Received]]) -> Evidence:
    ids = [row[0] for row in tx.rows("SELECT id FROM messages WHERE direction = 'sent' ORDER BY id")]
    replies = [row[0] for row in tx.rows("SELECT id FROM messages WHERE direction = 'received' ORDER BY id")]
    of_messages = {one: attempts.of_message(tx, one) for one in ids}
    sends, unwritten = _matched(town.network.sends, [one for each in of_messages.values() for one in each])
    return Evidence(
        town=town,
        now=tx.now,
        views={one: message_view(tx, town.workspace_id, one) for one in ids},
        replies=messages.by_ids(tx, replies),
        attempts={one: _in_order(of_message, sends, town.network.sends) for one, of_message in of_messages.items()},
        timelines={one: timeline_of(tx, town.workspace_id, one) for one in ids},
        on_phones=on_phones,
        guids=frozenset(one.guid for of_mark in on_phones.values() for one in of_mark),
        sends=sends,
        unwritten=unwritten,
        keys=dict(tx.rows("SELECT key, message_id FROM idempotency_keys ORDER BY key")),
        late_devices=late_devices(tx),
        in_flight=_in_flight(tx),
    )


def _matched(sends: Iterable[Sent], every: Iterable[Attempt]) -> tuple[dict[str, list[Sent]], list[Sent]]:
    """Give each request to the attempt that was written down last before it left."""
    written: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in every:
        written[attempt.marker].append(attempt)
        written[attempt.message_id].append(attempt)
    found: dict[str, list[Sent]] = defaultdict(list)
    unwritten = []
    for sent in sends:
        # What goes by its message has the place of an address behind that.
        named = written.get(sent.marker) or written.get(sent.marker.partition("-")[0], [])
        before = [one for one in named if one.handed_at is not None and one.handed_at <= sent.left_at]
        last = max(before, key=lambda one: (one.handed_at or 0, one.id), default=None)
        if last is None or last.device_id != sent.device_id:
            unwritten.append(sent)
        else:
            found[last.id].append(sent)
    return found, unwritten


def _in_order(every: Iterable[Attempt], sends: Mapping[str, list[Sent]], all_sends: list[Sent]) -> list[Attempt]:
    """Put attempts in the order in which they were made; of one millisecond the network knows it, and ids of two lives do not."""
    places = {id(sent): number for number, sent in enumerate(all_sends)}
    firsts = {attempt_id: places[id(of_attempt[0])] for attempt_id, of_attempt in sends.items()}
    return sorted(every, key=lambda one: (one.claimed_at, one.finished_at or _NEVER, firsts.get(one.id, -1)))


def _in_flight(tx: Transaction) -> dict[str, tuple[int, int]]:
    rows = tx.rows(
        """
        SELECT d.id, d.in_flight, (SELECT count(*) FROM attempts AS a WHERE a.device_id = d.id AND a.occupies = 1)
        FROM devices AS d
        ORDER BY d.id
        """
    )
    return {row[0]: (row[1], row[2]) for row in rows}
