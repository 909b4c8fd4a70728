"""The summary of the degeneracy experiment, on records made by hand."""

import numpy as np
import pandas as pd
import pytest

from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import CONTROL, OTHER_FACT, OTHER_RELATION, SHUFFLED, TESTED_CONTROL
from dkn.summaries.degeneracy import summarise
from tests.unit.degeneracy_records import made_records
from tests.unit.planted_gaps import planted, row

SETTINGS = StatisticsSettings(resamples=500, confidence=0.95, seed=0)


def test_a_planted_effect_is_found_and_a_null_is_not() -> None:
    """Redundant groups (little lost until all are gone) against a control that loses evenly; and no difference."""
    draw = np.random.default_rng(0)
    found, null = {}, {}
    for number in range(30):
        noise = draw.uniform(-0.03, 0.03, 4)
        found["ntc", f"f{number}"] = [(1, 0.95 + noise[0]), (2, 0.3 + noise[1])]
        found[CONTROL, f"f{number}"] = [(1, 0.7 + noise[2]), (2, 0.4 + noise[3])]
        null["ntc", f"f{number}"] = [(1, 0.7 + noise[0]), (2, 0.4 + noise[1])]
        null[CONTROL, f"f{number}"] = [(1, 0.7 + noise[2]), (2, 0.4 + noise[3])]

    def gap(drops: dict) -> dict:
        contrasts = summarise(made_records(drops), SETTINGS)["contrasts"]
        return next(row for row in contrasts if row["metric"] == "drop" and row["kind"] == "gap")

    assert gap(found)["difference"] == pytest.approx(0.35, abs=0.05)
    assert gap(found)["p_holm"] < 0.05
    assert gap(null)["p_holm"] > 0.05


def test_no_records_give_an_empty_summary() -> None:
    empty = made_records({("ntc", "f"): [(1, 0.9)]}).iloc[:0]
    summary = summarise(empty, SETTINGS)
    assert summary == {"estimates": [], "curves": [], "by_neurons": [], "by_components": [], "contrasts": []}


def test_drops_by_number_of_components_are_of_the_facts_with_so_many() -> None:
    two = made_records({("ntc", "f"): [(1, 0.9), (1, 0.7), (2, 0.4)], (CONTROL, "f"): [(1, 0.1), (2, 0.1)]})
    three = made_records({("ntc", "g"): [(1, 0.8), (2, 0.6), (3, 0.3)]}).assign(components=3)
    rows = summarise(pd.concat([two, three]), SETTINGS)["by_components"]
    found = {(r["grouping"], r["components"], r["kind"]): (r["mean"], r["facts"]) for r in rows}
    assert found == {
        ("ntc", 2, "partial"): (pytest.approx(0.2), 1),
        ("ntc", 2, "full"): (pytest.approx(0.6), 1),
        ("ntc", 3, "partial"): (pytest.approx(0.3), 1),
        ("ntc", 3, "full"): (pytest.approx(0.7), 1),
    }


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


def noisy(grouping: str, gap: float, seed: int) -> pd.DataFrame:
    """Thirty facts whose gap is the planted one with some noise."""
    draw = np.random.default_rng(seed)
    return planted(grouping, {f"f{number}": gap + draw.uniform(-0.04, 0.04) for number in range(30)})


@pytest.mark.parametrize(("gap", "found"), [(0.35, True), (0.3, False)])
def test_a_lead_over_shuffled_groups_is_found_and_none_is_not(gap: float, found: bool) -> None:
    records = pd.concat([noisy("ntc", gap, 1), noisy(SHUFFLED, 0.3, 2)], ignore_index=True)
    contrast = row(summarise(records, SETTINGS)["contrasts"], second=SHUFFLED, metric="drop", kind="gap")
    assert contrast["difference"] == pytest.approx(gap - 0.3, abs=0.02)
    assert (contrast["p_holm"] < 0.05) == (contrast["low"] > 0) == found
    assert contrast["df"] == 29
    assert contrast["se"] > 0


def of_other_facts(full: dict[str, float]) -> pd.DataFrame:
    """Twenty-five facts, for each kind of other facts the drop when the neurons of their DKN are suppressed."""
    draw = np.random.default_rng(3)
    parts = []
    for kind, drop in full.items():
        left = {(kind, f"f{number}"): [(1, 1 - drop - draw.uniform(-0.02, 0.02))] for number in range(25)}
        parts.append(made_records(left).assign(components=1, suppressed_neurons=4))
    return pd.concat(parts)


def test_what_is_specific_to_a_fact_is_found_and_what_is_not_is_not() -> None:
    """The own components lose 0.4 together, those of another relation 0.02, and those of another fact 0.4 too."""
    own = noisy("ntc", 0.3, 1)
    records = pd.concat([own, of_other_facts({OTHER_FACT: 0.4, OTHER_RELATION: 0.02})], ignore_index=True)
    summary = summarise(records, SETTINGS)
    other = row(summary["contrasts"], second=OTHER_RELATION, metric="drop")
    assert (other["kind"], other["facts"]) == ("full", 25)
    assert other["difference"] == pytest.approx(0.38, abs=0.02)
    assert other["p_holm"] < 0.05
    same = row(summary["contrasts"], second=OTHER_FACT, metric="drop")
    assert same["low"] < 0 < same["high"]
    assert same["p_holm"] > 0.05
    of_another = [r for r in summary["estimates"] if r["grouping"] == OTHER_FACT]
    assert {r["kind"] for r in of_another} == {"full"}
    assert row(summary["estimates"], grouping=OTHER_FACT, metric="drop")["mean"] == pytest.approx(0.4, abs=0.02)
    assert summary["curves"] == summarise(own, SETTINGS)["curves"], "other facts have no components of this fact"
    assert summary["by_neurons"] == summarise(own, SETTINGS)["by_neurons"]


def test_holms_adjustment_runs_over_drops_and_the_functional_test() -> None:
    records = pd.concat([noisy("ntc", 0.35, 1), noisy(SHUFFLED, 0.3, 2)], ignore_index=True)
    p = row(summarise(records, SETTINGS)["contrasts"], metric="drop", kind="gap")["p_holm"]
    of_test = {
        "estimates": [{"grouping": "ntc", "measure": "recovery"}],
        "contrasts": [{"measure": "recovery", "p": 0.5}],
    }
    summary = summarise(records, SETTINGS, of_test)
    more = row(summary["contrasts"], metric="drop", kind="gap")["p_holm"]
    assert more > p
    assert summary["contrasts"][-1]["p_holm"] >= 0.5
    assert summary["estimates"][-1] == of_test["estimates"][0]
    assert summarise(records.iloc[:0], SETTINGS, of_test)["estimates"] == of_test["estimates"]
