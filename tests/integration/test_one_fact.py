"""One fact asked alone: its numbers are those that the stages of a study store for it, among all other facts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from dkn.storage import schemas
from dkn.storage.files import read_table
from dkn.study.names import DKN, KN, KN_MATCHED, ORIGINAL, RANDOM
from dkn.study.protocol import SWITCHES, flags
from tests.integration.stage_runs import run_stage

TOLERANCE = {"rtol": 2e-4, "atol": 1e-6}  # other facts of a batch change the order of sums in float32
COMPARED = (DKN, KN, KN_MATCHED, RANDOM)
# All that the released code does otherwise, but for the source's own query and the choice of facts.
OF_ONE_FACT = tuple(name for name in SWITCHES if name not in ("wording", "facts"))
METHOD: dict[str, Any] = {
    "seed": 3,
    "attribution": {"facts": "all", "tolerance": 0.001, "max_nodes": 96},
    "knowledge_neurons": {"fraction": 0.15},
    "clustering": {"tau1": 0.01, "quantile": 0.4},
    "functional_test": {"tau2": 0.01},
    "experiments": {"degeneracy": {"max_subsets": 6, "partitions": 1}, "suppression": {"random_sets": 3}},
    "compute": {"device": "cpu"},
}


@dataclass(frozen=True)
class Stored:
    """A study of which every stage has run: its folder, its configuration, and its switches."""

    folder: Path
    config: Path
    released: tuple[str, ...]

    def table(self, name: str, schema: Any, fact: str) -> pd.DataFrame:
        """The rows of one fact in a table."""
        table = read_table(self.folder / name, schema)
        return table[table["fact_id"] == fact].reset_index(drop=True)


def run_all(folder: Path, released: tuple[str, ...]) -> None:
    """Run every stage that gives a fact its numbers."""
    model, made = folder / "model", folder / ("released" if released else "text")
    facts = {"facts": folder / "facts.parquet", "known": folder / "known.parquet"}
    neurons, distances, components = (made / f"{name}.parquet" for name in ("neurons", "distances", "components"))

    def run(stage: str, switches: str = "", **given: object) -> None:
        used = flags(switches or stage, released)
        assert run_stage(stage, *used, **given) == 0, stage

    scores = {"floor": 0.05, "baseline": "amig", "quadrature": "adaptive", "nodes": 3, "which": "all"}
    scores |= {"tolerance": 0.001, "max_nodes": 96, "shard": "1-of-1", "batch": 4, "device": "cpu"}
    tables = {"output": made / "scores.parquet", "completeness": made / "completeness.parquet"}
    run("attribution", model=model, **facts, **scores, **tables)
    run("knowledge-neurons", scores=tables["output"], fraction=0.15, output=neurons)
    run("distances", model=model, neurons=neurons, output=distances, device="cpu")
    cut = {"persistence": "difference", "tau1": 0.01, "quantile": 0.4, "min_size": 2, "dimension": 1}
    candidates = {"output": made / "candidates.parquet", "diagrams": made / "diagrams.parquet"}
    run("candidates-ntc", neurons=neurons, distances=distances, **cut, **candidates)
    asked: dict[str, Any] = {"model": model, **facts, "neurons": neurons, "batch": 4, "device": "cpu"}
    tested = {"candidates": candidates["output"], "output": components, "test": "sufficiency", "tau2": 0.01}
    run("components", **asked, **tested)
    subsets = {"grouping": "ntc", "max_subsets": 6, "partitions": 1, "output": made / "degeneracy.parquet"}
    run("experiment-degeneracy", **asked, components=components, seed=3, **subsets)
    sets = {"setting": "suppression", "site": "values", "random_sets": 3, "queries": "preserving"}
    sets |= {"output": made / "suppression.parquet", "seed": 3}
    run("experiment-perturbation", "experiment-suppression-values", **asked, components=components, **sets)


@pytest.fixture(scope="module", params=[(), OF_ONE_FACT], ids=["text", "released"])
def stored(study: Path, request: pytest.FixtureRequest) -> Stored:
    """A small study, as the paper's text has it, and as the released code does."""
    released: tuple[str, ...] = request.param
    run_all(study, released)
    config = study / f"{len(released)}.yaml"
    config.write_text(yaml.safe_dump({**METHOD, "switches": dict.fromkeys(released, "released") or {"site": None}}))
    return Stored(study, config, released)


