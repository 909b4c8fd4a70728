"""The grid of settings: against the study's own steps point by point, and by hand (docs/method.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.experiments import sensitivity
from dkn.experiments.degeneracy import DegeneracySettings, degeneracy_records, with_controls
from dkn.experiments.degeneracy_measures import per_fact, with_metrics
from dkn.experiments.sensitivity import Grid, Sample, distinct_components, sensitivity_records
from dkn.facts.sampling import sample_by_subject
from dkn.figures.sensitivity import draw
from dkn.neurons.sets import NeuronSet
from dkn.statistics.inference import StatisticsSettings
from dkn.structure.distances import connection_vectors, distance_matrix
from dkn.structure.functional_test import FunctionalTest, measure_components
from dkn.structure.ntc import NTCSettings, ntc
from dkn.study.names import CONTROL
from dkn.summaries.sensitivity import grid_table

GRID = Grid(
    clusterings=[NTCSettings("difference", tau1, 0.15, 2) for tau1 in (0.0, 0.1, 0.3)],
    tests=[FunctionalTest("sufficiency", tau2) for tau2 in (-1.0, 0.1)],
    degeneracy=DegeneracySettings(max_subsets=6, partitions=2, seed=3),
    max_span=None,
    fold_norm=False,
)
STATISTICS = StatisticsSettings(resamples=300, confidence=0.95, seed=0)


# --- the sample ---------------------------------------------------------------------------------------------


def facts_of(counts: dict[str, int]) -> pd.DataFrame:
    rows = [(f"{subject}-{year}", subject) for subject, count in counts.items() for year in range(count)]
    return pd.DataFrame(rows, columns=["fact_id", "subject"]).set_index("fact_id", drop=False)


def test_a_sample_has_whole_subjects_and_ignores_the_order_of_facts() -> None:
    facts = facts_of({f"s{number}": 1 + number % 4 for number in range(40)})
    sample = sample_by_subject(facts, 30, 0, "sensitivity")
    assert 30 <= len(sample) < 30 + 4
    sizes = facts.groupby("subject").size()
    assert (sample.groupby("subject").size() == sizes.loc[sample["subject"].unique()].sort_index()).all()
    shuffled = sample_by_subject(facts.sample(frac=1, random_state=1), 30, 0, "sensitivity")
    assert set(shuffled.index) == set(sample.index)
    assert set(sample_by_subject(facts, 50, 0, "sensitivity").index) > set(sample.index)
    assert set(sample_by_subject(facts, 30, 1, "sensitivity").index) != set(sample.index)


@pytest.mark.parametrize("count", [None, 1000])
def test_a_sample_may_be_everything(count: int | None) -> None:
    facts = facts_of({"a": 3, "b": 2})
    pd.testing.assert_frame_equal(sample_by_subject(facts, count, 0, "sensitivity"), facts)


# --- records ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample(adapter: Adapter, random_fact: Callable[..., EncodedFact]) -> Sample:
    """Facts with random neurons in all layers, and one fact without any."""
    facts = [random_fact(5 + seed % 3, 1 + seed % 2, seed) for seed in range(10)]
    subjects = pd.Series([f"s{number // 2}" for number in range(10)], index=[fact.fact_id for fact in facts])
    members = {}
    for number, fact in enumerate(facts[:-1]):
        draws = np.random.default_rng(number)
        layers = np.repeat(np.arange(3), 8)
        members[fact.fact_id] = NeuronSet(layers, np.concatenate([draws.permutation(32)[:8] for _ in range(3)]))
    return Sample(facts, subjects, members)


def expected(adapter: Adapter, sample: Sample, clustering: NTCSettings, test: FunctionalTest | None) -> pd.DataFrame:
    """One grid point as the study's own stages compute it, one fact after the other."""
    selection = "candidate" if test is None else "bdc"
    rows = []
    for fact in sample.facts:
        row = {"fact_id": fact.fact_id, "candidates": 0, "components": 0}
        members = sample.members.get(fact.fact_id)
        rows.append(row)
        if members is None:
            continue
        matrix = distance_matrix(members.layers, *connection_vectors(adapter, members, False), None)
        frame = pd.DataFrame({"places": [component.members for component in ntc(matrix, clustering)]})
        row["candidates"] = len(frame)
        if test is not None and len(frame):
            [frame] = measure_components(adapter, [fact], sample.members, {fact.fact_id: frame})
            frame = frame[test.passes(frame["recovery"].to_numpy(), frame["drop"].to_numpy())]
        row["components"] = len(frame)
        if len(frame) >= 2:
            places = list(frame["places"])
            groups = with_controls(fact.fact_id, selection, places, len(members), GRID.degeneracy, "ntc")
            records = degeneracy_records(adapter, [fact], sample.members, {fact.fact_id: groups}, GRID.degeneracy)
            gaps = per_fact(with_metrics(records.assign(subject="s"))).set_index("grouping")
            for gap in ("drop_gap", "nats_gap"):
                row |= {gap: gaps.loc["ntc", gap], f"control_{gap}": gaps.loc[CONTROL, gap]}
    return pd.DataFrame(rows).sort_values("fact_id", ignore_index=True)


