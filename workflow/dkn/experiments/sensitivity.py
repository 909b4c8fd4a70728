"""Sensitivity: the degeneracy experiment at every tau1 and tau2, for one KN fraction and filtration limit
(docs/method.md).

What grid points share is computed once: a component's probabilities do not depend on tau2, and a fact has the same
components at many points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact, batches
from dkn.experiments.degeneracy import DegeneracySettings, Groups, degeneracy_records, with_controls
from dkn.experiments.degeneracy_measures import per_fact, with_metrics
from dkn.neurons.sets import NeuronSet
from dkn.progress import progress
from dkn.structure.distances import connection_vectors, distance_matrix
from dkn.structure.functional_test import FunctionalTest, measure_components
from dkn.structure.ntc import NTCSettings, ntc
from dkn.study.names import CONTROL

GROUPING = "ntc"
GAPS = ("drop_gap", "nats_gap")


@dataclass(frozen=True)
class Grid:
    """The grid points of one job: ``clusterings`` differ in tau1, ``tests`` in tau2; every pair is a point, and so is
    every clustering without a functional test.
    """

    clusterings: Sequence[NTCSettings]
    tests: Sequence[FunctionalTest]
    degeneracy: DegeneracySettings
    max_span: int | None
    fold_norm: bool


@dataclass(frozen=True)
class Sample:
    """Facts with their subjects (by fact id) and the knowledge neurons of those that have any."""

    facts: Sequence[EncodedFact]
    subjects: pd.Series
    members: dict[str, NeuronSet]


def distinct_components(
    matrix: np.ndarray, clusterings: Sequence[NTCSettings]
) -> tuple[list[np.ndarray], list[tuple[int, ...]]]:
    """The components that any clustering of one fact finds, and for each clustering which of them, in its order."""
    numbers: dict[tuple[int, ...], int] = {}
    found = [
        tuple(numbers.setdefault(tuple(component.members), len(numbers)) for component in ntc(matrix, settings))
        for settings in clusterings
    ]
    return [np.array(members) for members in numbers], found


def _conditions(
    fact_id: str, found: Sequence[tuple[int, ...]], measured: pd.DataFrame | None, grid: Grid
) -> list[dict[str, object]]:
    """One row per grid point of a fact, with the components chosen there."""
    rows: list[dict[str, object]] = []
    for clustering, numbers in zip(grid.clusterings, found, strict=True):
        about = {"fact_id": fact_id, "tau1": clustering.tau1, "candidates": len(numbers)}
        rows.append({**about, "selection": "candidate", "tau2": np.nan, "chosen": numbers})
        for test in grid.tests:
            kept: tuple[int, ...] = ()
            if measured is not None:
                passes = test.passes(measured["recovery"].to_numpy(), measured["drop"].to_numpy())
                kept = tuple(number for number in numbers if passes[number])
            rows.append({**about, "selection": "bdc", "tau2": test.tau2, "chosen": kept})
    return rows


def grid_components(
    adapter: Adapter, sample: Sample, grid: Grid, batch: int
) -> tuple[pd.DataFrame, dict[str, list[np.ndarray]]]:
    """The components of every fact at every grid point.

    Returns:
        One row per fact and point with columns fact_id, tau1, selection, tau2, candidates, and chosen (numbers of
        components); and for each fact the components that the numbers stand for, as places in its list of neurons.
    """
    places: dict[str, list[np.ndarray]] = {fact.fact_id: [] for fact in sample.facts}
    found: dict[str, list[tuple[int, ...]]] = {fact_id: [()] * len(grid.clusterings) for fact_id in places}
    for fact_id, members in sample.members.items():
        vectors = connection_vectors(adapter, members, grid.fold_norm)
        matrix = distance_matrix(members.layers, *vectors, grid.max_span)
        places[fact_id], found[fact_id] = distinct_components(matrix, grid.clusterings)
    candidates = {fact_id: pd.DataFrame({"places": parts}) for fact_id, parts in places.items() if parts}
    measured: dict[str, pd.DataFrame] = {}
    for group in batches([fact for fact in sample.facts if fact.fact_id in candidates], batch):
        frames = measure_components(adapter, group, sample.members, candidates)
        measured.update(zip((fact.fact_id for fact in group), frames, strict=True))
    rows = [
        row for fact_id in sorted(places) for row in _conditions(fact_id, found[fact_id], measured.get(fact_id), grid)
    ]
    return pd.DataFrame(rows), places


def _gaps(records: pd.DataFrame) -> pd.DataFrame:
    """One row per selection and fact: the gaps of the components and of their control."""
    facts = per_fact(with_metrics(records)).set_index(["selection", "fact_id"])
    control = facts["grouping"] == CONTROL
    return facts.loc[~control, list(GAPS)].join(facts.loc[control, list(GAPS)].add_prefix("control_"))


def _suppress_sets(
    adapter: Adapter, sample: Sample, places: dict[str, list[np.ndarray]], sets: pd.DataFrame, grid: Grid, batch: int
) -> pd.DataFrame:
    """The gaps of at most one set of components per selection and fact (columns fact_id, selection, chosen)."""
    groups: dict[str, list[Groups]] = {}
    for row in sets.itertuples(index=False):
        parts = [places[row.fact_id][component] for component in row.chosen]
        neurons = len(sample.members[row.fact_id])
        groups.setdefault(row.fact_id, []).extend(
            with_controls(row.fact_id, row.selection, parts, neurons, grid.degeneracy, GROUPING)
        )
    records = pd.concat(
        degeneracy_records(adapter, group, sample.members, groups, grid.degeneracy)
        for group in batches([fact for fact in sample.facts if fact.fact_id in groups], batch)
    )
    return _gaps(records.assign(subject=records["fact_id"].map(sample.subjects))).reset_index()


def sensitivity_records(adapter: Adapter, sample: Sample, grid: Grid, batch: int) -> pd.DataFrame:
    """One row per fact and grid point; columns as in ``tables.SENSITIVITY`` without model, fraction and quantile.

    Args:
        batch: facts computed at once.
    """
    points, places = grid_components(adapter, sample, grid, batch)
    points["components"] = points["chosen"].map(len)
    points["subject"] = points["fact_id"].map(sample.subjects)
    # A fact's different sets of components are numbered; round k suppresses the k-th of every fact.
    sets = points.loc[points["components"] >= 2, ["fact_id", "selection", "chosen"]].drop_duplicates()
    sets["round"] = sets.groupby(["fact_id", "selection"]).cumcount()
    gaps = [pd.DataFrame(columns=["fact_id", "selection", "round", *GAPS, *(f"control_{gap}" for gap in GAPS)])]
    for number, chosen in progress(sets.groupby("round"), "sets of components", unit="round"):
        gaps.append(_suppress_sets(adapter, sample, places, chosen, grid, batch).assign(round=number))
    numbered = points.merge(sets, how="left", on=["fact_id", "selection", "chosen"])
    joined = numbered.merge(pd.concat(gaps), how="left", on=["fact_id", "selection", "round"], validate="many_to_one")
    return joined.drop(columns=["chosen", "round"])
