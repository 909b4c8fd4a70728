"""Records of a synthetic study in which sets, groupings and queries have different facts, as an audit takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from dkn.experiments.degeneracy_measures import Averages
from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import DKN, KN, NTC, PLM, TESTED_CONTROLS
from dkn.study.registry import GROUPINGS
from dkn.summaries import degeneracy, fact_checking, fine_tuning, perturbation
from dkn.summaries.grouping_comparison import compare_gaps
from dkn.summaries.perturbation import PerturbedAverages
from tests import planted_study
from tests.planted_study import Planted

STATISTICS = StatisticsSettings(resamples=100, confidence=0.95, seed=0)
EXPERIMENTS = [f"{setting}-{site}" for setting in ("suppression", "enhancement") for site in ("values", "weights")]


class Made:
    """The records of one study; see ``audit.numbers.Records``.

    Args:
        seed: what all numbers depend on.
        effect: what is planted in favour of every claim.
    """

    def __init__(self, seed: int = 0, effect: float = 0.06) -> None:
        study = Planted(seed, effect, subjects=14)
        self.draw = study.draw
        self.groupings = {name: self._uneven(rows) for name, rows in planted_study.degeneracy_records(study).items()}
        self.perturbed = {name: self._queries(planted_study.perturbation_records(study)) for name in EXPERIMENTS}
        self.checked = self._fewer(planted_study.checking_records(study), "detector")
        self.trained = self._fewer(planted_study.tuning_records(study), "split")
        self.overlapped = planted_study.overlap_records(study)

    def _fewer(self, records: pd.DataFrame, kind: str) -> pd.DataFrame:
        """Leave out some facts of each kind; a fact keeps all or none of its rows."""
        names = records["fact_id"].unique()
        parts = [rows[~rows["fact_id"].isin(self.draw.choice(names, 4, False))] for _, rows in records.groupby(kind)]
        return pd.concat(parts, ignore_index=True)

    def _uneven(self, records: pd.DataFrame) -> pd.DataFrame:
        """Add a second subset of other cost to some facts, and leave out others, in a grouping and its control."""
        more = records[(records["suppressed_components"] == 1) & (self.draw.random(len(records)) < 0.4)]
        more = more.assign(log_prob_after=more["log_prob_after"] - self.draw.random(len(more)))
        return self._fewer(pd.concat([records, more], ignore_index=True), "selection")

    def _queries(self, records: pd.DataFrame) -> pd.DataFrame:
        """Add a second perturbed query of some facts, and facts with one component; each set lacks other facts."""
        asked = records[records["query"] != "original"]
        second = asked[asked["fact_id"].isin(self.draw.choice(asked["fact_id"].unique(), 10, False))]
        scale = self.draw.uniform(0.5, 1.5, len(second))
        second = second.assign(query="deleted", log_prob_after=scale * second["log_prob_after"])
        lone = set(self.draw.choice(records["fact_id"].unique(), 7, False))
        joined = pd.concat([records, second], ignore_index=True)
        joined = joined.assign(components=np.where(joined["fact_id"].isin(lone), 1, 2))
        return self._fewer(joined, "neuron_set")

    def degeneracy(self, grouping: str) -> pd.DataFrame:
        """Return the records of a grouping."""
        return self.groupings[grouping]

    def perturbation(self, experiment: str) -> pd.DataFrame:
        """Return the records of a suppression or enhancement experiment."""
        return self.perturbed[experiment]

    def checking(self, judged: bool) -> pd.DataFrame:
        """Return the records of fact-checking by neurons, or by the model itself."""
        return self.checked[(self.checked["detector"] == PLM) == judged]

    def tuning(self) -> pd.DataFrame:
        """Return the records of fine-tuning."""
        return self.trained

    def overlap(self) -> pd.DataFrame:
        """Return the records of the overlap experiment."""
        return self.overlapped


def summaries(
    made: Made,
    averages: Averages | None = None,
    perturbed: PerturbedAverages | None = None,
    thresholds: Mapping[str, float] | None = None,
    questions: str = "all",
) -> dict[str, Callable[[], dict[str, Any]]]:
    """Return what makes the study's own summaries of these records, by experiment."""
    averages, perturbed = averages or Averages(), perturbed or PerturbedAverages()
    own = pd.concat([made.groupings[name] for name in (NTC, *TESTED_CONTROLS)], ignore_index=True)
    compared = {name: made.groupings[name] for name in GROUPINGS}
    of_dkn = made.trained["neuron_set"] == DKN
    trained = made.trained[of_dkn], made.trained[~of_dkn]
    return {
        "degeneracy-ntc": lambda: degeneracy.summarise(own, STATISTICS, averages=averages),
        "degeneracy": lambda: compare_gaps(compared, STATISTICS, averages),
        **{
            name: partial(perturbation.summarise, rows, *_setting(name), averages=perturbed, site=name.split("-")[1])
            for name, rows in made.perturbed.items()
        },
        **{
            f"fact-checking-{name}": partial(fact_checking.summarise, made.checked, name, STATISTICS, thresholds)
            for name in (DKN, KN)
        },
        "overlap-fine-tuning": lambda: planted_study.overlap_summary(made.overlapped),
        "fine-tuning-dkn": lambda: fine_tuning.summarise(*trained, STATISTICS, questions),
    }


def _setting(experiment: str) -> tuple[str, StatisticsSettings]:
    return experiment.split("-")[0], STATISTICS
