"""Combinations over seeds, as seeds.json holds them: as summaries of one model, and as a table with every seed.

A row is one number of the models of an entry, which differ in the seed of their training alone, and its combination by
``dkn.paper.seeds``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dkn.storage.files import read_json
from dkn.summaries.wording import missing

ESTIMATES, CONTRASTS = "estimates", "contrasts"
VALUE = {ESTIMATES: "mean", CONTRASTS: "difference"}  # what a number is called in these lists of a summary
PLACE = ["entry", "needed_by", "words", "part", "experiment"]
NUMBERS = ["value", "low", "high", "se", "df", "p", "tau", "i2"]
COUNTS = ["replicates", "models", "facts", "subjects"]


def over_seeds(path: Path | None) -> tuple[dict[str, str], dict[str, dict[str, dict[str, Any]]]]:
    """Return the combinations over seeds as if they were the summaries of one model for every entry.

    Args:
        path: seeds.json; None in a study in which every entry has one model.
    Returns:
        By the name of every model that is combined, the name of its entry's models together; and by that name and
        experiment, the estimates and contrasts in the form in which summaries hold them, and whether the experiment was
        run for none of the models (``not_run``). What too few models have is left out.
    """
    content = {"entries": {}, "rows": []} if path is None else read_json(path)
    summaries: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in content["entries"]}
    for row in content["rows"]:
        empty = {ESTIMATES: [], CONTRASTS: [], "not_run": row["not_run"]}
        of_experiment = summaries[row["name"]].setdefault(row["experiment"], empty)
        if not missing(row["value"]):
            shared = {name: row[name] for name in ("low", "high", "p", "se", "df", *COUNTS)}
            of_experiment[row["part"]].append({**row["where"], VALUE[row["part"]]: row["value"], **shared})
    return {model: name for name, models in content["entries"].items() for model in models}, summaries


def table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return all numbers: for each of them a row per model that has it, and then their combination.

    Args:
        rows: the rows of seeds.json.
    Returns:
        The columns ``PLACE``, model, ``NUMBERS`` and ``COUNTS``. p, tau, i2, replicates and models are those of the
        combination alone.
    """
    lines = []
    for row in rows:
        place = {name: row[name] for name in PLACE}
        lines += [{**place, **seed} for seed in row["seeds"]]
        lines.append({**place, "model": row["name"], **{name: row[name] for name in (*NUMBERS, *COUNTS)}})
    frame = pd.DataFrame(lines, columns=[*PLACE, "model", *NUMBERS, *COUNTS])
    return frame.astype(dict.fromkeys((*NUMBERS, *COUNTS), float))
