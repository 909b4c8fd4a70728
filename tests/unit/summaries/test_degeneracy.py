"""The summary of the degeneracy experiment, on records made by hand."""

import numpy as np
import pandas as pd
import pytest

from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import CONTROL, TESTED_CONTROL
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
    assert summary == {"estimates": [], "curves": [], "by_neurons": [], "contrasts": []}


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
