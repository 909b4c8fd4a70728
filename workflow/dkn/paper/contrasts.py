"""All contrasts of a study in one table, with Holm's adjustment over each setting (docs/method.md).

A setting is one of the paper's groups of experiments, such as suppression, or an experiment beyond the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dkn.statistics.inference import holm
from dkn.study.registry import EVERY_EXPERIMENT

SETTING = {**{experiment.name: experiment.setting for experiment in EVERY_EXPERIMENT}, "degeneracy": "degeneracy"}
COLUMNS = [
    "model",
    "setting",
    "experiment",
    "first",
    "second",
    "of",
    "primary",
    "difference",
    "low",
    "high",
    "se",
    "df",
    "p",
    "p_holm",
]
COUNTS = ["facts", "subjects"]
NUMBERS = ["difference", "low", "high", "se", "df", "p", "p_holm"]


def _where(row: Mapping[str, Any]) -> str:
    """Return the words that pick a contrast beside its two sides, as in ``query=add metric=drop``."""
    return " ".join(
        f"{key}={value}" for key, value in row.items() if isinstance(value, str) and key not in ("first", "second")
    )


def _adjusted(p: pd.Series) -> pd.Series:
    return pd.Series(holm(p.astype(float).to_dict()))


def of_model(model: str, summaries: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return all contrasts of one model's experiments, with p adjusted over each setting.

    The adjustment runs over the setting's primary contrasts, which were fixed in advance, and apart from them over all
    others. A setting may have no primary ones.

    Args:
        model: the name of the model.
        summaries: the model's summaries by experiment; ``degeneracy`` is the comparison of all groupings. Experiments
            outside the registry are left out. A contrast that two summaries hold from either side counts once, as the
            first summary has it.
    Returns:
        The columns ``COLUMNS`` and ``COUNTS``; the difference is first minus second.
    """
    rows: list[dict[str, Any]] = []
    seen: set[tuple[str, str, str, str]] = set()
    for experiment, summary in summaries.items():
        if experiment not in SETTING:
            continue
        setting = SETTING[experiment]
        for row in summary.get("contrasts", []):
            if (setting, row["second"], row["first"], _where(row)) not in seen:
                rows.append({**row, "model": model, "setting": setting, "experiment": experiment, "of": _where(row)})
                seen.add((setting, row["first"], row["second"], _where(row)))
    numbers = {**dict.fromkeys(NUMBERS, float), **dict.fromkeys(COUNTS, int)}  # None where a number is undefined
    table = pd.DataFrame(rows, columns=[*COLUMNS, *COUNTS]).astype(numbers)
    table["primary"] = table["primary"].eq(True)
    if rows:
        table["p_holm"] = table.groupby(["setting", "primary"])["p"].transform(_adjusted)
    return table


def adjusted(summaries: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return a model's summaries with ``p_holm`` of their contrasts adjusted over the setting.

    Args:
        summaries: the model's summaries by experiment; ``degeneracy`` is the comparison of all groupings.
    Returns:
        The summaries. ``p_holm`` is None for a contrast that ``of_model`` does not list.
    """
    table = of_model("", summaries)
    keys = zip(table["experiment"], table["first"], table["second"], table["of"], strict=True)
    p_holm = dict(zip(keys, table["p_holm"], strict=True))
    return {
        name: {
            **summary,
            "contrasts": [
                {**row, "p_holm": p_holm.get((name, row["first"], row["second"], _where(row)))}
                for row in summary.get("contrasts", [])
            ],
        }
        for name, summary in summaries.items()
    }