def test_every_grid_point_is_what_the_studys_stages_give(adapter: Adapter, sample: Sample) -> None:
    records = sensitivity_records(adapter, sample, GRID, batch=3)
    points = records.groupby(["tau1", "tau2"], dropna=False)
    assert len(points) == len(GRID.clusterings) * (1 + len(GRID.tests))
    gaps = 0
    for clustering in GRID.clusterings:
        for test in (None, *GRID.tests):
            tau2 = records["tau2"].isna() if test is None else records["tau2"] == test.tau2
            found = records[(records["tau1"] == clustering.tau1) & tau2].sort_values("fact_id", ignore_index=True)
            assert (found["subject"] == found["fact_id"].map(sample.subjects)).all()
            want = expected(adapter, sample, clustering, test)
            gaps += want.shape[1] > 3 and int(want["drop_gap"].notna().sum())
            pd.testing.assert_frame_equal(
                found[list(want)], want, check_dtype=False, rtol=1e-3, atol=1e-5, obj=f"{clustering.tau1}/{test}"
            )
    assert gaps >= 20
    assert records.groupby("tau2", dropna=False)["components"].sum().nunique() == 3, "the test must decide something"


def test_records_do_not_depend_on_batch_or_order(adapter: Adapter, sample: Sample) -> None:
    keys = ["fact_id", "tau1", "tau2"]
    one = sensitivity_records(adapter, sample, GRID, batch=1).sort_values(keys, ignore_index=True)
    other = sensitivity_records(adapter, replace(sample, facts=sample.facts[::-1]), GRID, batch=8)
    pd.testing.assert_frame_equal(one, other.sort_values(keys, ignore_index=True), rtol=1e-3, atol=1e-5)


def test_a_grid_that_leaves_nothing_counts_every_fact(adapter: Adapter, sample: Sample) -> None:
    empty = replace(GRID, clusterings=[NTCSettings("difference", 50.0, 0.15, 2)])
    records = sensitivity_records(adapter, sample, empty, batch=3)
    assert len(records) == len(sample.facts) * 3
    assert (records["components"] == 0).all()
    assert records["drop_gap"].isna().all()


def test_a_set_of_components_is_suppressed_once_however_many_points_share_it(
    adapter: Adapter, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[object, ...]] = []

    def watched(adapter: Adapter, facts: list, members: dict, groups: dict, settings: DegeneracySettings) -> Any:
        for fact in facts:
            for group in groups[fact.fact_id]:
                if group.grouping != CONTROL:
                    seen.append(
                        (fact.fact_id, group.selection, np.concatenate([[-1, *p] for p in group.places]).tobytes())
                    )
        return degeneracy_records(adapter, facts, members, groups, settings)

    monkeypatch.setattr(sensitivity, "degeneracy_records", watched)
    records = sensitivity_records(adapter, sample, GRID, batch=3)
    assert len(seen) == len(set(seen))
    assert len(seen) < (records["components"] >= 2).sum()


def test_distinct_components_are_those_of_every_clustering() -> None:
    draw = np.random.default_rng(0)
    matrix = np.triu(draw.uniform(1, 9, (12, 12)), 1).astype(np.float32)
    matrix += matrix.T
    clusterings = [NTCSettings("difference", tau1, 0.1, 2) for tau1 in (0.0, 0.05, 0.4)]
    places, found = distinct_components(matrix, clusterings)
    assert len({tuple(part) for part in places}) == len(places)
    for numbers, settings in zip(found, clusterings, strict=True):
        want = [component.members.tolist() for component in ntc(matrix, settings)]
        assert [places[number].tolist() for number in numbers] == want
    assert found[0] != found[2]


# --- the table ----------------------------------------------------------------------------------------------


def made_records(gap: float, degenerate: int, tau2: float = 0.1) -> pd.DataFrame:
    """Twenty facts of ten subjects at one point; the first ``degenerate`` have a gap that exceeds the control's."""
    number = np.arange(20)
    has = number < degenerate
    noise = np.random.default_rng(0).uniform(-0.01, 0.01, 20)
    return pd.DataFrame(
        {
            "model": "m",
            "fact_id": [f"f{n}" for n in number],
            "subject": [f"s{n // 2}" for n in number],
            "fraction": 0.2,
            "quantile": 0.2,
            "tau1": 0.05,
            "selection": "candidate" if np.isnan(tau2) else "bdc",
            "tau2": tau2,
            "candidates": np.where(number < 16, 2, 0),
            "components": np.where(has, 2, 1),
            "drop_gap": np.where(has, 0.3 + gap + noise, np.nan),
            "nats_gap": np.where(has, 0.5 + 2 * gap + noise, np.nan),
            "control_drop_gap": np.where(has, 0.3, np.nan),
            "control_nats_gap": np.where(has, 0.5, np.nan),
        }
    )


