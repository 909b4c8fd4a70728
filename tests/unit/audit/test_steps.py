"""The steps of an audit: none is done twice, and each gives what its stage gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from dkn.audit.steps import REACH, STEPS, Steps
from dkn.decoder.adapters import Adapter
from dkn.decoder.loading import LanguageModel
from dkn.experiments import fact_checking
from dkn.storage.files import read_table, write_table
from dkn.storage.schemas import (
    CANDIDATES,
    COMPONENTS,
    DEGENERACY,
    DISTANCES,
    FACTS,
    KNOWLEDGE_NEURONS,
    KNOWN,
    PERTURBATION,
    SCORES,
)
from dkn.structure.candidates import distance_matrices
from dkn.study.names import NTC, TESTED_CONTROLS
from dkn.study.protocol import CHOICES
from dkn.study.protocol import flags as switch_flags
from tests.unit.audit_study import settings, study_facts
from tests.unit.stage_runs import status_of

TEXT: frozenset[str] = frozenset()
FAMILIES = pytest.mark.parametrize("adapter", ["gpt2", "llama-grouped"], indirect=True)


@pytest.fixture
def steps(adapter: Adapter, tokenizer: Any) -> Steps:
    return Steps(LanguageModel(adapter, tokenizer), study_facts(adapter, tokenizer), settings(), 4)


# --- what reaches what ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("switch", "reached"),
    [
        ("rivals", {"clusterings", "pairs", "rival_components", "rival_degeneracy"}),
        ("plm", {"judged"}),
        ("steps", {"tuning", "overlap"}),
        ("test_facts", {"checking", "judged"}),
        ("weights_probability", {"suppression-weights", "enhancement-weights"}),
        (
            "perturbation",
            {f"{name}-{site}" for name in ("suppression", "enhancement") for site in ("values", "weights")},
        ),
        *(
            (name, set())
            for name in ("sign", "outliers", "average", "kept_facts", "reduction", "threshold", "questions")
        ),
        (
            "clustering",
            set(STEPS)
            - {"scores", "neurons", "matrices", "clusterings", "pairs", "judged"}
            - {"rival_components", "rival_degeneracy"},
        ),
        ("paths", set(STEPS) - {"scores", "neurons", "pairs", "judged"}),
        ("multiplier", set(STEPS)),
        ("facts", set(STEPS)),
    ],
)
def test_a_switch_reaches_its_steps_and_what_follows(switch: str, reached: set[str]) -> None:
    assert {step for step, switches in REACH.items() if switch in switches} == reached


def test_every_stage_that_measures_is_done_by_a_step() -> None:
    """What an audit does not repeat reads records, but for the grid of sensitivity."""
    done = {stage for step in STEPS.values() for stage in step.stages}
    reading = ("summary-", "figure-", "table-", "explorer")
    left = {stage for stage in CHOICES if stage not in done and not stage.startswith(reading)}
    assert left == {"experiment-sensitivity"}


@FAMILIES
def test_a_step_is_done_once_for_all_states_that_it_is_the_same_in(steps: Steps) -> None:
    for state in (TEXT, frozenset({"plm"}), frozenset({"rivals", "sign"}), frozenset({"plm", "paths"})):
        steps.get("components", state)
        steps.get("judged", state)
    done = {step: count for step, count in steps.computed.items() if count}
    expected = {"scores": 1, "neurons": 1, "matrices": 2, "candidates": 2, "components": 2, "judged": 2}
    assert done == expected
    assert steps.get("matrices", frozenset({"sign"})) is steps.get("matrices", TEXT)
    assert steps.get("matrices", frozenset({"paths"})) is not steps.get("matrices", TEXT)
    assert steps.computed["matrices"] == 2


@FAMILIES
def test_statements_are_attributed_anew_only_where_that_differs(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other neurons of a fact, or another threshold, take the scores of statements that are there."""
    asked: list[str] = []
    attribute = fact_checking.attribute

    def counted(adapter: Adapter, facts: Any, *arguments: Any) -> Any:
        asked.extend(fact.fact_id for fact in facts)
        return attribute(adapter, facts, *arguments)

    monkeypatch.setattr(fact_checking, "attribute", counted)
    first = steps.get("checking", TEXT)
    count = len(asked)
    assert count == len(set(asked)) > 0
    other = steps.get("checking", frozenset({"clustering"}))
    assert len(asked) == count
    assert not first.equals(other)
    steps.get("checking", frozenset({"rule"}))
    assert len(asked) > count


