"""What is remembered of devices' reports and of who is on iMessage is forgotten once it can no longer matter, and not before."""

from builders import House, phone

from fixtures.rows import DAY, NOON
from posthaste.actions.check import note_check
from posthaste.actions.delete_line import clear_deleted_lines, delete_line
from posthaste.actions.sweep import sweep
from posthaste.core.lines import Line
from posthaste.core.signals import Inbound
from posthaste.store.transaction import Transaction


def wrote(house: House, line: Line, external_id: str = "in-1") -> int:
    """Report a text, and return how many are stored."""
    house.receive(line.device_id, Inbound(external_id, 1, phone(1), "Yes", NOON))
    return house.count("messages")


def sweep_all(house: House) -> None:
    assert house.write(sweep, house.settings) is False


# ---- reports ----


def test_a_report_is_known_again_for_as_long_as_it_may_come_and_then_forgotten(any_house: House) -> None:
    line = any_house.add_line()
    assert wrote(any_house, line) == 1
    any_house.later(any_house.settings.reports_for_ms)
    sweep_all(any_house)
    assert any_house.count("signals_seen") == 1
    any_house.later(1)
    sweep_all(any_house)
    assert any_house.count("signals_seen") == 0


def test_what_a_device_may_yet_be_asked_for_is_known_however_long_it_was_down(any_house: House) -> None:
    line = any_house.add_line()
    any_house.ping(line.device_id, is_up=False)
    any_house.ping(line.device_id, is_up=False)
    wrote(any_house, line)
    any_house.later(2 * any_house.settings.reports_for_ms)
    sweep_all(any_house)
    assert any_house.count("signals_seen") == 1
    any_house.ping(line.device_id)
    any_house.later(DAY)
    sweep_all(any_house)
    assert any_house.count("signals_seen") == 1, "it has only just told what came meanwhile"
    any_house.later(1)
    sweep_all(any_house)
    assert any_house.count("signals_seen") == 0


def test_what_every_poll_still_tells_is_known_however_old_it_is(any_house: House) -> None:
    # Some providers are asked for what came since the newest text, and of a quiet line that is the same text for months.
    line = any_house.add_line()
    wrote(any_house, line)
    for _ in range(4):
        any_house.later(any_house.settings.reports_for_ms // 2)
        assert wrote(any_house, line) == 1
        sweep_all(any_house)
    assert wrote(any_house, line) == 1


def test_the_reports_of_a_device_that_is_gone_are_forgotten(any_house: House) -> None:
    line = any_house.add_line()
    wrote(any_house, line)
    any_house.write(delete_line, any_house.workspace.id, line.id)
    assert not any_house.write(clear_deleted_lines)
    any_house.later(any_house.settings.reports_for_ms + 1)
    sweep_all(any_house)
    assert any_house.count("signals_seen") == 0


def test_reports_are_forgotten_a_bounded_number_at_once(house: House) -> None:
    line = house.add_line()
    house.write(_see, line.device_id, 1_200)
    house.later(house.settings.reports_for_ms + 1)
    assert house.write(sweep, house.settings) is True
    assert house.count("signals_seen") == 200
    sweep_all(house)
    assert house.count("signals_seen") == 0


def _see(tx: Transaction, device_id: str, number: int) -> None:
    tx.many(
        "INSERT INTO signals_seen (device_id, external_id, seen_at) VALUES (:device, :id, :now)",
        [{"device": device_id, "id": str(one), "now": tx.now} for one in range(number)],
    )


# ---- who is on iMessage ----


def test_what_nobody_believes_any_more_of_an_address_is_forgotten(any_house: House) -> None:
    any_house.write(note_check, any_house.workspace.id, phone(1), True)
    any_house.write(note_check, any_house.workspace.id, phone(2), False)
    any_house.later(any_house.settings.available_for_ms)
    any_house.write(note_check, any_house.workspace.id, phone(2), False)
    sweep_all(any_house)
    assert any_house.count("availability") == 2
    any_house.later(1)
    sweep_all(any_house)
    assert any_house.count("availability") == 1
