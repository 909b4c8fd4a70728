"""How often verdicts are wrong, and how often they find what is there, over synthetic studies.

    python benchmarks/verdicts.py --studies 200

Every study is made of records with a planted effect (`tests/planted_study.py`: 80 facts of 40 subjects), which go
through the summaries to the verdicts. Without an effect nothing may be supported or contradicted but in 5 % of the
studies, per reading. With an effect the share of studies that support a claim is its power.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy reads it
ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]

from tests.planted_study import THRESHOLDS, planted_summaries

from dkn.paper.claims import CLAIMS, READINGS
from dkn.paper.verdicts import CONTRADICTED, SUPPORTED, verdicts

EFFECTS = (0.0, 0.03, 0.06, 0.12)


def judged(seed: int, effect: float) -> dict[tuple[str, str], list[str]]:
    """Return the verdict on every claim and reading of one study, followed by the outcomes of its contrasts."""
    rows = verdicts(planted_summaries(seed, effect), THRESHOLDS)
    return {
        (row["claim"], row["reading"]): [row["verdict"], *(piece["outcome"] for piece in row["evidence"])]
        for row in rows
    }


def main() -> None:
    """Print the rate of false statements without an effect, and the power at every other effect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200, help="per effect (default: %(default)s)")
    arguments = parser.parse_args()
    names = [(claim.name, reading) for reading in READINGS for claim in CLAIMS if claim.evidence(reading)]
    print(f"{arguments.studies} studies per effect; per cent of the studies in which a claim is supported\n")
    print(f"| effect | {' | '.join(f'{claim} {reading}' for claim, reading in names)} |")
    print(f"| --- |{' ---: |' * len(names)}")
    with ProcessPoolExecutor() as pool:
        for effect in EFFECTS:
            studies = list(pool.map(judged, range(arguments.studies), repeat(effect)))
            supported = Counter(name for study in studies for name in names if study[name][0] == SUPPORTED)
            shares = (f"{100 * supported[name] / len(studies):.0f}" for name in names)
            print(f"| {effect} | {' | '.join(shares)} |", flush=True)
            if effect == 0:
                false = Counter(
                    reading
                    for study in studies
                    for reading in READINGS
                    if any({SUPPORTED, CONTRADICTED} & set(said) for (_, of), said in study.items() if of == reading)
                )
    for reading in READINGS:
        print(
            f"\nwithout an effect, studies in which any contrast of the {reading} reading is supported or contradicted:"
        )
        print(
            f"{false[reading]} of {arguments.studies} ({100 * false[reading] / arguments.studies:.1f} %; stated: 5 %)"
        )


if __name__ == "__main__":
    main()
