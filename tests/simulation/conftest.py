"""How many seeds, and which: `pytest tests/simulation --seed 17`, `--seeds 20000`, or SIMULATION_SEED and SIMULATION_SEEDS.

Not POSTHASTE_…: the program refuses to start with a variable of that kind that it does not know, and other tests start it.
"""

import os

import pytest

SEEDS, SHARD = 2_000, 50


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, default=None, help="live through one seed of the simulation")
    parser.addoption("--seeds", type=int, default=None, help="live through this many seeds of the simulation")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seeds" in metafunc.fixturenames:
        shards = _shards(metafunc.config)
        metafunc.parametrize("seeds", shards, ids=[f"{one[0]}-{one[-1]}" for one in shards])


def _shards(config: pytest.Config) -> list[range]:
    one = config.getoption("--seed", None) or os.environ.get("SIMULATION_SEED")
    if one is not None:
        return [range(int(one), int(one) + 1)]
    count = int(config.getoption("--seeds", None) or os.environ.get("SIMULATION_SEEDS") or SEEDS)
    return [range(first, min(first + SHARD, count + 1)) for first in range(1, count + 1, SHARD)]
