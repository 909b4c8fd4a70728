"""The summary of fact-checking: where thresholds come from, what is compared, and that nothing gives nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dkn.errors import UserError
from dkn.statistics.inference import StatisticsSettings
from dkn.summaries.fact_checking import (
    JUDGEMENT_THRESHOLD,
    RELEASED_THRESHOLDS,
    SCORED,
    USED,
    conditions,
    summarise,
)
from tests.unit.planted_statements import planted_records

STATISTICS = StatisticsSettings(resamples=1000, confidence=0.95, seed=0)


def test_thresholds_come_from_the_training_split_alone() -> None:
    """Test scores shifted by a constant change the test metrics and leave the threshold."""
    records = planted_records("planted")
    shifted = records.assign(score=records["score"].where(records["split"] == "train", records["score"] + 100))
    before, after = (summarise(frame, "dkn", STATISTICS)["estimates"] for frame in (records, shifted))
    assert [row["threshold"] for row in before] == [row["threshold"] for row in after]
    recall = {row["metric"]: row["mean"] for row in after if row["detector"] == "dkn"}
    assert recall["recall"] == 1
    assert recall["precision"] == 0.5
    assert recall["auroc"] == 1


def test_no_records_give_an_empty_summary() -> None:
    summary = summarise(planted_records("planted").iloc[:0], "dkn", STATISTICS)
    assert summary["estimates"] == summary["contrasts"] == []


def records_of(gains: dict[str, float], seed: int, subjects: int = 60) -> pd.DataFrame:
    """Scores of relation-level sets for two facts a subject; true statements stand higher by each detector's gain.

    Half of the noise of a statement is that of all detectors, half is their own, and subjects differ.
    """
    draw = np.random.default_rng(seed)
    statements = [
        {
            "fact_id": f"f{subject}-{fact}",
            "subject": f"s{subject}",
            "split": ("train", "test")[subject % 2],
            "truth": truth,
        }
        for subject in range(subjects)
        for fact in range(2)
        for truth in (True, False)
    ]
    shared = draw.normal(size=len(statements)) + np.repeat(draw.normal(size=subjects), 4)
    tables = []
    for detector, gain in gains.items():
        table = pd.DataFrame(statements)
        score = shared + draw.normal(size=len(table)) + gain * table["truth"]
        tables.append(
            table.assign(detector=detector, neurons="relation", wording="triple", draw=0, size=20, score=score)
        )
    return pd.concat(tables, ignore_index=True)


def contrasts_of(gains: dict[str, float], detector: str, seed: int = 0) -> dict[tuple[str, str], dict[str, float]]:
    settings = StatisticsSettings(resamples=100, confidence=0.95, seed=seed)
    rows = summarise(records_of(gains, seed), detector, settings)["contrasts"]
    return {(row["second"], row["metric"]): row for row in rows}


@pytest.mark.parametrize(("detector", "control"), [("dkn", "random"), ("kn", "random-kn")])
def test_a_planted_lead_over_each_rival_is_found_in_every_metric(detector: str, control: str) -> None:
    rivals = {"dkn": ("kn", "random"), "kn": ("random-kn",)}[detector]
    gains = dict.fromkeys(("dkn", "random", "kn", "random-kn"), 0.0) | {detector: 4.0}
    found = contrasts_of(gains, detector)
    assert set(found) == {(rival, metric) for rival in rivals for metric in ("balanced_accuracy", "auroc", "f1")}
    for metric in ("balanced_accuracy", "auroc"):
        row = found[control, metric]
        assert (row["difference"] > 0.2, row["low"] > 0, row["p_holm"] < 0.05) == (True, True, True), metric
        assert row["low"] < row["difference"] - row["se"] < row["difference"] + row["se"] < row["high"]


def test_equally_good_detectors_are_told_apart_at_the_stated_rate() -> None:
    """In at most 5 % of the studies, and two standard errors, any contrast is significant after Holm's adjustment."""
    studies = 60
    gains = dict.fromkeys(("dkn", "random", "kn"), 1.0)
    wrong = [min(row["p_holm"] for row in contrasts_of(gains, "dkn", seed).values()) < 0.05 for seed in range(studies)]
    assert np.mean(wrong) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / studies)


def with_draws(records: pd.DataFrame, spread: float, draws: int, seed: int) -> pd.DataFrame:
    """Records in which D and each draw of random neurons are as good as they happen to be: all are alike drawn."""
    draw = np.random.default_rng([seed, 1])
    dkn, random = (records[records["detector"] == name] for name in ("dkn", "random"))
    varied = [dkn.assign(score=dkn["score"] + spread * draw.normal() * dkn["truth"])]
    for number in range(draws):
        varied.append(random.assign(draw=number, score=random["score"] + spread * draw.normal() * random["truth"]))
    return pd.concat(varied, ignore_index=True)


