"""Many seeds, each a world of its own with its own faults, and what must be true after each."""

from .plan import make_plan
from .town import Town
from .virtual import VirtualLoop, run


def test_a_seed_is_lived_through() -> None:
    async def main(loop: VirtualLoop) -> None:
        town = Town(make_plan(2), loop)
        await town.live()
        assert not town.complaints

    run(main)
