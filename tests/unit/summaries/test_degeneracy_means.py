"""Drops and gaps as weighted means, and the released code's averages against a plain re-statement of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dkn.errors import UserError
from dkn.experiments.degeneracy_measures import TEXT, Averages, with_metrics
from dkn.statistics.inference import StatisticsSettings
from dkn.statistics.weighted import value_of
from dkn.study.names import CONTROL
from dkn.summaries.by_fact import minus
from dkn.summaries.degeneracy import summarise
from dkn.summaries.degeneracy_means import means
from dkn.summaries.grouping_comparison import compare_gaps

SETTINGS = StatisticsSettings(resamples=200, confidence=0.95, seed=0)
RELEASED = Averages(sign="gain", limit=4.0, rival_limit=3.0, average="subsets")


def made_up(grouping: str, seed: int) -> pd.DataFrame:
    """Records of ten facts with two or three components, some of which gain much, and their control."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(10):
        components = 2 + number % 2
        for name, repeats in ((grouping, 1), (CONTROL, 2)):
            for repeat in range(repeats):
                for subset in range(1, 2**components):
                    suppressed = [part for part in range(components) if subset >> part & 1]
                    rows.append((f"f{number}", f"s{number // 2}", name, repeat, components, suppressed))
    columns = ["fact_id", "subject", "grouping", "repeat", "components", "suppressed"]
    table = pd.DataFrame(rows, columns=columns).assign(selection="bdc", log_prob_before=-5.0)
    sizes = table["suppressed"].map(len)
    after = -5 - draw.uniform(-2.2, 1, len(table))
    return table.assign(suppressed_components=sizes, suppressed_neurons=3 * sizes, log_prob_after=after)


def drops_by_hand(records: pd.DataFrame, grouping: str, partial_limit: float, full_limit: float) -> tuple[list, list]:
    """The released code's drops: negative ones are losses, and each beyond its limit is left out."""
    partial, full = [], []
    for row in records[records["grouping"] == grouping].itertuples():
        before, after = np.exp(row.log_prob_before), np.exp(row.log_prob_after)
        drop = -((before - after) / before)
        if len(row.suppressed) == row.components:
            full += [drop] if abs(drop) < full_limit else []
        else:
            partial += [drop] if abs(drop) < partial_limit else []
    return partial, full


@pytest.mark.parametrize(("grouping", "limits"), [("ntc", (2.0, 8.0)), ("kmeans", (3.0, 3.0))])
def test_the_released_averages_are_those_by_hand(grouping: str, limits: tuple[float, float]) -> None:
    records = made_up(grouping, 0)
    partial, full = drops_by_hand(records, grouping, *limits)
    size = (records["grouping"] == grouping).sum()
    assert len(partial) + len(full) < size, "no record is an outlier, so that the limits are not tested"
    found = means(with_metrics(records, RELEASED), RELEASED)["bdc", grouping]
    assert value_of(found["drop", "partial"]) == pytest.approx(np.mean(partial))
    assert value_of(found["drop", "full"]) == pytest.approx(np.mean(full))
    assert value_of(found["drop", "gap"]) == pytest.approx(np.mean(full) - np.mean(partial))


@pytest.mark.parametrize("averages", [TEXT, Averages(sign="gain"), Averages(average="subsets"), RELEASED])
def test_the_summary_states_these_means_and_their_differences(averages: Averages) -> None:
    records = made_up("ntc", 1)
    found = means(with_metrics(records, averages), averages)
    summary = summarise(records, SETTINGS, averages=averages)
    for row in summary["estimates"]:
        expected = value_of(found[row["selection"], row["grouping"]][row["metric"], row["kind"]])
        assert row["mean"] == pytest.approx(expected)
    for row in summary["contrasts"]:
        pair = (found["bdc", name][row["metric"], row["kind"]] for name in (row["first"], row["second"]))
        assert row["difference"] == pytest.approx(value_of(minus(*pair)))
    assert len(summary["contrasts"]) == 9


@pytest.mark.parametrize("averages", [TEXT, RELEASED])
def test_the_comparison_states_the_gaps_beyond_controls(averages: Averages) -> None:
    records = {"ntc": made_up("ntc", 2), "kmeans": made_up("kmeans", 3)}
    gaps = {}
    for name, table in records.items():
        combinations = means(with_metrics(table, averages), averages)["bdc", name]
        gaps[name] = combinations["drop", "gap_beyond_control"]
    wanted = {"metric": "drop", "kind": "gap_beyond_control", "first": "ntc"}
    rows = compare_gaps(records, SETTINGS, averages)["contrasts"]
    [row] = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    assert row["difference"] == pytest.approx(value_of(minus(gaps["ntc"], gaps["kmeans"])))


def test_a_fact_without_a_drop_within_the_limit_has_no_gap() -> None:
    records = made_up("ntc", 4)
    first = (records["fact_id"] == "f0") & (records["suppressed_components"] < records["components"])
    records.loc[first, "log_prob_after"] = 3.0  # gains of e^8
    limited = means(with_metrics(records, Averages(limit=100.0)), Averages(limit=100.0))["bdc", "ntc"]
    facts = {kind: set(limited["drop", kind][0][1].facts.index) for kind in ("partial", "full", "gap")}
    everyone = set(records["fact_id"])
    assert facts == {"partial": everyone - {"f0"}, "full": everyone, "gap": everyone - {"f0"}}


def test_unknown_averages_are_refused() -> None:
    with pytest.raises(UserError, match=r"unknown average of drops 'all'; allowed: facts, subsets"):
        Averages(average="all")
