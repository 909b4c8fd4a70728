"""The comparison of a study's models by size: every setting's main number against model size (docs/method.md).

The paper calls it the complexity of a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dkn.study.names import WITH_DKN
from dkn.summaries.stored import only_match

FEWEST_SIZES = 3  # that a trend needs: two points always lie on a line
COLUMNS = ["metric", "label", "model", "parameters", "mean", "low", "high", "se", "df", "facts", "subjects"]


@dataclass(frozen=True)
class Metric:
    """The main number of a setting.

    Attributes:
        name: the name of the setting.
        label: what the number is, in words.
        experiment: the experiment whose summary holds it.
        where: the values that pick its row among the summary's estimates.
    """

    name: str
    label: str
    experiment: str
    where: Mapping[str, str]

    @property
    def is_difference(self) -> bool:
        """Whether it is a difference between shares, which is stated in points."""
        return "gap" in self.where.get("kind", "")


METRICS = (
    Metric(
        "degeneracy",
        "degeneracy: full minus partial drop in Prob",
        "degeneracy-ntc",
        {"selection": "bdc", "grouping": "ntc", "metric": "drop", "kind": "gap"},
    ),
    Metric(
        "degeneracy-beyond-control",
        "degeneracy: the same beyond random groups of the same sizes",
        "degeneracy",
        {"selection": "bdc", "grouping": "ntc", "metric": "drop", "kind": "gap_beyond_control"},
    ),
    Metric(
        "suppression",
        "suppression of D: drop in Prob on perturbed queries",
        "suppression-values",
        {"population": WITH_DKN, "neuron_set": "dkn", "query": "perturbed", "metric": "drop"},
    ),
    Metric(
        "enhancement",
        "enhancement of D: accuracy regained on perturbed queries",
        "enhancement-values",
        {"population": WITH_DKN, "neuron_set": "dkn", "query": "perturbed", "metric": "regained"},
    ),
    Metric(
        "fact-checking",
        "fact-checking with D of the relation: AUROC",
        "fact-checking-dkn",
        {"detector": "dkn", "neurons": "relation", "wording": "triple", "metric": "auroc"},
    ),
    Metric(
        "overlap",
        "overlap: change as a detector of D, AUROC",
        "overlap-fine-tuning",
        {"neuron_set": "dkn", "part": "both", "metric": "auroc"},
    ),
    Metric(
        "fine-tuning",
        "fine-tuning D: accuracy on new facts",
        "fine-tuning-dkn",
        {"neuron_set": "dkn", "split": "new", "metric": "accuracy"},
    ),
)


def against_size(sizes: Mapping[str, int], summaries: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """Return every setting's main number in every model that has it.

    Args:
        sizes: the number of parameters of each model.
        summaries: the summaries by model and experiment.
    Returns:
        One row per metric and model, the models ordered by size, with the columns ``COLUMNS``.
    Raises:
        ValueError: several estimates of a summary match one metric.
    """
    rows = []
    for metric in METRICS:
        for model in sorted(sizes, key=lambda name: sizes[name]):
            estimates = summaries[model].get(metric.experiment, {}).get("estimates", [])
            estimate = only_match(estimates, metric.where)
            if estimate is not None:
                about = {"metric": metric.name, "label": metric.label, "model": model, "parameters": sizes[model]}
                rows.append({**about, **{name: estimate[name] for name in COLUMNS[len(about) :]}})
    return pd.DataFrame(rows, columns=COLUMNS)
