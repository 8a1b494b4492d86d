"""The second hand-over of one attempt: made only where a first one could be made now, and never into another text's gap."""

import pytest
from builders import ME, House, phone

from fixtures.rows import MINUTE, SECOND
from posthaste.actions.claim import Claimed
from posthaste.actions.hand import hand_again
from posthaste.core.outcomes import Accepted, Ambiguous
from posthaste.core.signals import Inbound
from posthaste.core.windows import Window

MORNING = Window("UTC", 9 * 60, 12 * 60 + 1, None)
GAP, CONTACT_GAP = 3 * SECOND, 5 * SECOND


def again(house: House, claimed: Claimed, last_at: int | None = None, owner: str = ME) -> int | None:
    return house.write(hand_again, house.settings, claimed.attempt.id, owner, last_at)


def test_a_repeat_counts_its_gaps_and_its_doubt_anew(any_house: House) -> None:
    line = any_house.add_line(device_gap_ms=GAP, contact_gap_ms=CONTACT_GAP, arrival_ms=10 * SECOND)
    message_id = any_house.send()
    first = any_house.begin()
    last_at = None
    for _ in range(2):
        any_house.later(SECOND)
        last_at = again(any_house, first, last_at)
        latest = any_house.clock.now + any_house.settings.start_within_ms
        assert last_at == any_house.clock.now
        assert any_house.device(line.device_id).free_at == latest + GAP
        assert any_house.line(line.id).contact_free_at == latest + CONTACT_GAP
        assert any_house.attempts(message_id)[0].arrives_until == latest + 10 * SECOND


@pytest.mark.parametrize("kept", [{"device_gap_ms": GAP}, {"contact_gap_ms": GAP}], ids=["device", "contact"])
def test_nothing_is_repeated_into_the_gap_of_a_text_that_went_since(any_house: House, kept: dict[str, int]) -> None:
    line = any_house.add_line(**kept)
    any_house.slots(line.device_id, 2)
    any_house.send(1)
    first = any_house.begin()
    any_house.later(any_house.settings.start_within_ms + GAP)
    any_house.send(2)
    any_house.begin()
    any_house.later(SECOND)
    assert again(any_house, first) is None
    any_house.later(any_house.settings.start_within_ms + GAP)
    assert again(any_house, first) == any_house.clock.now


def test_nothing_is_repeated_to_somebody_who_wrote_stop(any_house: House) -> None:
    line = any_house.add_line()
    any_house.send(1)
    first = any_house.begin()
    any_house.receive(line.device_id, Inbound("reply-1", 1, phone(1), "STOP", any_house.clock.now))
    assert again(any_house, first) is None


def test_nothing_is_repeated_that_may_no_longer_go(any_house: House) -> None:
    line = any_house.add_line()
    any_house.later(MINUTE - SECOND)
    windowed = any_house.send(window=MORNING)
    first = any_house.begin()
    assert again(any_house, first, owner="somebody else") is None
    any_house.later(SECOND)
    assert again(any_house, first) is None, "its window has closed"
    any_house.record(first, Ambiguous("no answer"))
    assert any_house.attempts(windowed)[0].state == "handed"
    any_house.send(2)
    second = any_house.begin()
    any_house.change(line, is_active=False)
    assert again(any_house, second) is None, "its line was closed"


def test_nothing_is_repeated_whose_lease_is_lost_or_that_has_ended(any_house: House) -> None:
    any_house.slots(any_house.add_line().device_id, 2)
    any_house.send(1)
    first = any_house.begin()
    any_house.later(any_house.settings.lease_ms)
    assert again(any_house, first) is None
    any_house.send(2)
    second = any_house.begin()
    any_house.record(second, Accepted("guid"))
    assert again(any_house, second) is None
