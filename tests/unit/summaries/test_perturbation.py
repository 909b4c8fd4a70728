"""The summary of suppression and enhancement: metrics by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dkn.statistics.inference import StatisticsSettings
from dkn.storage.schemas import PERTURBATION
from dkn.summaries.perturbation import per_fact, summarise, with_metrics


def test_metrics_by_hand() -> None:
    """Draws are averaged first; ``perturbed`` is the mean over perturbed queries, ``interaction`` its excess."""
    rows = [
        ("original", "dkn", 0, 0.8, 0.4, True, False),
        ("replace", "dkn", 0, 0.5, 0.1, True, False),
        ("delete", "dkn", 0, 0.2, 0.4, False, True),
        ("original", "random", 0, 0.8, 0.8, True, True),
        ("original", "random", 1, 0.8, 0.4, True, False),
        ("replace", "random", 0, 0.5, 0.5, True, True),
    ]
    columns = ["query", "neuron_set", "repeat", "before", "after", "greedy_before", "greedy_after"]
    records = pd.DataFrame(rows, columns=columns).assign(fact_id="f", subject="s", neurons=2)
    records["log_prob_before"], records["log_prob_after"] = np.log(records["before"]), np.log(records["after"])
    metrics = ("drop", "nats", "drop_per_neuron", "prob_gain", "accuracy", "regained", "lost")
    facts = per_fact(with_metrics(records), metrics).set_index(["neuron_set", "query"])
    dkn, random = facts.loc["dkn"], facts.loc["random"]
    assert dkn.loc["original", "drop"] == pytest.approx(0.5)
    assert dkn.loc["perturbed", "drop"] == pytest.approx((0.8 - 1) / 2)
    assert dkn.loc["interaction", "drop"] == pytest.approx(-0.1 - 0.5)
    assert dkn.loc["delete", "nats"] == pytest.approx(-np.log(2))
    assert dkn.loc["original", "drop_per_neuron"] == pytest.approx(0.25)
    assert dkn.loc["replace", "prob_gain"] == pytest.approx(-0.4)
    assert dkn.loc["perturbed", ["regained", "lost", "accuracy"]].tolist() == [0.5, 0.5, 0.5]
    assert random.loc["original", "drop"] == pytest.approx(0.25)
    assert random.loc["original", "lost"] == pytest.approx(0.5)
    assert "delete" not in random.index


def test_no_records_give_an_empty_summary() -> None:
    empty = PERTURBATION.empty_table().to_pandas()
    summary = summarise(empty, "suppression", StatisticsSettings(resamples=2000, confidence=0.95, seed=0))
    assert summary["estimates"] == summary["contrasts"] == []
    assert summary["counts"]["with_dkn"] == 0
