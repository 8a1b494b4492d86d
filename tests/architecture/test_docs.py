"""The documentation under test: what can be set, seen or called is described, and what is described is there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from posthaste.channels.catalog import KINDS
from posthaste.core.holds import Reason
from posthaste.core.lifecycle import Status
from posthaste.core.outcomes import Refusal
from posthaste.core.timeline import Code
from posthaste.settings import OPTIONS

from .promises import drawn, written
from .sources import TOP, Source, product
from .statuses import PAGE, page_with_drawing

DOCS = TOP / "docs"
SHOWN = ("scheduled", "queued", "pending")
#: Never seen by a caller: they end the start of the program or a command of the command line in one line.
NEVER_ANSWERED = frozenset({"INVALID_SETTING", "SCHEMA_MISMATCH", "FOLDER_IN_USE", "INVALID_REGION", "KEY_NOT_FOUND"})
#: Words of providers in the same letters.
FOREIGN = frozenset({"MMS_DOWNLOADED", "PRE_REPLY_LIMIT_REACHED"})
#: Of these a further address or a fallback is made; a message never ends with them as its code.
NOT_A_CODE = frozenset({Refusal.NOT_ON_CHANNEL})
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
INTO_A_PAGE = re.compile(r"\]\(([\w./-]*)#([\w-]+)\)")
TEST_FILE = re.compile(r"`(tests/[\w/.-]+)`")


def test_every_setting_is_described_with_its_default() -> None:
    page = (DOCS / "operating.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]*)`? \|", page, re.MULTILINE))
    assert {name: _default(name) for name in OPTIONS} == {name: value.strip() for name, value in rows.items()}


def test_every_status_is_described() -> None:
    page = PAGE.read_text()
    assert not [status for status in (*Status, *SHOWN, *Reason) if f"`{status}`" not in page]


def test_the_diagram_is_the_table() -> None:
    page = PAGE.read_text()
    assert page_with_drawing(page) == page, "run python tests/architecture/statuses.py"


def test_every_step_of_a_timeline_is_described() -> None:
    pages = (DOCS / "api.md").read_text() + PAGE.read_text()
    assert not [code for code in Code if f"`{code}`" not in pages]


def test_every_route_is_described() -> None:
    page = (DOCS / "api.md").read_text()
    routes = {route for source in product() if source.is_in("api") for route in _routes(source)}
    assert len(routes) > 10
    assert not [f"{method} {path}" for method, path in sorted(routes) if f"{method} {path}" not in page]


def test_every_error_code_is_described() -> None:
    pages = (DOCS / "api.md").read_text() + PAGE.read_text()
    codes = (
        {code for source in product() if not source.is_in("cli", "sandbox") for code in _codes(source)} - NEVER_ANSWERED - FOREIGN
    )
    assert len(codes) > 40
    refusals = {refusal.name for refusal in Refusal if refusal not in NOT_A_CODE}
    assert not [code for code in sorted(codes | refusals) if f"`{code}`" not in pages]


def test_what_channels_promise_is_told_as_they_state_it() -> None:
    assert written() == drawn(), "run: python -m tests.architecture.promises"


def test_how_to_connect_each_channel_is_told() -> None:
    page = (DOCS / "channels.md").read_text()
    assert not [name for name in KINDS if f"[`{name}`](#" not in page]


def test_links_lead_somewhere() -> None:
    broken = [
        f"{page.name}: {link}"
        for page in _pages()
        for link in LINK.findall(page.read_text())
        if not (page.parent / link).exists()
    ]
    assert not broken


def test_links_into_a_page_meet_a_heading() -> None:
    links = [(page, page.parent / (path or page.name), heading) for page in _pages() for path, heading in _links_into(page)]
    assert links
    assert not [f"{page.name}: {path.name}#{heading}" for page, path, heading in links if heading not in _headings(path)]


def test_tests_that_are_named_exist() -> None:
    named = {(page.name, path) for page in _pages() for path in TEST_FILE.findall(page.read_text())}
    assert named
    assert not [f"{page}: {path}" for page, path in sorted(named) if not (TOP / path).exists()]


def _pages() -> list[Path]:
    return sorted([*TOP.glob("*.md"), *DOCS.rglob("*.md")])


def _links_into(page: Path) -> list[tuple[str, str]]:
    return INTO_A_PAGE.findall(page.read_text())


def _headings(page: Path) -> set[str]:
    """Return the names that headings of a page have in links to them."""
    said = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in said}


def _default(name: str) -> str:
    default = OPTIONS[name].default
    return {"True": "on", "False": "off", "": "empty"}.get(str(default), str(default))


def _routes(source: Source) -> Iterator[tuple[str, str]]:
    for node in ast.walk(source.tree):
        match node:
            case ast.Call(func=ast.Name(id="Verb"), args=[ast.Constant(value=str(method)), ast.Constant(value=str(path)), *_]):
                yield method, path


def _codes(source: Source) -> Iterator[str]:
    """Yield what is given as a `code`, and every constant that looks like one."""
    for node in ast.walk(source.tree):
        match node:
            case ast.keyword(arg="code", value=ast.Constant(value=str(code))) if code.isupper():
                yield code
            case ast.Constant(value=str(code)) if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", code):
                yield code
