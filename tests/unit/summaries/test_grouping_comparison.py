"""NTC against other groupings and against random groups that passed the same test."""

import numpy as np
import pandas as pd
import pytest

from dkn.statistics.inference import StatisticsSettings
from dkn.summaries.grouping_comparison import compare_gaps, compare_passing
from tests.unit.planted_gaps import planted, row

SETTINGS = StatisticsSettings(resamples=500, confidence=0.95, seed=0)


def test_gaps_are_paired_by_fact_and_set_against_each_ones_own_control() -> None:
    draw = np.random.default_rng(0)
    facts = [f"f{number}" for number in range(30)]
    noise = dict(zip(facts, draw.uniform(-0.02, 0.02, 30), strict=True))
    records = {
        "ntc": planted("ntc", {fact: 0.3 + noise[fact] for fact in facts}, control_gap=0.1),
        "kmeans": planted("kmeans", {fact: 0.5 + noise[fact] for fact in facts[10:]}, control_gap=0.5),
        "random": planted("random", {fact: 0.3 - noise[fact] for fact in facts[5:]}),
    }
    found = compare_gaps(records, SETTINGS)
    raw = row(found["contrasts"], second="kmeans", metric="drop", kind="gap")
    assert raw["facts"] == 20
    assert raw["difference"] == pytest.approx(-0.2)
    assert raw["p_holm"] < 0.05
    beyond = row(found["contrasts"], second="kmeans", metric="drop", kind="gap_beyond_control")
    assert beyond["difference"] == pytest.approx(0.2)
    tested = row(found["contrasts"], second="random", metric="drop", kind="gap")
    assert tested["facts"] == 25
    assert tested["p_holm"] > 0.05
    assert not [r for r in found["contrasts"] if r["second"] == "random" and r["kind"] == "gap_beyond_control"]
    mean = row(found["estimates"], grouping="ntc", metric="drop", kind="gap_beyond_control")["mean"]
    assert mean == pytest.approx(0.2 + np.mean(list(noise.values())))
    family = [r for r in found["contrasts"] if (r["metric"], r["kind"]) == ("drop", "gap")]
    assert raw["p_holm"] == pytest.approx(len(family) * raw["p"])


def test_shares_passing_by_hand() -> None:
    columns = ["fact_id", "repeat", "kept"]
    ntc = pd.DataFrame([("a", 0, True), ("a", 0, True), ("b", 0, False), ("b", 0, True)], columns=columns)
    drawn = [("a", 0, True), ("a", 0, True), ("a", 1, False), ("a", 1, False), ("b", 0, False), ("b", 1, True)]
    subjects = pd.Series({"a": "s", "b": "t", "c": "u"})
    components = {"ntc": ntc, "random": pd.DataFrame(drawn, columns=columns), "amig": ntc.iloc[:0]}
    found = compare_passing(components, subjects, SETTINGS)
    assert found["counts"] == {"ntc": {"candidates": 4, "kept": 3}, "random": {"candidates": 6, "kept": 3}}
    assert row(found["estimates"], grouping="ntc", measure="share_passing")["mean"] == pytest.approx(0.75)
    assert row(found["estimates"], grouping="random", measure="share_passing")["mean"] == pytest.approx(0.5)
    assert row(found["estimates"], grouping="ntc", measure="two_or_more")["mean"] == pytest.approx(0.5)
    assert row(found["estimates"], grouping="random", measure="two_or_more")["mean"] == pytest.approx(0.25)
    assert row(found["contrasts"], second="random", measure="two_or_more")["difference"] == pytest.approx(0.25)