def test_a_set_that_is_like_one_more_draw_is_no_better_than_random_ones() -> None:
    """Neuron sets differ more than subjects explain. With one draw in place of all, most would find a winner."""
    studies, settings = 60, StatisticsSettings(resamples=100, confidence=0.95, seed=0)
    wrong = {"auroc": 0, "balanced_accuracy": 0}
    for seed in range(studies):
        records = with_draws(records_of({"dkn": 1.0, "random": 1.0}, seed, 120), 1.5, 6, seed)
        for row in summarise(records, "dkn", settings)["contrasts"]:
            assert (row["first_draws"], row["second_draws"]) == (1, 6)
            if row["metric"] in wrong:
                wrong[row["metric"]] += row["p"] < 0.05
    assert max(wrong.values()) / studies <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / studies)


def test_between_two_sets_that_are_like_draws_there_is_no_winner() -> None:
    """D and N are not drawn, but each is one more draw of the random sets of its size."""
    studies, settings = 60, StatisticsSettings(resamples=100, confidence=0.95, seed=0)
    wrong, as_subjects_vary = (dict.fromkeys(("auroc", "balanced_accuracy"), 0) for _ in range(2))
    for seed in range(studies):
        smaller = with_draws(records_of({"dkn": 1.0, "random": 1.0}, seed, 120), 1.5, 6, seed)
        larger = with_draws(records_of({"dkn": 1.0, "random": 1.0}, seed + 500, 120), 1.5, 6, seed + 500)
        larger["detector"] = larger["detector"].map({"dkn": "kn", "random": "random-kn"})
        rows = summarise(pd.concat([smaller, larger], ignore_index=True), "dkn", settings)["contrasts"]
        for row in rows:
            if row["second"] == "kn" and row["metric"] in wrong:
                wrong[row["metric"]] += row["p"] < 0.05
                as_subjects_vary[row["metric"]] += row["p_facts"] < 0.05
    assert max(wrong.values()) / studies <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / studies)
    assert min(as_subjects_vary.values()) / studies > 0.2, "the draws of this test do not vary"


def test_a_set_that_is_better_than_any_draw_is_found() -> None:
    records = with_draws(records_of({"dkn": 5.0, "random": 0.5}, 0, 120), 0.3, 6, 0)
    settings = StatisticsSettings(resamples=100, confidence=0.95, seed=0)
    for row in summarise(records, "dkn", settings)["contrasts"]:
        assert (row["low"] > 0, row["p_holm"] < 0.05, row["se_draws"] > 0) == (True, True, True)


def test_fixed_thresholds_are_those_of_their_detectors() -> None:
    """Every number by counting; a detector without one has the threshold of its training split as before."""
    records = records_of(dict.fromkeys(("dkn", "random", "kn", "random-kn"), 1.0), 0)
    records["score"] = (records["score"] * 3).round() * 5e-7  # 0, 5e-7, 1e-6, …: many equal a threshold
    settings = StatisticsSettings(resamples=100, confidence=0.95, seed=0)
    fixed = {"dkn": 5e-7, "random": 1e-6}
    found = summarise(records, "dkn", settings, fixed)
    means = {(row["detector"], row["metric"]): row["mean"] for row in found["estimates"]}
    expected = {}
    for name, limit in fixed.items():
        test = records[(records["detector"] == name) & (records["split"] == "test")]
        right = [(row.score >= limit) == row.truth for row in test.itertuples()]
        assert (test["score"] == limit).any()
        expected[name] = np.mean(right)
        assert means[name, "balanced_accuracy"] == pytest.approx(expected[name]), "half of the statements are true"
    assert {row["detector"]: row["threshold"] for row in found["estimates"]} == fixed
    contrasts = {row["second"]: row for row in found["contrasts"] if row["metric"] == "balanced_accuracy"}
    assert contrasts["random"]["difference"] == pytest.approx(expected["dkn"] - expected["random"])
    chosen = conditions(records)["kn", "relation", "triple"][0].threshold
    assert conditions(records, fixed)["kn", "relation", "triple"][0].threshold == chosen
    assert summarise(records, "kn", settings, fixed)["estimates"] == summarise(records, "kn", settings)["estimates"]


def test_the_released_thresholds_and_the_one_of_judgements() -> None:
    assert RELEASED_THRESHOLDS == {"dkn": 5e-7, "random": 5e-7, "kn": 5e-6, "random-kn": 5e-6}
    judged = records_of({"plm": 0.0}, 0).assign(neurons="none")
    judged["score"] = (judged["truth"] ^ (judged["fact_id"] == "f1-0")).astype(float)
    thresholds = {**RELEASED_THRESHOLDS, "plm": JUDGEMENT_THRESHOLD}
    rows = summarise(judged, "plm", STATISTICS, thresholds)["estimates"]
    assert {row["threshold"] for row in rows} == {0.5}
    assert {row["metric"]: row["mean"] for row in rows}["f1"] == pytest.approx(1 - 1 / 60)
    with pytest.raises(UserError, match="unknown detector 'dnk'; allowed: dkn, random, kn, random-kn, plm"):
        summarise(judged, "plm", STATISTICS, {"dnk": 1.0})


def test_a_summary_needs_and_keeps_few_columns() -> None:
    """Texts that no number needs would take most of the memory of a large study."""
    records = planted_records("planted")
    settings = StatisticsSettings(20, 0.95, 0)
    assert summarise(records[USED], "kn", settings) == summarise(records, "kn", settings)
    scores = next(iter(conditions(records).values()))[0]
    assert list(scores.test) == list(scores.training) == SCORED
