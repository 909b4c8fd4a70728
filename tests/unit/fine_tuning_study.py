"""Summaries and costs of the fine-tuning experiments, made by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import DEVELOPMENT, SPLITS, TEST, TUNED_SETS
from dkn.summaries.fine_tuning import summarise

EPOCHS, CHOSEN, FACTS = (0, 4, 8), 4, 12
FEW = StatisticsSettings(resamples=50, confidence=0.95, seed=0)
TUNED = tuple(name for names in TUNED_SETS.values() for name in names)  # every neuron set that is trained
MADE = {"settings": vars(FEW)}
RATES = {
    "learning_rate": 0.1,
    "lowest_rate": 0.01,
    "highest_rate": 1.0,
    "learning_rate_inside": True,
    "tried_rates": [
        {"learning_rate": rate, "score": score, "epoch": 4} for rate, score in ((0.01, 0.2), (0.1, 0.75), (1.0, 0.5))
    ],
}
CORRECT = {0: 0, 4: 9, 8: 6}  # of twelve facts, whatever is trained or asked


def made_records(names: tuple[str, ...]) -> pd.DataFrame:
    """Twelve facts, one of development that is always wrong; every set has two draws."""
    rows = [
        {"neuron_set": name, "draw": draw, "split": split, "epoch": epoch, "chosen": epoch == CHOSEN}
        | {"fact_id": f"f{n}", "subject": f"s{n}", "role": TEST if n < FACTS else DEVELOPMENT}
        | {"correct": n < CORRECT[epoch], "log_prob": -1.0}
        for name in names
        for draw in range(2)
        for split in SPLITS
        for epoch in EPOCHS
        for n in range(FACTS + 1)
    ]
    return pd.DataFrame(rows)


def made(model: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Summaries and costs of all four experiments of a model."""
    summaries, trainings = [], []
    for names in TUNED_SETS.values():
        records = made_records(names)
        others = made_records(tuple(name for name in TUNED if name not in names))
        summaries.append({"model": model, "new_facts": 13, "provenance": MADE, **summarise(records, others, FEW)})
        sets = [
            {"neuron_set": name, "draw": number, "epoch": CHOSEN, "trained_parameters": 1000 + number}
            | {
                **RATES,
                "optimiser_state_bytes": 2**20,
                "peak_memory_bytes": 2**30,
                "training_seconds": 2.5,
            }
            for name in names
            for number in range(2)
        ]
        trainings.append({"new_facts": 13, "sets": sets})
    return summaries, trainings


def not_run(model: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the stages write where there are too few facts."""
    empty: dict[str, Any] = {"estimates": [], "draws": [], "curves": [], "contrasts": []}
    return [{"model": model, "not_run": "2 degenerate facts", "sets": [], "provenance": MADE, **empty}] * 4, [
        {"not_run": "2"}
    ] * 4
