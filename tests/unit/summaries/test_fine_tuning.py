"""The summary of fine-tuning, on records made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import DEVELOPMENT, DKN, NEW, RANDOM, TEST
from dkn.summaries.fine_tuning import summarise

STATISTICS = StatisticsSettings(resamples=2000, confidence=0.95, seed=0)


def made_records(name: str, right: dict[int, float], role: str = TEST) -> pd.DataFrame:
    """Twenty facts; at epoch e the first ``right[e] * 20`` of them are answered. Epoch 1 is the chosen one."""
    return pd.DataFrame(
        [
            {
                "fact_id": f"f{fact}",
                "subject": f"s{fact}",
                "role": role,
                "split": NEW,
                "wording": 0,
                "neuron_set": name,
                "draw": 0,
                "epoch": epoch,
                "chosen": epoch == 1,
                "correct": fact < share * 20,
                "log_prob": np.log(share) if fact % 2 else 0.0,
            }
            for epoch, share in right.items()
            for fact in range(20)
        ]
    )


def test_the_summary_by_hand() -> None:
    own = pd.concat([made_records(DKN, {0: 0.05, 1: 0.9, 2: 0.5}), made_records(DKN, {1: 0.1}, DEVELOPMENT)])
    found = summarise(own, made_records(RANDOM, {0: 0.05, 1: 0.4}), STATISTICS)
    estimates = {row["metric"]: row["mean"] for row in found["estimates"]}
    assert estimates == pytest.approx({"accuracy": 0.9, "prob": 0.95, "log_prob": np.log(0.9) / 2})
    curve = {row["epoch"]: row["mean"] for row in found["curves"] if row["metric"] == "accuracy"}
    assert curve == pytest.approx({0: 0.05, 1: 0.9, 2: 0.5})
    contrast = next(row for row in found["contrasts"] if row["metric"] == "accuracy")
    assert (contrast["first"], contrast["second"], contrast["facts"]) == (DKN, RANDOM, 20)
    assert contrast["difference"] == pytest.approx(0.5)


def test_no_records_give_an_empty_summary() -> None:
    empty = made_records(DKN, {0: 1.0}).iloc[:0]
    assert summarise(empty, empty, STATISTICS) == {"estimates": [], "draws": [], "curves": [], "contrasts": []}
