"""The source tree as the architecture tests read it: every file parsed once."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TOP = Path(__file__).parents[2]
SRC = TOP / "src" / "posthaste"


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        return str(self.path.relative_to(TOP))

    def is_in(self, *folders: str) -> bool:
        return any(self.path.is_relative_to(SRC / folder) for folder in folders)

    def at(self, node: ast.AST) -> str:
        return f"{self.name}:{getattr(node, 'lineno', 1)}"


@cache
def sources(*roots: str) -> tuple[Source, ...]:
    """Return every file under these folders of the repository."""
    paths = sorted(path for root in roots for path in (TOP / root).rglob("*.py"))
    return tuple(Source(path, text := path.read_text(), ast.parse(text)) for path in paths)


def product() -> tuple[Source, ...]:
    return sources("src/posthaste")


def texts(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """Yield every text of a file that is no docstring, with what is fixed of those that are put together."""
    documentation = {id(docstring) for docstring in _docstrings(source.tree)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node, node.value


def _docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
