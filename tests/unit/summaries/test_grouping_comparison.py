"""NTC against other groupings and against random groups that passed the same test."""

import numpy as np
import pandas as pd
import pytest

from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import SHUFFLED, TESTED_CONTROLS
from dkn.summaries.grouping_comparison import compare_gaps, compare_tests
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


COLUMNS = ["fact_id", "repeat", "kept", "recovery"]


def test_what_the_test_says_by_hand() -> None:
    ntc = [("a", 0, True, 0.5), ("a", 0, True, 0.7), ("b", 0, False, 0.0), ("b", 0, True, 0.2)]
    drawn = [
        *(("a", 0, True, 0.6), ("a", 0, True, 0.4), ("a", 1, False, 0.0), ("a", 1, False, 0.0)),
        *(("b", 0, False, 0.0), ("b", 1, True, 0.5)),
    ]
    subjects = pd.Series({"a": "s", "b": "t", "c": "u"})
    tables = {name: pd.DataFrame(rows, columns=COLUMNS) for name, rows in (("ntc", ntc), ("random", drawn))}
    found = compare_tests({**tables, "amig": tables["ntc"].iloc[:0]}, subjects, SETTINGS)
    assert found["counts"] == {"ntc": {"candidates": 4, "kept": 3}, "random": {"candidates": 6, "kept": 3}}
    means = {
        "share_passing": (0.75, 0.5),
        "two_or_more": (0.5, 0.25),
        "bdcs": (1.5, 0.75),
        "recovery": (0.35, 0.25),
    }
    for measure, (of_ntc, of_random) in means.items():
        assert row(found["estimates"], grouping="ntc", measure=measure)["mean"] == pytest.approx(of_ntc)
        assert row(found["estimates"], grouping="random", measure=measure)["mean"] == pytest.approx(of_random)
        contrast = row(found["contrasts"], second="random", measure=measure)
        assert contrast["difference"] == pytest.approx(of_ntc - of_random)
        assert contrast["facts"] == 2
    assert {r["second"] for r in found["contrasts"]} == {"random"}


def components(recovery: float, seed: int, repeats: int = 1, facts: int = 40) -> pd.DataFrame:
    """Two components of each fact; each alone brings about the same share of Prob back."""
    draw = np.random.default_rng(seed)
    rows = [
        (f"f{fact}", repeat, True, recovery + draw.normal(0, 0.1))
        for fact in range(facts)
        for repeat in range(repeats)
        for _ in range(2)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


SUBJECTS = pd.Series({f"f{fact}": f"s{fact // 2}" for fact in range(40)})


@pytest.mark.parametrize("control", TESTED_CONTROLS)
@pytest.mark.parametrize(("lead", "found"), [(0.1, True), (0.0, False)])
def test_a_lead_in_recovery_is_found_and_none_is_not(control: str, lead: float, found: bool) -> None:
    tables = {"ntc": components(0.3 + lead, 1), control: components(0.3, 2, repeats=2)}
    contrast = row(compare_tests(tables, SUBJECTS, SETTINGS)["contrasts"], second=control, measure="recovery")
    assert contrast["difference"] == pytest.approx(lead, abs=0.04)
    assert (contrast["low"] > 0) == (contrast["p_holm"] < 0.05) == found
    assert (contrast["facts"], contrast["subjects"], contrast["df"]) == (40, 20, 19)


def test_facts_without_a_recovery_count_for_everything_else() -> None:
    ntc = components(0.3, 1)
    ntc.loc[ntc["fact_id"].isin(["f0", "f1", "f2"]), "recovery"] = None
    found = compare_tests({"ntc": ntc, SHUFFLED: components(0.3, 2)}, SUBJECTS, SETTINGS)
    facts = {r["measure"]: r["facts"] for r in found["contrasts"]}
    assert facts == {"recovery": 37, "share_passing": 40, "bdcs": 40, "two_or_more": 40}
    nothing = compare_tests({"ntc": ntc.assign(recovery=float("nan"))}, SUBJECTS, SETTINGS)
    assert row(nothing["estimates"], measure="recovery")["facts"] == 0


def test_gaps_have_errors_raw_and_beyond_the_control() -> None:
    draw = np.random.default_rng(1)
    facts = [f"f{number}" for number in range(20)]
    records = {
        name: planted(name, {fact: 0.3 + draw.uniform(-0.02, 0.02) for fact in facts}, control_gap=0.1)
        for name in ("ntc", "kmeans", "amig")
    }
    found = compare_gaps(records, SETTINGS)
    for other in ("kmeans", "amig"):
        for kind in ("gap", "gap_beyond_control"):
            contrast = row(found["contrasts"], second=other, metric="drop", kind=kind)
            assert (contrast["selection"], contrast["facts"], contrast["df"]) == ("bdc", 20, 19)
            assert 0 < contrast["se"] < 0.02
    for kind in ("gap", "gap_beyond_control"):
        assert row(found["estimates"], grouping="ntc", metric="drop", kind=kind)["se"] > 0
