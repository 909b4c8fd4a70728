"""The main numbers of experiments, for captions.

They are the numbers whose growth with model size is examined (``model_size``), and the contrasts that the claims need.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dkn.paper.claims import CLAIMS
from dkn.paper.model_size import METRICS
from dkn.summaries.stored import matching
from dkn.summaries.wording import bullets, contrast, interval, sized


def _of_experiment(summary: Mapping[str, Any]) -> list[str]:
    model, experiment = summary["model"], summary["experiment"]
    if summary.get("not_run"):
        return [f"{model}, {experiment}: not run: {summary['not_run']}"]
    lines = []
    for metric in METRICS:
        if metric.experiment == experiment:
            rows = matching(summary["estimates"], metric.where)
            for row in rows:
                number = interval(row["mean"], row["low"], row["high"], metric.where["metric"], metric.is_difference)
                lines.append(f"{model}, {metric.label}: {number}, {sized(row)}")
            if not rows:
                lines.append(f"{model}, {metric.label}: no fact to measure it on, n = 0 facts")
    for claim in CLAIMS:
        for evidence in (*claim.primary, *claim.literal):
            if evidence.experiment == experiment:
                rows = matching(summary["contrasts"], evidence.where)
                named = ({**evidence.where, **row, "experiment": experiment} for row in rows)
                lines += [f"{model}, for {claim.name}: {contrast(row)}" for row in named]
    return lines


def of_experiments(summaries: Sequence[Mapping[str, Any]]) -> str:
    """Return the main numbers of experiments as a reStructuredText list.

    Args:
        summaries: the contents of ``summary.json`` files; the numbers of one model stand together.
    """
    models = dict.fromkeys(summary["model"] for summary in summaries)
    return bullets(
        line
        for model in models
        for summary in summaries
        if summary["model"] == model
        for line in _of_experiment(summary)
    )
