"""The sensitivity experiment: degeneracy at every tau1, test and tau2, for one KN fraction and filtration limit.

A component must exceed the persistence tau1 to be a candidate, and pass a functional test with the threshold tau2 to be
a base degenerate component (docs/method.md). Three such settings are a grid point. What grid points share is computed
once: the probabilities that the tests judge are the same for every test and tau2, and a fact has the same components at
many points.
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
from dkn.neurons.edits import AS_TEXT, EditSettings
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
    """The grid points of one job: every pair of a clustering and a test, and every clustering without a test.

    Attributes:
        clusterings: NTC's settings, which differ in tau1.
        tests: functional tests, which differ in kind or in tau2.
        degeneracy: the settings of the degeneracy experiment at every point.
        max_span: the most layers that a path between two neurons may climb; None for no limit.
        fold_norm: whether reading vectors are multiplied by the gain of the norm before the MLP.
        connection, paths: which vectors make a distance, and over which neurons distant ones are joined, as
            ``dkn.structure.distances`` takes them.
        edits: where values are edited, and in which contexts Prob is read off.
    """

    clusterings: Sequence[NTCSettings]
    tests: Sequence[FunctionalTest]
    degeneracy: DegeneracySettings
    max_span: int | None
    fold_norm: bool
    connection: str = "write-read"
    paths: str = "shortest"
    edits: EditSettings = AS_TEXT


@dataclass(frozen=True)
class Sample:
    """The facts of a job.

    Attributes:
        facts: the facts in tokens.
        subjects: the subject of each fact, by fact id.
        members: the knowledge neurons of those facts that have any, by fact id.
    """

    facts: Sequence[EncodedFact]
    subjects: pd.Series
    members: dict[str, NeuronSet]


def distinct_components(
    matrix: np.ndarray, clusterings: Sequence[NTCSettings]
) -> tuple[list[np.ndarray], list[tuple[int, ...]]]:
    """Cluster one fact's knowledge neurons with several settings of NTC.

    Args:
        matrix: (n, n) the distances between the fact's knowledge neurons.
        clusterings: the settings.
    Returns:
        The distinct components, each as positions in the fact's list of knowledge neurons; and for each clustering the
        numbers of its components among these, in the order in which it finds them.
    """
    numbers: dict[tuple[int, ...], int] = {}
    numbers_per_clustering = [
        tuple(numbers.setdefault(tuple(component.members), len(numbers)) for component in ntc(matrix, settings))
        for settings in clusterings
    ]
    return [np.array(members) for members in numbers], numbers_per_clustering


def _conditions(
    fact_id: str, numbers_per_clustering: Sequence[tuple[int, ...]], measured: pd.DataFrame | None, grid: Grid
) -> list[dict[str, object]]:
    """Return one row per grid point of a fact, with the numbers of the components that are chosen there."""
    rows: list[dict[str, object]] = []
    for clustering, numbers in zip(grid.clusterings, numbers_per_clustering, strict=True):
        about = {"fact_id": fact_id, "tau1": clustering.tau1, "candidates": len(numbers)}
        rows.append({**about, "selection": "candidate", "test": None, "tau2": np.nan, "chosen": numbers})
        for test in grid.tests:
            kept: tuple[int, ...] = ()
            if measured is not None:
                passes = test.passes(measured.iloc[list(numbers)])
                kept = tuple(number for number, passed in zip(numbers, passes, strict=True) if passed)
            rows.append({**about, "selection": "bdc", "test": test.test, "tau2": test.tau2, "chosen": kept})
    return rows


def grid_components(
    adapter: Adapter, sample: Sample, grid: Grid, batch: int
) -> tuple[pd.DataFrame, dict[str, list[np.ndarray]]]:
    """Return the components of every fact at every grid point.

    Args:
        adapter: the model.
        sample: the facts and their knowledge neurons.
        grid: the grid points.
        batch: the number of facts computed at once.
    Returns:
        One row per fact and point with columns fact_id, tau1, selection, test and tau2 (None and NaN without a
        functional test), candidates (their number) and chosen (the numbers of the chosen components); and for each fact
        the components that these numbers stand for, as positions in its list of knowledge neurons.
    """
    places: dict[str, list[np.ndarray]] = {fact.fact_id: [] for fact in sample.facts}
    chosen_numbers: dict[str, list[tuple[int, ...]]] = {fact_id: [()] * len(grid.clusterings) for fact_id in places}
    for fact_id, members in sample.members.items():
        vectors = connection_vectors(adapter, members, grid.fold_norm, grid.connection)
        matrix = distance_matrix(members.layers, *vectors, grid.max_span, grid.paths)
        places[fact_id], chosen_numbers[fact_id] = distinct_components(matrix, grid.clusterings)
    candidates = {fact_id: pd.DataFrame({"places": components}) for fact_id, components in places.items() if components}
    measured: dict[str, pd.DataFrame] = {}
    for group in batches([fact for fact in sample.facts if fact.fact_id in candidates], batch):
        frames = measure_components(adapter, group, sample.members, candidates, grid.edits)
        measured.update(zip((fact.fact_id for fact in group), frames, strict=True))
    rows = [
        row
        for fact_id in sorted(places)
        for row in _conditions(fact_id, chosen_numbers[fact_id], measured.get(fact_id), grid)
    ]
    columns = ["fact_id", "tau1", "candidates", "selection", "test", "tau2", "chosen"]
    return pd.DataFrame(rows, columns=columns), places


def _gaps(records: pd.DataFrame) -> pd.DataFrame:
    """Return one row per selection and fact: the gaps of the components and, with ``control_``, of their control."""
    facts = per_fact(with_metrics(records)).set_index(["selection", "fact_id"])
    control = facts["grouping"] == CONTROL
    return facts.loc[~control, list(GAPS)].join(facts.loc[control, list(GAPS)].add_prefix("control_"))


def _suppress_sets(
    adapter: Adapter, sample: Sample, places: dict[str, list[np.ndarray]], sets: pd.DataFrame, grid: Grid, batch: int
) -> pd.DataFrame:
    """Return the gaps of sets of components, at most one per selection and fact.

    Args:
        adapter: the model.
        sample: the facts and their knowledge neurons.
        places: for each fact its components, as positions in its list of knowledge neurons.
        sets: the sets of components, with columns fact_id, selection and chosen (numbers of components).
        grid: the grid, for the settings of the degeneracy experiment.
        batch: the number of facts computed at once.
    """
    groups: dict[str, list[Groups]] = {}
    for row in sets.itertuples(index=False):
        components = [places[row.fact_id][component] for component in row.chosen]
        members = sample.members[row.fact_id]
        groups.setdefault(row.fact_id, []).extend(
            with_controls(row.fact_id, row.selection, components, members, grid.degeneracy, GROUPING)
        )
    records = pd.concat(
        degeneracy_records(adapter, group, groups, grid.degeneracy, grid.edits)
        for group in batches([fact for fact in sample.facts if fact.fact_id in groups], batch)
    )
    return _gaps(records.assign(subject=records["fact_id"].map(sample.subjects))).reset_index()


def sensitivity_records(adapter: Adapter, sample: Sample, grid: Grid, batch: int) -> pd.DataFrame:
    """Run the degeneracy experiment at every grid point: one row per fact and point.

    Args:
        adapter: the model.
        sample: the facts and their knowledge neurons.
        grid: the grid points.
        batch: the number of facts computed at once.
    Returns:
        The columns of ``schemas.SENSITIVITY`` without model, fraction and quantile. The gaps are NaN where a fact has
        fewer than two components.
    """
    points, places = grid_components(adapter, sample, grid, batch)
    points["components"] = points["chosen"].map(len)
    points["subject"] = points["fact_id"].map(sample.subjects)
    # A fact may have different sets of components at different points. Round k suppresses the k-th set of every fact.
    sets = points.loc[points["components"] >= 2, ["fact_id", "selection", "chosen"]].drop_duplicates()
    sets["round"] = sets.groupby(["fact_id", "selection"]).cumcount()
    gaps = [pd.DataFrame(columns=["fact_id", "selection", "round", *GAPS, *(f"control_{gap}" for gap in GAPS)])]
    for number, chosen in progress(sets.groupby("round"), "sets of components", unit="round"):
        gaps.append(_suppress_sets(adapter, sample, places, chosen, grid, batch).assign(round=number))
    numbered = points.merge(sets, how="left", on=["fact_id", "selection", "chosen"])
    joined = numbered.merge(pd.concat(gaps), how="left", on=["fact_id", "selection", "round"], validate="many_to_one")
    return joined.drop(columns=["chosen", "round"])
