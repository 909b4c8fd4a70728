"""``make torture``: put the study under fire, and print what it took, what it refused, and what went wrong."""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.short_study import Checkout, make_checkout
from tests.torture.counts import Counts, as_markdown
from tests.torture.damage import damages
from tests.torture.kills import Undisturbed, kills, study_to_kill
from tests.torture.odd_paths import NAMES, odd_paths
from tests.torture.outcomes import results_of
from tests.torture.texts import configurations, files


@dataclass(frozen=True)
class Trials:
    """How many trials of each part there are."""

    studies: int = 4
    kills_per_study: int = 10
    damages: int = 300
    configurations: int = 1000
    facts: int = 1000
    templates: int = 100
    paths: int = len(NAMES)


SAMPLE = Trials(1, 3, 40, 100, 100, 20, 4)


def finished_study(folder: Path) -> Checkout:
    """The study that is killed later, undisturbed."""
    folder.mkdir()
    checkout = make_checkout(folder, study_to_kill())
    result = checkout.run()
    assert result.returncode == 0, result.stdout[-4000:]
    return checkout


def parts(trials: Trials, seed: int, scratch: Path, study: Checkout) -> Iterator[Counts]:
    """Yield the counts of one part after the other.

    Args:
        trials: how much is tried.
        seed: what all draws depend on.
        scratch: a folder for what is made.
        study: the finished study of ``finished_study``.
    """
    yield configurations(trials.configurations, seed)
    yield files("facts", trials.facts, seed, scratch)
    yield files("templates", trials.templates, seed, scratch)
    yield odd_paths(trials.paths, scratch, study.path / "results" / "gpt2-short" / "model")
    yield damages(study, trials.damages, seed, scratch)
    undisturbed = Undisturbed(study_to_kill(), (), results_of(study.path / "results"))
    yield kills(undisturbed, trials.studies, trials.kills_per_study, seed, scratch)


def main() -> int:
    """Run all parts, and return how many trials went wrong, at most 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="what all draws depend on (default: %(default)s)")
    parser.add_argument("--sample", action="store_true", help="about a tenth of it")
    arguments = parser.parse_args()
    done: list[Counts] = []
    with tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        study = finished_study(scratch / "undisturbed")
        for counts in parts(SAMPLE if arguments.sample else Trials(), arguments.seed, scratch, study):
            print(f"{counts.part}: {counts.tried:,} tried in {counts.seconds:.0f} s", flush=True)
            print("\n".join(counts.faults), flush=True)
            done.append(counts)
    print(f"\nseed {arguments.seed}, Python {platform.python_version()}, {platform.system()}\n\n{as_markdown(done)}")
    return int(any(counts.faults for counts in done))


if __name__ == "__main__":
    sys.exit(main())
