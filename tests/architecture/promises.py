"""Write the table of what channels promise into docs/channels.md: `python -m tests.architecture.promises`."""

from pathlib import Path

from posthaste.channels.catalog import KINDS
from posthaste.core.channels import Kind

PAGE = Path(__file__).parents[2] / "docs" / "channels.md"
HEAD = """| | knows a repeat | can be looked up | tells who is reachable | receipts | attachments | replies |
| --- | --- | --- | --- | --- | --- | --- |
"""
BEGIN, END = "<!-- promises: begin -->\n", "<!-- promises: end -->"


def drawn() -> str:
    """Return the table as it should be."""
    return HEAD + "".join(_row(kind) for kind in KINDS.values())


def written() -> str:
    """Return the table as the page has it."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


def _row(kind: Kind) -> str:
    promises = kind.promises
    each = (
        promises.repeats_safely,
        promises.can_find,
        promises.can_check,
        promises.has_receipts,
        promises.has_attachments,
        promises.has_replies,
    )
    return f"| `{kind.name}` | {' | '.join('yes' if one else 'no' for one in each)} |\n"


if __name__ == "__main__":
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{drawn()}{END}{rest.partition(END)[2]}")
