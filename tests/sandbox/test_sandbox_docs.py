"""The page of documentation lists the numbers and routes that there are."""

import re
from pathlib import Path

from posthaste.sandbox import control
from posthaste.sandbox.numbers import Script, scripted_numbers

TEXT = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()


def test_every_script_is_documented_with_its_first_number() -> None:
    documented = re.findall(r"^\| (\+\d+) \| `([\w-]+)` \|", TEXT, re.MULTILINE)
    assert documented == [(number, str(script)) for number, script in scripted_numbers()[: len(Script)]]


def test_every_route_of_its_own_api_is_documented() -> None:
    named = re.findall(r"`(GET|POST) (/[\w/{}]*)", TEXT)
    for route in control.ROUTES:
        path = route.path.replace("{mac}", "{id}")
        assert any((method, path) in named for method in route.methods or ()), route.path
