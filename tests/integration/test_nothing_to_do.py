"""The stages with a model on nothing: no known fact, no knowledge neurons, no component."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from dkn.facts.stored import study_facts
from dkn.storage.files import read_table
from dkn.storage.schemas import KNOWN
from dkn.study.names import ALL
from tests.integration.scenarios import stage, write

GROUPINGS = ("ntc", "amig")
KNOWLEDGE = ("scores", "neurons", "distances", "candidates/ntc", "candidates/amig", "components/ntc", "components/amig")
RECORDS = (
    "records/ntc",
    "records/amig",
    "sharing",
    "sharing-members",
    "suppression",
    "tuned",
    "changes",
    "overlap",
    "curves",
    "members",
)


def find_structure(folder: Path, study: Path, which: str, threshold: float, tau1: float) -> dict[str, object]:
    """Run the stages up to the components, and return the flags that the experiments share."""
    on_model: dict[str, object] = {"model": study / "model", "device": "cpu"}
    on_facts = {**on_model, "facts": study / "facts.parquet", "known": folder / "known.parquet"}
    scores, neurons, distances = (folder / f"{name}.parquet" for name in ("scores", "neurons", "distances"))
    rule = {"shard": "1-of-1", "which": which, "baseline": "amig", "quadrature": "gauss-legendre", "nodes": 2}
    limits = {"tolerance": 1, "max_nodes": 2, "floor": 0.05, "output": scores, "completeness": folder / "complete"}
    stage("attribution", **on_facts, **rule, **limits)
    stage("knowledge-neurons", scores=scores, fraction=threshold, output=neurons)
    stage("distances", **on_model, neurons=neurons, output=distances)
    clustering = {"persistence": "difference", "tau1": tau1, "quantile": 0.3, "min_size": 2, "dimension": 1}
    of_ntc = {"output": folder / "candidates" / "ntc.parquet", "diagrams": folder / "diagrams.parquet"}
    stage("candidates-ntc", neurons=neurons, distances=distances, **clustering, **of_ntc)
    of_amig = {"tried": 2, "matters": 2.0, "output": folder / "candidates" / "amig.parquet"}
    stage("candidates-amig", **on_facts, neurons=neurons, **of_amig)
    files = [
        part
        for name in GROUPINGS
        for flag, place in (("--candidates", "candidates"), ("--output", "components"))
        for part in (flag, str(folder / place / f"{name}.parquet"))
    ]
    stage("components", *files, **on_facts, neurons=neurons, test="sufficiency", tau2=0.1)
    return {**on_facts, "neurons": neurons, "seed": 0}


def run_experiments(folder: Path, shared: dict[str, object]) -> None:
    """Run one experiment of every kind."""
    components = {"components": folder / "components" / "ntc.parquet"}
    files = [
        part
        for name in GROUPINGS
        for flag, value in (("components", f"components/{name}.parquet"), ("output", f"records/{name}.parquet"))
        for part in (f"--{flag}", str(folder / value))
    ]
    methods = [part for name in GROUPINGS for part in ("--grouping", name)]
    stage("experiment-degeneracy", *files, *methods, **shared, max_subsets=4, partitions=1)
    sharing = {"output": folder / "sharing.parquet", "members": folder / "sharing-members.parquet"}
    stage("experiment-sharing", **shared, **components, others=2, draws=1, limit=4, **sharing)
    suppression = {"setting": "suppression", "site": "values", "random_sets": 1, "queries": "any"}
    stage("experiment-perturbation", **shared, **components, **suppression, output=folder / "suppression.parquet")
    ablation = {"scores": folder / "scores.parquet", "draws": 1, "limit": 2, "output": folder / "ablation.parquet"}
    stage("experiment-ablation", **shared, **ablation)
    outputs = {"output": folder / "dkn.parquet", "kn_output": folder / "kn.parquet"}
    stage("experiment-fact-checking", **shared, **components, relation_neurons=3, random_sets=2, limit=4, **outputs)
    stage("experiment-fact-checking-plm", **shared, shots=2, limit=4, output=folder / "plm.parquet")
    amount = {"new_facts": 4, "old_facts": 4, "development": 0.3, "minimum": 4, "epochs": 2, "ask_every": 1}
    tuned = {"output": folder / "tuned.parquet", "changes": folder / "changes.parquet", "rate": 0.1}
    costs = {"batch": 2, "draws": 2, "trainings": 2, "extensions": 1, "training": folder / "training.json"}
    stage("experiment-fine-tuning", **shared, **components, subset=ALL, **amount, **tuned, **costs)
    unions = {"output": folder / "overlap.parquet", "curves": folder / "curves.parquet"}
    stage(
        "experiment-overlap",
        changes=folder / "changes.parquet",
        learnt=folder / "tuned.parquet",
        neurons=shared["neurons"],
        **components,
        draws=2,
        seed=0,
        **unions,
        members=folder / "members.parquet",
    )


def rows(folder: Path, name: str) -> int:
    """The number of rows of a stored table."""
    return pq.read_metadata(folder / f"{name}.parquet").num_rows


@pytest.mark.parametrize(
    ("outcome", "which", "threshold", "tau1"),
    [("no known fact", "known", 0.2, 0.05), ("no knowledge neuron", "all", 1.0, 0.05), ("no component", "all", 0.2, 5)],
)
def test_every_stage_ends_with_tables_without_rows(
    outcome: str, which: str, threshold: float, tau1: float, study: Path, tmp_path: Path
) -> None:
    known = read_table(study / "known.parquet", KNOWN)
    write(tmp_path / "known.parquet", known.assign(known=False), KNOWN, "known", dtype="float32")
    shared = find_structure(tmp_path, study, which, threshold, tau1)
    run_experiments(tmp_path, shared)
    assert (rows(tmp_path, "scores") == 0) == (outcome == "no known fact")
    for name in ("neurons", "plm", "ablation"):
        assert (rows(tmp_path, name) > 0) == (outcome == "no component"), name
    for name in (*KNOWLEDGE[3:], *RECORDS):
        assert rows(tmp_path, name) == 0, name
    assert json.loads((tmp_path / "training.json").read_text())["not_run"].startswith("0 degenerate facts")


@pytest.mark.parametrize(("which", "tau1"), [("known", 0.05), ("all", 5.0)])
def test_the_grid_of_settings_has_no_gap_to_measure(which: str, tau1: float, study: Path, tmp_path: Path) -> None:
    known = read_table(study / "known.parquet", KNOWN)
    write(tmp_path / "known.parquet", known.assign(known=False), KNOWN, "known", dtype="float32")
    shared = find_structure(tmp_path, study, which, 0.2, tau1)
    del shared["neurons"]
    point = {"fraction": 0.2, "quantile": 0.3, "tau1": tau1, "test": "sufficiency", "tau2": 0.1}
    grid = {"persistence": "difference", "min_size": 2, "max_subsets": 4, "partitions": 1}
    files = {"scores": tmp_path / "scores.parquet", "output": tmp_path / "point.parquet"}
    stage("experiment-sensitivity", **shared, **point, **grid, **files, which=which, model_name="m")
    statistics = {"resamples": 9, "confidence": 0.95, "seed": 0}
    csv = tmp_path / "sensitivity.csv"
    stage("table-sensitivity", records=tmp_path / "point.parquet", **point, **statistics, output=csv)
    facts = study_facts(study / "facts.parquet", tmp_path / "known.parquet", which)
    table = pd.read_csv(csv)
    assert len(table) == (2 if len(facts) else 0)
    assert not table["degenerate"].any()
    assert ("nothing to state" in csv.with_suffix(".md").read_text()) == table.empty
    stage("figure-sensitivity", table=csv, output=tmp_path / "sensitivity.pdf")
    assert (tmp_path / "sensitivity.rst").read_text()