def some_facts(stored: Stored) -> list[str]:
    """The facts with the most base degenerate components, one with a single one, and one without."""
    made = "released" if stored.released else "text"
    table = read_table(stored.folder / made / "components.parquet", schemas.COMPONENTS)
    counts = table.groupby("fact_id")["kept"].sum().sort_values(ascending=False, kind="stable")
    chosen = [*counts.index[:2], *counts.index[counts == 1][:1], *counts.index[counts == 0][:1]]
    assert len(chosen) == 4
    assert counts.iloc[1] >= 2
    return [str(fact) for fact in chosen]


def asked(stored: Stored, fact: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What ``ask --json`` says of a fact of the study."""
    row = stored.table("facts.parquet", schemas.FACTS, fact).iloc[0]
    given = ["--model", str(stored.folder / "model"), "--config", str(stored.config), "--id", fact]
    capsys.readouterr()
    assert run_stage("ask", row["prompt"], *row["answers"], "--json", "--device=cpu", *given) == 0
    return json.loads(capsys.readouterr().out)


def require_equal(said: list[dict[str, Any]], rows: pd.DataFrame, keys: list[str], numbers: list[str]) -> None:
    """Fail unless what is said has the rows of a table, equal in some columns, and close in others."""
    assert len(said) == len(rows)
    for one, row in zip(said, rows.to_dict("records"), strict=True):
        for key in keys:
            assert np.array_equal(one[key], row[key]), key
        for name in numbers:
            found = np.nan if one[name] is None else one[name]
            np.testing.assert_allclose(found, row[name], **TOLERANCE, err_msg=name)


def require_neurons(said: Mapping[str, Any], stored: Stored, made: str, fact: str) -> None:
    """Compare what the model knows, the knowledge neurons, and the error of their scores."""
    known = stored.table("known.parquet", schemas.KNOWN, fact).iloc[0]
    assert (said["answer"], said["known"]) == (known["answer"], known["known"])
    assert said["first_token_rank"] == known["first_token_rank"]
    np.testing.assert_allclose(said["log_prob"], known["log_prob"], **TOLERANCE)
    neurons = stored.table(f"{made}/neurons.parquet", schemas.KNOWLEDGE_NEURONS, fact)
    require_equal(said["knowledge_neurons"], neurons, ["place", "layer", "neuron"], ["score"])
    error = stored.table(f"{made}/completeness.parquet", schemas.COMPLETENESS, fact)["error"].max()
    np.testing.assert_allclose(said["completeness_error"], error, rtol=0.05, atol=1e-5)


def test_a_fact_alone_has_the_numbers_of_the_study(stored: Stored, capsys: pytest.CaptureFixture[str]) -> None:
    made = "released" if stored.released else "text"
    for fact in some_facts(stored):
        said = asked(stored, fact, capsys)
        require_neurons(said, stored, made, fact)
        components = stored.table(f"{made}/components.parquet", schemas.COMPONENTS, fact)
        probs = [name for name in components if name.startswith("prob_")]
        numbers = ["birth", "death", "persistence", *probs, "recovery", "drop"]
        require_equal(said["components"], components, ["component", "places", "kept"], numbers)
        assert said["base_degenerate_components"] == components["kept"].sum()
        assert said["degenerate"] == (components["kept"].sum() >= 2)
        subsets = stored.table(f"{made}/degeneracy.parquet", schemas.DEGENERACY, fact)
        subsets = subsets[~subsets["grouping"].str.startswith("dkn-other")]  # one fact has no others
        keys = ["selection", "grouping", "repeat", "components", "suppressed", "suppressed_neurons"]
        require_equal(said["subsets"], subsets, keys, ["log_prob_before", "log_prob_after"])
        perturbed = stored.table(f"{made}/suppression.parquet", schemas.PERTURBATION, fact)
        perturbed = perturbed[(perturbed["query"] == ORIGINAL) & perturbed["neuron_set"].isin(COMPARED)]
        assert perturbed.empty == (components["kept"].sum() == 0)
        names = set(perturbed["neuron_set"])  # the released code compares D alone
        of_study = [one for one in said["suppression"] if one["neuron_set"] in names]
        of_study.sort(key=lambda one: (one["neuron_set"], one["repeat"]))
        keys = ["neuron_set", "repeat", "neurons", "shared"]
        require_equal(of_study, perturbed, keys, ["log_prob_before", "log_prob_after"])
