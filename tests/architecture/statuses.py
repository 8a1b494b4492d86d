"""Draw the life of a message as a diagram, from the table that decides it.

    python tests/architecture/statuses.py        writes it into docs/statuses.md

A test compares the two, so the picture cannot grow old. Rows that leave a message as it is are not drawn but listed.
"""

from collections import defaultdict
from pathlib import Path

from posthaste.core.lifecycle import TABLE, Status, Step

PAGE = Path(__file__).parents[2] / "docs" / "statuses.md"
BEGIN, END = "<!-- drawn from core/lifecycle.py: begin -->", "<!-- drawn from core/lifecycle.py: end -->"


def drawing() -> str:
    """Return the diagram and the list of what changes nothing, as they stand in the page."""
    return "\n".join([BEGIN, "```mermaid", "stateDiagram-v2", *_arrows(), "```", "", *_absorbed(), END])


def page_with_drawing(page: str) -> str:
    """Return the page with its drawing made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + drawing() + after


def _arrows() -> list[str]:
    steps: dict[tuple[Status, Status], list[Step]] = defaultdict(list)
    for (status, step), follows in TABLE.items():
        if status != follows:
            steps[status, follows].append(step)
    arrows = [f"    {a} --> {b}: {', '.join(_words(step) for step in by)}" for (a, b), by in steps.items()]
    return ["    [*] --> waiting: accept", *arrows]


def _absorbed() -> list[str]:
    """List, for each status, the reports that are written down and change nothing."""
    steps: dict[Status, list[Step]] = defaultdict(list)
    for (status, step), follows in TABLE.items():
        if status == follows:
            steps[status].append(step)
    rows = [f"| `{status}` | {', '.join(_words(step) for step in by)} |" for status, by in steps.items()]
    return ["| in this status | these reports change nothing |", "| --- | --- |", *rows]


def _words(step: Step) -> str:
    # At the provider, a message is "taken"; the word "accept" is kept for the call that brings it to us.
    return "taken" if step == Step.ACCEPT else step.replace("_", " ")


if __name__ == "__main__":
    PAGE.write_text(page_with_drawing(PAGE.read_text()))
