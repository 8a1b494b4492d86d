"""Run one seed and judge it: the one call that tests and people make."""

import gc
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from .evidence import gather
from .fallbacks import judge_fallbacks
from .files import judge_files
from .outcomes import judge_outcomes
from .plan import make_plan
from .replies import judge_replies
from .rules import judge_rules
from .town import Town
from .virtual import Stuck, VirtualLoop, run


@dataclass(slots=True)
class Result:
    """What came of a seed: complaints (none, if all is well), its story, and how its messages ended.

    `unknown_on_phones` are texts that arrived and of which nobody could find out: honest, and worth being few.
    """

    seed: int
    complaints: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    digest: str = ""
    statuses: Counter[str] = field(default_factory=Counter)
    unknown_on_phones: int = 0


def run_seed(seed: int) -> Result:
    """Live through a seed."""
    result = Result(seed)
    towns: list[Town] = []

    async def main(loop: VirtualLoop) -> None:
        with TemporaryDirectory(prefix="simulation-") as folder:
            town = Town(make_plan(seed), loop, Path(folder))
            towns.append(town)
            await town.live()
        evidence = await gather(town)
        for judge in (judge_outcomes, judge_rules, judge_replies, judge_fallbacks, judge_files):
            result.complaints += judge(evidence)
        result.statuses.update(str(view.message.status) for view in evidence.views.values())
        gone = result.statuses["sent"] + result.statuses["delivered"]
        result.unknown_on_phones = len(town.world.received) - gone

    gc.disable()  # One collection after a story costs less than many during it.
    try:
        run(main)
    except (Exception, Stuck) as error:
        result.complaints.append(f"the story ended early: {error!r}")
    finally:
        gc.enable()
    for town in towns:
        result.complaints += town.complaints
        result.story = town.trace.lines
        result.digest = town.trace.digest()
    return result
