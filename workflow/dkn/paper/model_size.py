"""The comparison of a study's models by size: every setting's main number against model size (docs/method.md).

The paper calls it the complexity of a model, and concludes that degeneracy grows with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd

from dkn.paper.claims import INCONCLUSIVE, NOT_RUN, NOT_SUPPORTED, SUPPORTED
from dkn.summaries.stored import only_match

NAME, TEXT = "C8", "Degeneracy grows with model size"
FEWEST_MODELS = 3  # different sizes that a trend needs: two points always lie on a line


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


METRICS = (
    Metric(
        "degeneracy",
        "degeneracy: full minus partial drop in Prob",
        "degeneracy-ntc",
        {"selection": "bdc", "grouping": "ntc", "metric": "drop", "kind": "gap"},
    ),
    Metric(
        "suppression",
        "suppression of D: drop in Prob on perturbed queries",
        "suppression-values",
        {"neuron_set": "dkn", "query": "perturbed", "metric": "drop"},
    ),
    Metric(
        "enhancement",
        "enhancement of D: accuracy regained on perturbed queries",
        "enhancement-values",
        {"neuron_set": "dkn", "query": "perturbed", "metric": "regained"},
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
        One row per metric and model, the models ordered by size, with columns metric, label, model, parameters, mean,
        low, high, facts and subjects.
    Raises:
        ValueError: several estimates of a summary match one metric.
    """
    rows = []
    for metric in METRICS:
        for model in sorted(sizes, key=lambda name: sizes[name]):
            estimates = summaries[model].get(metric.experiment, {}).get("estimates", [])
            estimate = only_match(estimates, metric.where)
            if estimate is not None:
                numbers = {name: estimate[name] for name in ("mean", "low", "high", "facts", "subjects")}
                rows.append(
                    {
                        "metric": metric.name,
                        "label": metric.label,
                        "model": model,
                        "parameters": sizes[model],
                        **numbers,
                    }
                )
    names = ["metric", "label", "model", "parameters", "mean", "low", "high", "facts", "subjects"]
    return pd.DataFrame(rows, columns=names)


def grows_with_size(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the verdict whether one metric grows with model size.

    It is supported if every larger model has more and the interval of the largest model lies above that of the
    smallest, not supported if it lies below, and inconclusive otherwise. Models without an interval do not count; with
    fewer than ``FEWEST_MODELS`` different sizes the verdict is that the metric was not run.

    Args:
        rows: the metric's rows in the order of the models' sizes, with parameters, mean, low and high.
    """
    usable = [row for row in rows if row["low"] is not None and row["low"] == row["low"]]
    if len({row["parameters"] for row in usable}) < FEWEST_MODELS:
        return NOT_RUN
    first, last = usable[0], usable[-1]
    grows = all(upper["mean"] > lower["mean"] for lower, upper in pairwise(usable))
    if grows and last["low"] > first["high"]:
        return SUPPORTED
    return NOT_SUPPORTED if last["high"] < first["low"] else INCONCLUSIVE
