"""Every option parses, says what is wrong with a value, and refuses to start with one that nobody knows."""

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthaste.cli.options import HEADINGS
from posthaste.core.errors import SettingError
from posthaste.settings import OPTIONS, Settings, load

DEFAULTS = Settings()
NUMBERS = [name for name, option in OPTIONS.items() if type(option.default) is int]
FLAGS = [name for name, option in OPTIONS.items() if type(option.default) is bool]
TEXTS = [name for name, option in OPTIONS.items() if type(option.default) is str]


def variable(name: str) -> str:
    return f"POSTHASTE_{name.upper()}"


def least(name: str) -> int:
    return int(OPTIONS[name].metadata["least"])


def from_environment(name: str, text: str) -> Any:
    return getattr(load({variable(name): text}), name)


def test_without_anything_set_the_defaults_hold() -> None:
    assert load({}) == load({"PATH": "/bin", "POSTHAST_PORT": "1"}) == DEFAULTS


def test_every_option_is_a_number_a_flag_a_text_or_a_folder_and_says_what_it_means() -> None:
    assert {*NUMBERS, *FLAGS, *TEXTS, "data"} == set(OPTIONS) == {one.name for one in fields(Settings)}
    for option in OPTIONS.values():
        assert option.metadata["meaning"].endswith("."), option.name


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_has_a_unit_in_its_name_or_is_a_count(name: str) -> None:
    counts = ("port", "_threads", "_max", "_batch", "_per_day", "_per_minute", "_until_down", "_chars", "_bytes")
    assert name.endswith(("_ms", *counts)), name


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_read_down_to_its_least_value(name: str) -> None:
    assert from_environment(name, f" {least(name)} ") == least(name)
    assert from_environment(name, str(least(name) + 12_345)) == least(name) + 12_345
    with pytest.raises(SettingError, match=f"{variable(name)} is {least(name) - 1}, below its least value {least(name)}"):
        from_environment(name, str(least(name) - 1))
    assert getattr(DEFAULTS, name) >= least(name)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["", "ten", "1.5", "1s", "0x10", "None"])
def test_what_is_no_whole_number_is_refused(name: str, text: str) -> None:
    with pytest.raises(SettingError, match=f"{variable(name)} is {text!r}, which is not a whole number"):
        from_environment(name, text)


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize(("text", "value"), [("on", True), ("True", True), ("YES", True), ("1", True)])
@pytest.mark.parametrize("is_negated", [False, True])
def test_a_flag_is_on_or_off(name: str, text: str, value: bool, is_negated: bool) -> None:
    opposite = {"on": "Off", "True": "false", "YES": "no", "1": "0"}
    assert from_environment(name, opposite[text] if is_negated else text) is (value is not is_negated)


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("text", ["", "2", "enabled", "nein"])
def test_what_is_neither_on_nor_off_is_refused(name: str, text: str) -> None:
    with pytest.raises(SettingError, match="which is not on or off"):
        from_environment(name, text)


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_taken_as_it_is(name: str) -> None:
    assert from_environment(name, " x y ") == "x y"


def test_a_folder_is_a_path() -> None:
    assert from_environment("data", "/srv/posthaste") == Path("/srv/posthaste")
    assert load({}, {"data": Path("there")}).data == Path("there")


@pytest.mark.parametrize("name", ["POSTHASTE_PROT", "POSTHASTE_", "POSTHASTE_PORT_", "POSTHASTE_port_ms"])
def test_an_unknown_setting_refuses_to_start(name: str) -> None:
    with pytest.raises(SettingError, match=f"unknown setting {name}; "):
        load({name: "1"})


def test_the_command_line_wins_over_the_environment() -> None:
    assert load({"POSTHASTE_PORT": "1"}, {"port": 2}).port == 2
    assert load({"POSTHASTE_PORT": "1"}, {"port": None}).port == 1
    assert load({"POSTHASTE_PORT": "1"}, {"port": "3"}).port == 3
    assert load({"POSTHASTE_SANDBOX": "on"}, {"sandbox": False}).sandbox is False


@pytest.mark.parametrize("name", [name for name in NUMBERS if least(name) > 0])
def test_a_number_of_the_command_line_has_the_same_least_value(name: str) -> None:
    for value in (least(name) - 1, str(least(name) - 1)):
        with pytest.raises(SettingError, match="below its least value"):
            load({}, {name: value})


@given(st.sampled_from(sorted(OPTIONS)), st.text(max_size=12))
def test_any_text_is_read_or_refused_in_one_line(name: str, text: str) -> None:
    try:
        value = from_environment(name, text)
    except SettingError as error:
        assert "\n" not in error.message
    else:
        assert isinstance(value, type(OPTIONS[name].default) if name != "data" else Path)


def test_the_settings_of_the_contract() -> None:
    rules = {
        "line_messages_per_day": 150,
        "line_new_per_day": 20,
        "line_checks_per_day": 70,
        "device_gap_ms": 30_000,
        "contact_gap_ms": 45_000,
        "check_gap_ms": 3_000,
        "sticky_lines": True,
        "double_send_ms": 60_000,
        "stale_after_ms": 7 * 86_400_000,
        "idempotency_ms": 86_400_000,
        "answer_wait_ms": 5_000,
        "answer_wait_max_ms": 90_000,
        "lease_ms": 15_000,
        "arrival_ms": 150_000,
        "drain_ms": 30_000,
        "messages_per_minute": 0,
        "requests_per_minute": 0,
        "unknown_as_failed": False,
    }
    assert {name: getattr(DEFAULTS, name) for name in rules} == rules


def test_the_help_begins_a_section_wherever_the_settings_do() -> None:
    assert re.findall(r"\n\n    # .+\n    (\w+):", inspect.getsource(Settings)) == list(HEADINGS)