# --- against the stages ---------------------------------------------------------------------------------------

STAGES = (
    "attribution",
    "distances",
    "components",
    "experiment_degeneracy",
    "experiment_perturbation",
)  # those that open the model
MODEL = {"model": ".", "facts": "facts.parquet", "known": "known.parquet", "neurons": "neurons.parquet"}
GROUPS = (NTC, *TESTED_CONTROLS)
STATES = (TEXT, frozenset({"site", "answer_text", "connection", "paths", "functional_test", "facts"}))
OF_WEIGHTS = frozenset({"weights_probability", "perturbation"})


@pytest.fixture
def folder(steps: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The study's tables as its stages store them, and its model wherever a stage opens one."""
    facts = steps.facts.reset_index(drop=True)
    write_table(tmp_path / "facts.parquet", facts[FACTS.names], FACTS, {})
    write_table(tmp_path / "known.parquet", facts[KNOWN.names], KNOWN, {})
    monkeypatch.setattr("dkn.commands.attribution.require_as_prepared", lambda *_, **__: None)
    monkeypatch.setattr("dkn.commands.attribution.has_gate", lambda _: steps.gated)
    for stage in STAGES:
        monkeypatch.setattr(f"dkn.commands.{stage}.open_model", lambda *_, **__: steps.model)
        monkeypatch.setattr(f"dkn.commands.{stage}.provenance", lambda *_: {})
    return tmp_path


def run(folder: Path, stage: str, state: frozenset[str], *flags: str, of: str = "", **paths: str) -> None:
    """Run a stage on the files of a folder; ``of`` is the name by which the switches that reach it are found."""
    files = [part for name, path in paths.items() for part in (f"--{name.replace('_', '-')}", str(folder / path))]
    assert status_of([stage, *files, *flags, *switch_flags(of or stage, state)]) == 0


def repeated(flag: str, values: Sequence[object]) -> list[str]:
    return [part for value in values for part in (f"--{flag}", str(value))]


def assert_same_rows(found: pd.DataFrame, stored: Path, schema: pa.Schema) -> None:
    """Assert that a step gives the rows that a stage has stored, whatever their order."""

    def comparable(table: pd.DataFrame) -> pd.DataFrame:
        return table.reset_index(drop=True).map(lambda cell: tuple(cell) if np.ndim(cell) else cell)

    keys = [name for name in schema.names if schema.field(name).type in (pa.string(), pa.int32())]
    tables = [comparable(table).sort_values(keys, ignore_index=True) for table in (found, read_table(stored, schema))]
    pd.testing.assert_frame_equal(*(table[schema.names] for table in tables), check_dtype=False, rtol=1e-4, atol=1e-6)


def settings_of_clustering(steps: Steps) -> list[str]:
    of = steps.study.clustering
    values = {"persistence": of.persistence, "tau1": of.tau1, "quantile": of.quantile, "min-size": of.min_size}
    return [part for name, value in values.items() for part in (f"--{name}", str(value))]


@FAMILIES
@pytest.mark.parametrize("state", STATES, ids=["text", "some released"])
def test_the_structure_is_that_of_the_stages(state: frozenset[str], steps: Steps, folder: Path) -> None:
    of_attribution = steps.study.attribution.model_dump(exclude={"facts", "shards"})
    flags = [part for name, value in of_attribution.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    paths = {"output": "scores.parquet", "completeness": "completeness.parquet"}
    inputs = {name: MODEL[name] for name in ("model", "facts", "known")}
    run(folder, "attribution", state, *flags, "--shard", "1-of-1", "--which", "known", **inputs, **paths)
    assert_same_rows(steps.get("scores", state), folder / "scores.parquet", SCORES)
    of = steps.study.knowledge_neurons
    shape = repeated("fraction", [of.fraction]) + repeated("cap", [of.cap])
    run(folder, "knowledge-neurons", state, *shape, scores="scores.parquet", output="neurons.parquet")
    assert_same_rows(steps.get("neurons", state), folder / "neurons.parquet", KNOWLEDGE_NEURONS)
    run(folder, "distances", state, model=".", neurons="neurons.parquet", output="distances.parquet")
    tables = (
        read_table(folder / "neurons.parquet", KNOWLEDGE_NEURONS),
        read_table(folder / "distances.parquet", DISTANCES),
    )
    stored, found = dict(distance_matrices(*tables)), steps.get("matrices", state)
    assert stored.keys() == found.keys()
    assert all(np.array_equal(stored[name], found[name]) for name in stored)
    inputs = {"neurons": "neurons.parquet", "distances": "distances.parquet"}
    clustering = [*settings_of_clustering(steps), "--dimension", "0"]
    run(folder, "candidates-ntc", state, *clustering, **inputs, output="c-ntc.parquet", diagrams="diagrams.parquet")
    draws = ["--seed", str(steps.study.seed), "--repeats", str(steps.study.audit.draws)]
    outputs = repeated("control", TESTED_CONTROLS) + repeated(
        "output", [folder / f"c-{n}.parquet" for n in TESTED_CONTROLS]
    )
    run(folder, "candidates-random", state, *draws, *outputs, neurons="neurons.parquet", candidates="c-ntc.parquet")
    for name in GROUPS:
        assert_same_rows(steps.get("candidates", state)[name], folder / f"c-{name}.parquet", CANDIDATES)


@FAMILIES
@pytest.mark.parametrize("state", [*STATES, OF_WEIGHTS], ids=["text", "some released", "weights alone"])
def test_the_experiments_are_those_of_the_stages(state: frozenset[str], steps: Steps, folder: Path) -> None:
    study = steps.study
    assert state == STATES[1] or len(steps.dkns(state, fewest=2)) > 4, "there is something to compare"
    write_table(folder / "neurons.parquet", steps.get("neurons", state), KNOWLEDGE_NEURONS, {})
    for name in GROUPS:
        write_table(folder / f"c-{name}.parquet", steps.get("candidates", state)[name], CANDIDATES, {})
    files = {kind: [folder / f"{kind}-{name}.parquet" for name in GROUPS] for kind in "ctd"}
    test = ["--test", study.functional_test.test, "--tau2", str(study.functional_test.tau2)]
    run(
        folder,
        "components",
        state,
        *test,
        *repeated("candidates", files["c"]),
        *repeated("output", files["t"]),
        **MODEL,
    )
    for name, file in zip(GROUPS, files["t"], strict=True):
        assert_same_rows(steps.get("components", state)[name], file, COMPONENTS)
    draws, seed = str(study.audit.draws), ["--seed", str(study.seed)]
    flags = ["--max-subsets", str(study.experiments.degeneracy.max_subsets), "--partitions", draws, *seed]
    flags += repeated("components", files["t"]) + repeated("grouping", GROUPS) + repeated("output", files["d"])
    run(folder, "experiment-degeneracy", state, *flags, **MODEL)
    for name, file in zip(GROUPS, files["d"], strict=True):
        stored = read_table(file, DEGENERACY)
        write_table(file, stored[stored["selection"] == "bdc"], DEGENERACY, {})  # claims are about these alone
        assert_same_rows(steps.get("degeneracy", state)[name], file, DEGENERACY)
    for setting, site in (("suppression", "values"), ("enhancement", "weights")):
        flags = ["--setting", setting, "--site", site, "--random-sets", draws, "--queries", "preserving", *seed]
        paths = {**MODEL, "components": "t-ntc.parquet", "output": "p.parquet"}
        run(folder, "experiment-perturbation", state, *flags, **paths, of=f"experiment-{setting}-{site}")
        assert_same_rows(steps.get(f"{setting}-{site}", state), folder / "p.parquet", PERTURBATION)
