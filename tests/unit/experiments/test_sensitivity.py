"""The grid of settings: against the study's own steps point by point, and by hand (docs/method.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.experiments import sensitivity
from dkn.experiments.degeneracy import DegeneracySettings, degeneracy_records, with_controls
from dkn.experiments.degeneracy_measures import per_fact, with_metrics
from dkn.experiments.sensitivity import Grid, Sample, distinct_components, sensitivity_records
from dkn.neurons.edits import EditSettings
from dkn.neurons.sets import NeuronSet
from dkn.structure.distances import connection_vectors, distance_matrix
from dkn.structure.functional_test import FunctionalTest, measure_components
from dkn.structure.ntc import NTCSettings, ntc
from dkn.study.names import CONTROL

GRID = Grid(
    clusterings=[NTCSettings("difference", tau1, 0.15, 2) for tau1 in (0.0, 0.1, 0.3)],
    tests=[
        *(FunctionalTest("sufficiency", tau2) for tau2 in (-1.0, 0.1)),
        FunctionalTest("absolute", 1e-3),
        FunctionalTest("compensation", 0.1),
    ],
    degeneracy=DegeneracySettings(max_subsets=6, partitions=2, seed=3),
    max_span=None,
    fold_norm=False,
)
RELEASED = replace(  # as the released code groups and tests; tau1 decides nothing, and names a limit here
    GRID,
    clusterings=[NTCSettings("difference", limit, limit, 2, clustering="short-edges") for limit in (0.02, 0.1)],
    tests=[FunctionalTest("compensation", 0.05, "left-out"), FunctionalTest("compensation", 0.5, "left-out")],
    connection="gate-down",
    paths="two-between",
    edits=EditSettings("preactivation", "last", "first-choice"),
)


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


def expected(
    adapter: Adapter, sample: Sample, grid: Grid, clustering: NTCSettings, test: FunctionalTest | None
) -> pd.DataFrame:
    """One grid point as the study's own stages compute it, one fact after the other."""
    selection = "candidate" if test is None else "bdc"
    rows = []
    for fact in sample.facts:
        row = {"fact_id": fact.fact_id, "candidates": 0, "components": 0}
        members = sample.members.get(fact.fact_id)
        rows.append(row)
        if members is None:
            continue
        vectors = connection_vectors(adapter, members, False, grid.connection)
        matrix = distance_matrix(members.layers, *vectors, None, grid.paths)
        frame = pd.DataFrame({"places": [component.members for component in ntc(matrix, clustering)]})
        row["candidates"] = len(frame)
        if test is not None and len(frame):
            [frame] = measure_components(adapter, [fact], sample.members, {fact.fact_id: frame}, grid.edits)
            frame = frame[test.passes(frame)]
        row["components"] = len(frame)
        if len(frame) >= 2:
            places = list(frame["places"])
            groups = with_controls(fact.fact_id, selection, places, members, grid.degeneracy, "ntc")
            records = degeneracy_records(adapter, [fact], {fact.fact_id: groups}, grid.degeneracy, grid.edits)
            gaps = per_fact(with_metrics(records.assign(subject="s"))).set_index("grouping")
            for gap in ("drop_gap", "nats_gap"):
                row |= {gap: gaps.loc["ntc", gap], f"control_{gap}": gaps.loc[CONTROL, gap]}
    return pd.DataFrame(rows).sort_values("fact_id", ignore_index=True)


@pytest.mark.parametrize(("grid", "least"), [(GRID, 20), (RELEASED, 5)], ids=["default", "released"])
def test_every_grid_point_is_what_the_studys_stages_give(
    adapter: Adapter, sample: Sample, grid: Grid, least: int
) -> None:
    records = sensitivity_records(adapter, sample, grid, batch=3)
    points = records.groupby(["tau1", "test", "tau2"], dropna=False)
    assert len(points) == len(grid.clusterings) * (1 + len(grid.tests))
    gaps = 0
    for clustering in grid.clusterings:
        for test in (None, *grid.tests):
            of_test = records["test"].isna() if test is None else records["test"] == test.test
            of_test &= records["tau2"].isna() if test is None else records["tau2"] == test.tau2
            found = records[(records["tau1"] == clustering.tau1) & of_test].sort_values("fact_id", ignore_index=True)
            assert (found["subject"] == found["fact_id"].map(sample.subjects)).all()
            want = expected(adapter, sample, grid, clustering, test)
            gaps += want.shape[1] > 3 and int(want["drop_gap"].notna().sum())
            pd.testing.assert_frame_equal(
                found[list(want)], want, check_dtype=False, rtol=1e-3, atol=1e-5, obj=f"{clustering.tau1}/{test}"
            )
    assert gaps >= least
    kept = records.groupby(["test", "tau2"], dropna=False)["components"].sum()
    assert kept.nunique() >= len(grid.tests), f"the tests must decide something, and not the same: {kept}"


def test_records_do_not_depend_on_batch_or_order(adapter: Adapter, sample: Sample) -> None:
    keys = ["fact_id", "tau1", "test", "tau2"]
    one = sensitivity_records(adapter, sample, GRID, batch=1).sort_values(keys, ignore_index=True)
    other = sensitivity_records(adapter, replace(sample, facts=sample.facts[::-1]), GRID, batch=8)
    pd.testing.assert_frame_equal(one, other.sort_values(keys, ignore_index=True), rtol=1e-3, atol=1e-5)


def test_a_grid_that_leaves_nothing_counts_every_fact(adapter: Adapter, sample: Sample) -> None:
    empty = replace(GRID, clusterings=[NTCSettings("difference", 50.0, 0.15, 2)])
    records = sensitivity_records(adapter, sample, empty, batch=3)
    assert len(records) == len(sample.facts) * (1 + len(GRID.tests))
    assert (records["components"] == 0).all()
    assert records["drop_gap"].isna().all()


def test_components_that_several_points_share_are_suppressed_once(
    adapter: Adapter, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[object, ...]] = []

    def watched(adapter: Adapter, facts: list, groups: dict, settings: DegeneracySettings, edits: EditSettings) -> Any:
        for fact in facts:
            for group in groups[fact.fact_id]:
                if group.grouping != CONTROL:
                    seen.append((fact.fact_id, group.selection, *(part.key() for part in group.parts)))
        return degeneracy_records(adapter, facts, groups, settings, edits)

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
