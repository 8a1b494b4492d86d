"""Cancelling: as long as nothing was handed over, and not a moment longer."""

from collections.abc import Collection, Iterable

import pytest
from builders import House, Submission, a_sending, accepted, messages_of

from fixtures.rows import HOUR, NOON
from posthaste.actions.workspaces import make_workspace
from posthaste.core.errors import Conflict, NotFound
from posthaste.core.lines import Device
from posthaste.core.messages import Message
from posthaste.core.outcomes import Accepted, Ambiguous, Deferred, Outcome, Refusal, Rejected
from posthaste.store import devices, messages, waiting
from posthaste.store.transaction import Transaction


def test_what_waits_can_be_cancelled(any_house: House) -> None:
    line = any_house.add_line()
    message_id = any_house.send(scheduled_at=NOON + HOUR)
    any_house.woken.clear()
    any_house.cancel(message_id)
    assert any_house.status(message_id) == "cancelled"
    assert any_house.codes(message_id)[-1] == "cancelled"
    assert any_house.story(message_id)[-1].says == "Cancelled before it was handed over: a caller asked for it."
    assert any_house.device(line.device_id).ready_at is None
    assert f"message:{message_id}" in any_house.woken
    any_house.later(HOUR)
    assert any_house.claim() == []


def test_cancelling_twice_is_the_same_as_once(house: House) -> None:
    house.add_line()
    message_id = house.send()
    house.cancel(message_id)
    before = house.view(message_id), house.codes(message_id)
    house.later(1)
    house.cancel(message_id)
    assert (house.view(message_id), house.codes(message_id)) == before


def test_what_is_behind_it_goes_on(house: House) -> None:
    house.add_line()
    first, second = messages_of(house.accept(a_sending(1), a_sending(2)))
    house.cancel(first)
    assert house.claim_ids() == [second]


def test_what_waits_for_another_try_can_be_cancelled(house: House) -> None:
    house.add_line()
    message_id = house.send()
    house.deliver(Deferred("busy"))
    house.cancel(message_id)
    assert house.status(message_id) == "cancelled"


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (None, "sending"),
        (Ambiguous("?"), "sending"),
        (Accepted("guid"), "sent"),
        (Accepted("guid", delivered_at=NOON), "delivered"),
        (Rejected(Refusal.OTHER, "no"), "failed"),
        (Rejected(Refusal.NOT_ON_CHANNEL, "green"), "fallback"),
    ],
)
def test_what_was_handed_over_cannot_be_called_back(any_house: House, outcome: Outcome | None, status: str) -> None:
    any_house.add_line()
    message_id = any_house.send()
    claimed = any_house.begin()
    if outcome is not None:
        any_house.record(claimed, outcome)
    before = any_house.codes(message_id)
    with pytest.raises(Conflict) as error:
        any_house.cancel(message_id)
    assert error.value.code == "NOT_CANCELLABLE"
    assert (any_house.status(message_id), any_house.codes(message_id)) == (status, before)


def test_another_workspaces_message_is_not_found(house: House) -> None:
    other = house.write(make_workspace, "Other")
    house.add_line(workspace=other)
    (result,) = house.accept(Submission(other, a_sending(), None, ""))
    for message_id in (accepted(result).message_id, "0" * 24):
        with pytest.raises(NotFound):
            house.cancel(message_id)


def test_what_was_moved_while_its_device_was_waited_for_ends_under_the_lock_of_the_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a claim through the other device, which does not lock messages, would overwrite the cancellation."""
    first, second = house.add_line(), house.add_line()
    message_id = house.send(from_line_id=first.id)
    lock, save_steps, held, held_then = devices.lock, messages.save_steps, set[str](), set[str]()

    def lock_late(tx: Transaction, ids: Collection[str]) -> dict[str, Device]:
        if not held:
            waiting.move(tx, [(message_id, second.id)])  # What another process commits meanwhile.
        held.update(ids)
        return lock(tx, ids)

    def save(tx: Transaction, ended: Iterable[Message]) -> None:
        held_then.update(held)
        save_steps(tx, ended)

    monkeypatch.setattr(devices, "lock", lock_late)
    monkeypatch.setattr(messages, "save_steps", save)
    house.cancel(message_id)
    assert house.status(message_id) == "cancelled"
    assert held_then == {first.device_id, second.device_id}
