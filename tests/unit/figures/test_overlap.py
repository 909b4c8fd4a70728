"""Figure overlap: the map counts what the experiment counts, the values are the summary's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dkn.experiments.overlap import Changes, overlap_curves, overlap_members, overlap_records
from dkn.figures.overlap import BINS, COUNTS, Overlap, cells, draw, neurons, table
from dkn.neurons.sets import union
from dkn.summaries.overlap import summarise
from tests.unit.overlap_changes import (
    FACTS_TABLE,
    LAYERS,
    NEURONS,
    SETTINGS,
    STATISTICS,
    changes_table,
    random_sets,
)

FEW = type(STATISTICS)(resamples=100, confidence=0.95, seed=0)
MADE = {"settings": vars(FEW)}
DKN, KN = random_sets(4, 1), random_sets(9, 2)
IDS = FACTS_TABLE["fact_id"]


def made(model: str = "m", seed: int = 3) -> Overlap:
    """A whole experiment on random changes, as its stage and its summary make it."""
    changes = changes_table(None, seed)
    changes["both"] = np.random.default_rng(seed).integers(0, 30, len(changes)).astype(float)  # ties at the border
    ranked = Changes.of_table(changes)
    records = overlap_records(FACTS_TABLE, DKN, KN, [ranked, ranked], SETTINGS)
    curves = overlap_curves(union(DKN.values()), union(KN.values()), ranked, SETTINGS)
    return Overlap(
        changes,
        overlap_members(DKN, KN, IDS),
        {"model": model, "new_facts": 24, "provenance": MADE, **summarise(records, curves, FEW)},
    )


NOTHING = Overlap(
    changes_table(None).iloc[:0],
    overlap_members(DKN, KN, IDS).iloc[:0],
    {
        "model": "none",
        "not_run": "3 degenerate facts",
        "provenance": MADE,
        "estimates": [],
        "contrasts": [],
        "unions": [],
    },
)


@pytest.mark.parametrize("seed", range(4))
def test_the_map_counts_what_the_experiment_counts(seed: int) -> None:
    found = made(seed=seed)
    frame = neurons(found)
    size = len(union(DKN.values()))
    assert found.size == frame["dkn"].sum() == frame["most_changed"].sum() == size
    top = Changes.of_table(found.changes).top("both", size)
    assert (frame["most_changed"].to_numpy() == top).all()
    (row,) = [r for r in found.summary["unions"] if (r["part"], r["neuron_set"], r["top"]) == ("both", "dkn", size)]
    assert frame["both"].sum() == row["overlap"]
    assert cells(found)[COUNTS].sum().tolist() == [LAYERS * NEURONS, size, size, row["overlap"]]


@pytest.mark.parametrize("wide", [1, BINS, BINS + 1, 1000])
def test_bins_hold_every_neuron_once_and_are_at_most_so_many(wide: int) -> None:
    changes = pd.DataFrame({"layer": np.repeat([0, 1], wide), "neuron": np.tile(np.arange(wide), 2), "both": 0.0})
    members = pd.DataFrame({"layer": [1], "neuron": [wide - 1], "dkn": [1], "kn": [1]})
    bins = cells(Overlap(changes, members, {"model": "m"}))
    assert bins.groupby("layer")["neurons"].sum().tolist() == [wide, wide]
    assert bins["bin"].max() < BINS
    assert bins.loc[bins["dkn"] > 0, ["layer", "first_neuron", "dkn"]].values.tolist() == [
        [1, bins["first_neuron"].max(), 1]
    ]
    assert bins.loc[bins["most_changed"] > 0, ["layer", "bin"]].values.tolist() == [[0, 0]]  # of equals the first


def test_values_are_the_summarys_beside_chance() -> None:
    found = made()
    rows = table([found])
    values = rows[rows["panel"] == "values"].set_index(["neuron_set", "change", "metric"])
    assert len(values) == 5 * 2 * 2
    for row in found.summary["estimates"]:
        if row["part"] in ("both", "absolute"):
            shown = values.loc[(row["neuron_set"], row["part"], row["metric"])]
            assert shown[["mean", "low", "high", "facts"]].tolist() == [
                row[k] for k in ("mean", "low", "high", "facts")
            ]
    assert (values.xs("auroc", level="metric")["chance"] == 0.5).all()
    assert (values.xs("share", level="metric")["chance"] == found.size / (LAYERS * NEURONS)).all()
    layers = rows[rows["panel"] == "layers"].set_index("layer")
    assert layers["neurons"].tolist() == [NEURONS] * LAYERS
    assert layers["dkn"].sum() == found.size


def test_it_draws_one_to_four_models_and_says_what_was_not_run() -> None:
    draw([made()]).draw_without_rendering()
    figure = draw([made("a_b"), made("c"), made("d"), NOTHING])
    figure.draw_without_rendering()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    mine = made("a_b")
    overlap = int(neurons(mine)["both"].sum())
    assert f"a_b: of the {mine.size} most changed neurons {overlap} are D" in titles[0]
    assert [text.get_text() for text in figure.axes[-1].texts] == ["not run: 3 degenerate facts"]
    assert table([NOTHING])[["model", "panel"]].values.tolist() == [["none", "not run"]]
    draw([NOTHING]).draw_without_rendering()


def test_undefined_intervals_are_not_drawn() -> None:
    found = made()
    bare = [{**row, "low": None, "high": None} for row in found.summary["estimates"]]
    figure = draw([Overlap(found.changes, found.members, {**found.summary, "estimates": bare})])
    figure.draw_without_rendering()
    assert not any("[" in axes.get_title() for axes in figure.axes)