OWN = {"fraction": 0.2, "quantile": 0.2, "tau1": 0.05, "tau2": 0.1}


def test_the_table_by_hand() -> None:
    parts = [made_records(0.1, 12), made_records(0.0, 6, 0.3), made_records(0.05, 16, np.nan), made_records(0, 0, 0.9)]
    table = grid_table(pd.concat(parts, ignore_index=True), OWN, STATISTICS).set_index("tau2")
    assert list(table.index[table["own_settings"]]) == [0.1]
    own = table.loc[0.1]
    assert (own["facts"], own["with_candidates"], own["degenerate"], own["degenerate_subjects"]) == (20, 16, 12, 6)
    assert own["coverage"] == pytest.approx(0.6)
    assert own["coverage_low"] < 0.6 < own["coverage_high"]
    assert own["drop_gap"] == pytest.approx(0.1, abs=0.01)
    assert own["nats_gap"] == pytest.approx(0.2, abs=0.01)
    assert 0 < own["drop_gap_low"] < own["drop_gap"] < own["drop_gap_high"]
    few = table.loc[0.3]
    assert few["degenerate_subjects"] == 3
    assert np.isnan(few["drop_gap_low"]), "three subjects give no interval"
    assert np.isfinite(few["drop_gap"])
    assert table.loc[0.9, "coverage"] == 0
    assert np.isnan(table.loc[0.9, "drop_gap"])
    assert table.index.isna().sum() == 1


# --- the figure ---------------------------------------------------------------------------------------------


def made_table() -> pd.DataFrame:
    """Two fractions, two quantiles, one tau1, tau2 none and 0.1; the gap says where a cell belongs."""
    rows = [
        {
            "model": "m",
            "fraction": fraction,
            "quantile": quantile,
            "tau1": 0.05,
            "tau2": tau2,
            "facts": 50,
            "degenerate": 10,
            "coverage": 0.2,
            "drop_gap": gap,
            "drop_gap_low": gap - 0.02,
            "drop_gap_high": gap + 0.02,
            "own_settings": (fraction, quantile, tau2) == (0.2, 0.3, 0.1),
        }
        for fraction, quantile, tau2, gap in [
            (0.1, 0.3, np.nan, 0.01),
            (0.1, 0.3, 0.1, 0.03),
            (0.1, 0.6, np.nan, -0.05),
            (0.1, 0.6, 0.1, 0.0),
            (0.2, 0.3, np.nan, 0.07),
            (0.2, 0.3, 0.1, 0.09),
            (0.2, 0.6, np.nan, np.nan),
            (0.2, 0.6, 0.1, 0.05),
        ]
    ]
    return pd.DataFrame(rows[::-1])


def test_cells_lie_where_their_settings_say_and_marks_where_the_interval_excludes_zero() -> None:
    figure = draw(made_table())
    axes = figure.axes[0]
    image = axes.images[0].get_array()
    np.testing.assert_allclose(image.filled(np.nan), [[1, 3, -5, 0], [7, 9, np.nan, 5]])
    marks = {text.get_position(): text.get_text() for text in axes.texts if text.get_text() == "●"}
    assert set(marks) == {(1, 0), (2, 0), (0, 1), (1, 1), (3, 1)}
    [frame] = [patch for patch in axes.patches if isinstance(patch, Rectangle) and not patch.get_fill()]
    assert frame.get_xy() == (0.5, 0.5)
    assert frame.get_edgecolor() == to_rgba("black")
    counts = [text.get_text() for text in figure.axes[1].texts]
    assert counts.count("10") == 8


def test_a_gap_without_interval_is_not_drawn() -> None:
    """Four facts with a large gap must not set the scale of colours, nor look like a finding."""
    table = made_table()
    few = table["drop_gap"] == 0.09
    table.loc[few, ["drop_gap_low", "drop_gap_high"]] = np.nan
    axes = draw(table).axes[0]
    image = axes.images[0].get_array()
    assert image.mask.tolist() == [[False] * 4, [False, True, True, False]]
    assert axes.images[0].norm.halfrange == pytest.approx(7)
    assert (1, 1) not in {text.get_position() for text in axes.texts if text.get_text() == "●"}


def test_a_grid_without_any_gap_is_drawn() -> None:
    draw(made_table().assign(drop_gap=np.nan, drop_gap_low=np.nan, drop_gap_high=np.nan, coverage=0.0))
