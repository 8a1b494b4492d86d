"""`python -m tests.simulation 17 --trace`: live through seeds by hand, and read their stories.

A range such as `1-500` runs many and prints what each complained of; `--trace` prints the whole story.
"""

import argparse
import time
from collections import Counter

from .seed import run_seed


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seeds", nargs="+", help="a seed, or a range such as 1-500")
    parser.add_argument("--trace", action="store_true", help="print the whole story")
    asked = parser.parse_args()
    seeds = [seed for text in asked.seeds for seed in _seeds(text)]
    statuses: Counter[str] = Counter()
    unknown_on_phones = 0
    failed, began_s, slowest = [], time.process_time(), (0.0, 0)
    for seed in seeds:
        seed_began_s = time.process_time()
        result = run_seed(seed)
        statuses.update(result.statuses)
        unknown_on_phones += result.unknown_on_phones
        slowest = max(slowest, (time.process_time() - seed_began_s, seed))
        if asked.trace:
            print("\n".join(result.story))
        if result.complaints:
            failed.append(seed)
            print(f"SEED={seed}", *result.complaints, sep="\n  ")
    spent_ms = 1000 * (time.process_time() - began_s) / len(seeds)
    print(f"{len(seeds)} seeds, {len(failed)} failed {failed[:20]}; {spent_ms:.0f} ms each, slowest {slowest}; {dict(statuses)}")
    print(f"unknown: {statuses['unknown']}, of these on a phone: {unknown_on_phones}")


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


if __name__ == "__main__":
    main()
