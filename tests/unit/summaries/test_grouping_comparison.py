"""NTC against other groupings and against random groups that passed the same test."""

import numpy as np
import pandas as pd
import pytest

from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import CONTROL, TESTED_CONTROL
from dkn.summaries.degeneracy import summarise
from dkn.summaries.grouping_comparison import compare_gaps, compare_passing
from tests.unit.experiments.test_degeneracy import made_records

SETTINGS = StatisticsSettings(resamples=500, confidence=0.95, seed=0)


def planted(grouping: str, gaps: dict[str, float], control_gap: float | None = None) -> pd.DataFrame:
    """Records whose drop is 0.1 for some and 0.1 + gap for all components, and a control of one gap."""
    left = {(grouping, fact): [(1, 0.9), (2, 0.9 - gap)] for fact, gap in gaps.items()}
    if control_gap is not None:
        left |= {(CONTROL, fact): [(1, 0.9), (2, 0.9 - control_gap)] for fact in gaps}
    return made_records(left)


def row(rows: list[dict], **wanted: str) -> dict:
    (found,) = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return found


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


def test_the_summary_holds_both_controls() -> None:
    facts = {f"f{number}": 0.3 + 0.001 * number for number in range(12)}
    both = [planted("ntc", facts, 0.1), planted(TESTED_CONTROL, dict(list(facts.items())[:8]))]
    contrasts = summarise(pd.concat(both, ignore_index=True), SETTINGS)["contrasts"]
    sizes = row(contrasts, second=CONTROL, metric="drop", kind="gap")
    assert (sizes["facts"], sizes["difference"]) == (12, pytest.approx(0.2 + 0.0055))
    tested = row(contrasts, second=TESTED_CONTROL, metric="drop", kind="gap")
    assert (tested["facts"], tested["difference"]) == (8, pytest.approx(0, abs=1e-12))
    assert {r["first"] for r in contrasts} == {"ntc"}


def test_curves_by_number_of_neurons_in_bins_that_double() -> None:
    records = made_records({("ntc", "f"): [(1, 0.9), (1, 0.7), (2, 0.4)], ("ntc", "g"): [(1, 0.5), (2, 0.2)]})
    records["suppressed_neurons"] = [3, 4, 5, 4, 9]
    rows = {r["most_neurons"]: r for r in summarise(records, SETTINGS)["by_neurons"] if r["metric"] == "drop"}
    assert {most: (r["mean"], r["facts"]) for most, r in rows.items()} == {
        4: (pytest.approx((0.2 + 0.5) / 2), 2),
        8: (pytest.approx(0.6), 1),
        16: (pytest.approx(0.8), 1),
    }
    assert rows[4]["mean_neurons"] == pytest.approx(3.75)


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
