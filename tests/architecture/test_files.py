"""The house style, as far as it can be counted: short files that say what they are for, short functions, the right words."""

import ast
import re
import statistics
from collections.abc import Iterator

from .sources import Source, product, sources

MOST_LINES = 400
#: "data" and "info" are not used either, but cannot be counted: there is a data folder, and BlueBubbles has a server/info.
FORBIDDEN_WORDS = frozenset({"manager", "helper", "util", "utils", "handler", "service", "processor"})
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
THIS_FILE = "test_files.py"


def test_no_file_is_longer_than_400_lines() -> None:
    assert not {source.name: lines for source in _all() if (lines := source.text.count("\n")) > MOST_LINES}


def test_every_file_opens_by_saying_what_it_is_for() -> None:
    assert not [source.name for source in _all() if source.text.strip() and not ast.get_docstring(source.tree)]


def test_nothing_is_left_to_be_done() -> None:
    assert not [source.name for source in _all() if source.path.name != THIS_FILE and UNFINISHED.search(source.text)]


def test_functions_are_short() -> None:
    lengths = sorted(length for source in product() for length, _ in _functions(source))
    assert statistics.median(lengths) <= 7
    assert lengths[len(lengths) * 9 // 10] < 30
    assert not [where for source in product() for length, where in _functions(source) if length > 60]


def test_names_avoid_words_that_say_nothing() -> None:
    assert not [where for source in product() for where in _empty_names(source)]


def _all() -> tuple[Source, ...]:
    return sources("src", "tests", "bench")


def _functions(source: Source) -> Iterator[tuple[int, str]]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or node.lineno) - node.lineno + 1, f"{source.at(node)} {node.name}"


def _empty_names(source: Source) -> Iterator[str]:
    names = [(source.path.stem, source.name)]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append((node.name, source.at(node)))
    for name, where in names:
        words = re.findall(r"[A-Z]?[a-z]+", name)
        if FORBIDDEN_WORDS & {word.lower() for word in words}:
            yield f"{where} {name}"
