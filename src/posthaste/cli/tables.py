"""What lists look like: columns under their names, wide enough for what is in them."""

from collections.abc import Iterable, Sequence


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as lines of text."""
    cells = [[str(name) for name in names], *([_shown(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)


def _shown(value: object) -> str:
    return "-" if value is None or value == "" else str(value)
