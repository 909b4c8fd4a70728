"""The functional test of base degenerate components (docs/method.md): can a component express the fact?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.errors import UserError
from dkn.neurons.interventions import answer_log_probs
from dkn.neurons.sets import NO_NEURONS, NeuronSet

FUNCTIONAL_TESTS = ("sufficiency", "compensation")


def recovery(only: np.ndarray, suppressed: float, intact: float) -> np.ndarray:
    """How far Prob comes back, from all KNs suppressed (0) to none (1), with one component active: (components,).

    NaN where suppressing all KNs does not lower Prob, so that there is nothing to recover.
    """
    if not intact > suppressed:
        return np.full(len(only), np.nan)
    return (only - suppressed) / (intact - suppressed)


def relative_drop(before: np.ndarray | float, after: np.ndarray | float) -> np.ndarray:
    """(before - after) / before, the paper's drop in Prob."""
    return (np.asarray(before) - np.asarray(after)) / np.asarray(before)


@dataclass(frozen=True)
class FunctionalTest:
    """Which components count as expressing the fact.

    ``sufficiency`` (the paper's definition): with the fact's other KNs suppressed, Prob must recover more than
    ``tau2`` of the way from all KNs suppressed to none. ``compensation`` (the released code): the component
    suppressed alone, the drop in Prob must stay under ``tau2``.
    """

    test: str
    tau2: float

    def __post_init__(self) -> None:
        if self.test not in FUNCTIONAL_TESTS:
            raise UserError(f"unknown functional test {self.test!r}; allowed: {', '.join(FUNCTIONAL_TESTS)}")

    def passes(self, recovered: np.ndarray, drop: np.ndarray) -> np.ndarray:
        """(components,) verdicts from recoveries and drops; an undefined recovery does not pass."""
        if self.test == "sufficiency":
            return np.nan_to_num(recovered, nan=-np.inf) > self.tau2
        return drop < self.tau2


def _variants(members: NeuronSet, places: list[np.ndarray]) -> list[NeuronSet]:
    """None, all, then for each component all others suppressed, then for each the component alone suppressed."""
    everyone = np.arange(len(members))
    only = [members.take(np.setdiff1d(everyone, part)) for part in places]
    return [NO_NEURONS, members, *only, *(members.take(part) for part in places)]


def _measured(candidates: pd.DataFrame, prob: np.ndarray) -> pd.DataFrame:
    """One fact's candidates with their probabilities; ``prob`` is in the order of ``_variants``."""
    count = len(candidates)
    intact, suppressed, only, without = prob[0], prob[1], prob[2 : 2 + count], prob[2 + count :]
    return candidates.assign(
        prob_intact=intact,
        prob_all_suppressed=suppressed,
        prob_only_component=only,
        prob_without_component=without,
        recovery=recovery(only, suppressed, intact),
        drop=relative_drop(intact, without),
    )


def measure_components(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    members: dict[str, NeuronSet],
    candidates: dict[str, pd.DataFrame],
) -> list[pd.DataFrame]:
    """What the functional test goes by, for a batch of facts whose answers have the same number of tokens.

    Args:
        members: each fact's knowledge neurons.
        candidates: each fact's components, with a column ``places``.
    Returns:
        The candidates of each fact with columns prob_intact, prob_all_suppressed, prob_only_component,
        prob_without_component, recovery and drop.
    """
    variants = [_variants(members[fact.fact_id], list(candidates[fact.fact_id]["places"])) for fact in facts]
    return [
        _measured(candidates[fact.fact_id], np.exp(log_probs.sum(1)))
        for fact, log_probs in zip(facts, answer_log_probs(adapter, facts, variants), strict=True)
    ]
