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


def test_the_perturbation_alone_costs_what_the_original_query_has_more() -> None:
    """Relative to the original query's Prob, fact by fact; a query that a fact lacks does not count for it."""
    rows = [("f", "original", 0.8), ("f", "replace", 0.6), ("f", "delete", 0.2), ("g", "original", 0.5)]
    rows.append(("g", "replace", 0.5))
    records = pd.DataFrame(rows, columns=["fact_id", "query", "prob"]).assign(neuron_set="none", repeat=0, neurons=0)
    records = records.assign(subject=records["fact_id"], relation="P1", components=2)
    records["log_prob_before"] = records["log_prob_after"] = np.log(records["prob"])
    records = records.assign(greedy_before=True, greedy_after=True)
    others = [records.assign(neuron_set=name, log_prob_before=0.0) for name in ("dkn", "kn", "kn-matched", "random")]
    settings = StatisticsSettings(resamples=100, confidence=0.95, seed=0)
    estimates = summarise(pd.concat([records, *others]), "suppression", settings)["estimates"]
    found = {row["query"]: (row["mean"], row["facts"]) for row in estimates if row["metric"] == "query_drop"}
    assert found == {
        "replace": (pytest.approx((0.25 + 0) / 2), 2),
        "delete": (pytest.approx(0.75), 1),
        "perturbed": (pytest.approx((0.5 + 0) / 2), 2),
    }
