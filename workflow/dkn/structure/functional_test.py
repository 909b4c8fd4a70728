"""The functional test: can a component of a fact's knowledge neurons (KNs) express the fact?

Prob is the probability of the fact's answer. A component that passes is a base degenerate component (BDC).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact, batches
from dkn.decoder.loading import LanguageModel
from dkn.errors import UserError
from dkn.neurons.asking import Asking
from dkn.neurons.edits import AS_TEXT, EditSettings
from dkn.neurons.interventions import answer_log_probs
from dkn.neurons.sets import NO_NEURONS, NeuronSet
from dkn.progress import progress
from dkn.storage.schemas import COMPONENTS

FUNCTIONAL_TESTS = ("sufficiency", "absolute", "compensation")
LONE = ("tested", "left-out")
TESTED_APART = ("fact_id", "file", "repeat")  # columns whose values tell the candidates of several groupings apart


def recovery(only: np.ndarray, suppressed: float, intact: float) -> np.ndarray:
    """Return how far Prob recovers with one component active, (components,).

    It is 0 where Prob is as low as with all KNs suppressed, and 1 where it is as high as with none suppressed. It is
    NaN where suppressing all KNs does not lower Prob, so that there is nothing to recover.

    Args:
        only: (components,), Prob with all other KNs suppressed.
        suppressed: Prob with all KNs suppressed.
        intact: Prob with none suppressed.
    """
    if not intact > suppressed:
        return np.full(len(only), np.nan)
    return (only - suppressed) / (intact - suppressed)


def relative_drop(before: np.ndarray | float, after: np.ndarray | float) -> np.ndarray:
    """Return (before - after) / before, the paper's relative drop in Prob."""
    return (np.asarray(before) - np.asarray(after)) / np.asarray(before)


@dataclass(frozen=True)
class FunctionalTest:
    """The rule by which a component passes.

    Attributes:
        test: ``sufficiency``: with the fact's other KNs suppressed, Prob must recover by more than ``tau2``, see
            ``recovery``. ``absolute``, the inequality in the paper's text: with the fact's other KNs suppressed, Prob
            itself must exceed ``tau2``. ``compensation``, the released code's: with the component alone suppressed, the
            relative drop in Prob must be below ``tau2``.
        tau2: the threshold.
        lone: ``tested``: every component is tested; or ``left-out``, the released code's (with ``compensation`` and a
            ``tau2`` of 0.05): a component of one neuron never passes, nor does the only component that one grouping
            finds in one draw in a fact.

    Raises:
        UserError: ``test`` is none of them, or ``lone`` is neither.
    """

    test: str
    tau2: float
    lone: str = "tested"

    def __post_init__(self) -> None:
        if self.test not in FUNCTIONAL_TESTS:
            raise UserError(f"unknown functional test {self.test!r}; allowed: {', '.join(FUNCTIONAL_TESTS)}")
        if self.lone not in LONE:
            raise UserError(f"unknown handling of lone components {self.lone!r}; allowed: {', '.join(LONE)}")

    def passes(self, measured: pd.DataFrame) -> np.ndarray:
        """Return which components pass, (components,) bool; one with a NaN recovery does not pass ``sufficiency``.

        Args:
            measured: all components of a fact, with the columns recovery, prob_only_component and drop, as
                ``measure_components`` returns them. With ``left-out`` it also has the column places, and the components
                are counted apart for every value of fact_id, file (one per grouping) and repeat, as far as it has these
                columns.
        """
        passed = self._above_threshold(measured)
        if self.lone == "tested" or measured.empty:
            return passed
        several = (measured["places"].map(len) > 1).to_numpy()
        apart = [name for name in TESTED_APART if name in measured]
        count = measured.groupby(apart)["places"].transform("size").to_numpy() if apart else len(measured)
        return passed & several & np.asarray(count > 1)

    def _above_threshold(self, measured: pd.DataFrame) -> np.ndarray:
        """Return which components the test itself accepts, (components,) bool."""
        if self.test == "compensation":
            return measured["drop"].to_numpy(dtype=float) < self.tau2
        column = "recovery" if self.test == "sufficiency" else "prob_only_component"
        return measured[column].to_numpy(dtype=float) > self.tau2  # NaN exceeds nothing


def _variants(members: NeuronSet, components: list[np.ndarray]) -> list[NeuronSet]:
    """Return the neuron sets to suppress: none, all, for each component all others, for each component itself.

    Args:
        members: the fact's KNs.
        components: for each component its neurons' indices among ``members``.
    """
    everyone = np.arange(len(members))
    only = [members.take(np.setdiff1d(everyone, component)) for component in components]
    return [NO_NEURONS, members, *only, *(members.take(component) for component in components)]


def _measured(candidates: pd.DataFrame, prob: np.ndarray) -> pd.DataFrame:
    """Return one fact's candidates with their probabilities, recovery and drop.

    Args:
        prob: (2 + 2 components,), Prob under the suppressions of ``_variants``.
    """
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
    edits: EditSettings = AS_TEXT,
) -> list[pd.DataFrame]:
    """Measure what the functional test judges, for a batch of facts whose answers have the same number of tokens.

    Args:
        members: each fact's KNs.
        candidates: for each fact id its components; the column ``places`` has a component's indices of the KNs.
        edits: where values are edited, and in which contexts Prob is read off.
    Returns:
        The candidates of each fact, in the order of ``facts``, with the columns prob_intact, prob_all_suppressed,
        prob_only_component, prob_without_component, recovery and drop.
    """
    variants = [_variants(members[fact.fact_id], list(candidates[fact.fact_id]["places"])) for fact in facts]
    log_probs_of_facts = answer_log_probs(adapter, facts, variants, edits=edits)
    return [
        _measured(candidates[fact.fact_id], np.exp(log_probs.sum(1)))
        for fact, log_probs in zip(facts, log_probs_of_facts, strict=True)
    ]


def tested_components(
    model: LanguageModel,
    studied: pd.DataFrame,
    members: dict[str, NeuronSet],
    candidates: pd.DataFrame,
    test: FunctionalTest,
    asking: Asking,
) -> pd.DataFrame:
    """Run the functional test on the candidates of every fact, on those of all groupings at once.

    Args:
        model: the model.
        studied: the facts, indexed by fact_id.
        members: each fact's knowledge neurons.
        candidates: the columns of ``schemas.CANDIDATES``, and ``file``, which tells groupings apart.
        test: the functional test.
        asking: how facts are put to the model.
    Returns:
        The columns of ``schemas.COMPONENTS`` and ``file``.
    """
    groups = dict(list(candidates.groupby("fact_id")))
    results = [candidates.iloc[:0].reindex(columns=[*COMPONENTS.names, "file"])]
    encoded = asking.encoded(model, studied.loc[list(groups)])
    for group in progress(list(batches(encoded, asking.batch)), test.test, unit="batch"):
        for frame in measure_components(model.adapter, group, members, groups, edits=asking.edits):
            results.append(frame.assign(kept=test.passes(frame)))
    tested = pd.concat(results[1:] or results).astype({"kept": bool})  # without rows it would be of no type
    return tested.sort_values(["fact_id", "repeat", "component"], ignore_index=True)
