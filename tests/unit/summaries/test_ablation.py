"""The summary of the ablation experiment: metrics by hand, a planted lead that is found, and none that is not there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dkn.statistics.inference import StatisticsSettings
from dkn.storage.schemas import ABLATION
from dkn.study.names import ATTRIBUTION, KEPT, MAGNITUDE, RANDOM_ORDER, SUPPRESSED
from dkn.summaries.ablation import CONTRASTED, METRICS, ORDERS, per_fact, summarise, with_left
from tests.unit.ablation_records import KNS, SCORED, TOTAL, made_records

SETTINGS = StatisticsSettings(resamples=100, confidence=0.95, seed=0)
STUDIES = 40


def test_metrics_by_hand() -> None:
    """Five neurons, three of them KNs: steps 1 and 2, since four have no score; draws are averaged as shares."""
    left = {
        (ATTRIBUTION, 0, SUPPRESSED): [1.0, 0.8, 0.6, 0.5, 0.4, 0.2],
        (ATTRIBUTION, 0, KEPT): [0.2, 0.3, 0.5, 0.6, 0.7, 1.0],
        (RANDOM_ORDER, 0, SUPPRESSED): [1.0, 1.2, 1.0, 0.9, 0.8, 0.2],
        (RANDOM_ORDER, 1, SUPPRESSED): [1.0, 1.0, 0.8, 0.7, 0.4, 0.2],
        (RANDOM_ORDER, 0, KEPT): [0.2, 0.2, 0.2, 0.2, 0.2, 1.0],
        (RANDOM_ORDER, 1, KEPT): [0.2, 0.2, 0.4, 0.6, 0.6, 1.0],
    }
    rows = [
        (*key, neurons, np.log(0.5 * share)) for key, shares in left.items() for neurons, share in enumerate(shares)
    ]
    records = pd.DataFrame(rows, columns=["order", "repeat", "intervention", "neurons", "log_prob_after"])
    records = records.assign(fact_id="f", subject="s", kns=3, scored=3, total=5, log_prob_before=np.log(0.5))
    facts = per_fact(with_left(records)).set_index("order")[list(METRICS)]
    assert facts.loc[ATTRIBUTION].tolist() == pytest.approx([0.5, 0.5, 0.6, 1 - 1.4 / 2, 0.8 / 2])
    assert facts.loc[RANDOM_ORDER].tolist() == pytest.approx([0.8, 0.2, 0.4, 1 - 2.0 / 2, (0.2 + 0.3) / 2])
    summary = summarise(
        records.assign(order=records["order"].replace(RANDOM_ORDER, MAGNITUDE)).pipe(with_random), SETTINGS
    )
    everything = next(row for row in summary["estimates"] if row["order"] == "all")
    assert everything["mean"] == pytest.approx(0.2)


def with_random(records: pd.DataFrame) -> pd.DataFrame:
    """The records with those of one order once more, as the random order."""
    again = records[records["order"] == MAGNITUDE].assign(order=RANDOM_ORDER)
    return pd.concat((records, again), ignore_index=True)


def test_a_number_of_knowledge_neurons_between_two_steps_is_no_step() -> None:
    records = made_records(6)
    inner = (records["neurons"] == KNS) & (records["kns"] == KNS)
    changed = records.assign(log_prob_after=records["log_prob_after"].where(~inner, -5.0))
    before, after = (per_fact(with_left(table)).set_index(["order", "fact_id"]) for table in (records, changed))
    for metric in ("comprehensiveness", "sufficiency"):
        assert np.array_equal(before[metric], after[metric])
    assert np.all(after["left"] < before["left"])


def test_the_curves_hold_all_facts_at_every_step_and_both_ends() -> None:
    summary = summarise(made_records(8), SETTINGS)
    curves = pd.DataFrame(summary["curves"])
    assert set(curves["facts"]) == {16}
    assert set(curves["subjects"]) == {8}
    assert sorted(set(curves["neurons"])) == [0, 1, 2, 4, 8, 16, 32, TOTAL]
    assert not curves.duplicated(["order", "intervention", "neurons"]).any()
    ends = curves.set_index(["intervention", "neurons"])["mean"]
    assert ends[SUPPRESSED, 0].tolist() == pytest.approx([1, 1, 1])
    assert ends[KEPT, TOTAL].tolist() == pytest.approx([1, 1, 1])
    assert ends[SUPPRESSED, TOTAL].tolist() == pytest.approx(ends[KEPT, 0].tolist())
    counts = {"facts": 16, "neurons": TOTAL, "mean_kns": KNS, "mean_scored": SCORED}
    assert summary["counts"] == pytest.approx(counts)
    assert {(row["order"], row["metric"]) for row in summary["estimates"]} == {
        *((order, metric) for order in ORDERS for metric in METRICS),
        ("all", "left"),
    }


def test_a_planted_lead_is_found_in_every_measure() -> None:
    summary = summarise(made_records(30, lead=0.4), SETTINGS)
    assert len(summary["contrasts"]) == 2 * len(CONTRASTED)
    for row in summary["contrasts"]:
        assert row["low"] > 0, row
        assert row["p_holm"] < 0.05, row


def test_no_lead_is_found_where_there_is_none() -> None:
    """Over studies without a difference, a study has any significant contrast in at most 5 % of all, but for chance."""
    wrong = 0
    for seed in range(STUDIES):
        summary = summarise(made_records(12, seed=seed), SETTINGS)
        wrong += any(row["p_holm"] < 0.05 for row in summary["contrasts"])
    assert wrong <= STUDIES * (0.05 + 2 * np.sqrt(0.05 * 0.95 / STUDIES))


def test_no_records_give_an_empty_summary() -> None:
    summary = summarise(ABLATION.empty_table().to_pandas(), SETTINGS)
    assert summary == {"counts": {"facts": 0}, "estimates": [], "contrasts": [], "curves": []}
