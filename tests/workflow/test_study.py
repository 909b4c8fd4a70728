"""Whole runs of the shortened study: what comes out, what reruns, what is found before the first job."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from matplotlib.image import imread

from dkn.paper.claims import CLAIMS, READINGS
from dkn.storage.files import read_table
from dkn.storage.schemas import (
    CANDIDATES,
    COMPLETENESS,
    COMPONENTS,
    DEGENERACY,
    FACTS,
    FINE_TUNING,
    KNOWLEDGE_NEURONS,
    KNOWN,
    SCORES,
)
from dkn.study.names import OTHER_FACTS, TESTED_CONTROLS
from dkn.study.registry import of_study
from tests.short_study import Checkout, short_config
from tests.workflow_rules import ON_REQUEST, figure_names, table_names

MODELS = ("gpt2-short", "llama-short")
# The verdicts' table has a row per claim.
FIGURES = [name for name in figure_names() if name not in ON_REQUEST]
TABLES = [name for name in table_names() if name not in ("verdicts", *ON_REQUEST)]


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_its_files_and_shows_something(study: Checkout, name: str) -> None:
    figures = study.path / "results" / "figures"
    assert (figures / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    image = imread(figures / f"{name}.png")
    assert min(image.shape[:2]) > 400
    assert image.std() > 0.05
    numbers = (figures / f"{name}.rst").read_text()
    assert "n = " in numbers or name in ("funnel", "reported"), "a caption says how many facts"
    assert all(model in numbers for model in MODELS)
    frame = pd.read_csv(figures / f"{name}.csv")
    others = {"reported": {"GPT-2", "LLaMA2-7b"}, "verdicts": {"all models"}}
    assert set(frame["model"]) == set(MODELS) | others.get(name, set())


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_its_three_files_and_all_models(study: Checkout, name: str) -> None:
    path = study.path / "results" / "tables" / f"{name}.csv"
    assert set(pd.read_csv(path)["model"]) >= set(MODELS)
    for text in (path.with_suffix(".md").read_text(), path.with_suffix(".tex").read_text()):
        assert all(model in text for model in MODELS)


def test_the_report_was_made_with_every_figure_its_words_and_numbers(study: Checkout) -> None:
    """``all`` builds it from the very study; the numbers of the captions are those beside the figures."""
    text = (study.path / "results" / "report.html").read_text()
    for name in FIGURES:
        assert f'"results/figures/{name}.png": {{' in text
        number = re.search(
            r"n = [\d,]+ facts? of \d+", (study.path / "results" / "figures" / f"{name}.rst").read_text()
        )
        assert number is None or number[0] in text
    assert all(f'"results/tables/{name}.html": {{' in text for name in [*TABLES, "verdicts"])
    assert "Models of this study: gpt2-short, llama-short" in text, "the configuration that this study was given"
    assert "system-message" not in text, "captions without errors"


def test_every_claim_has_a_verdict_and_every_experiment_its_evidence(study: Checkout) -> None:
    """What a claim needs is found in the summaries, or its experiment says why it was not run."""
    results = study.path / "results"
    content = json.loads((results / "verdicts.json").read_text())
    found = {(row["claim"], row["model"], row["reading"]): row for row in content["verdicts"]}
    claims = {(claim.name, reading) for claim in CLAIMS for reading in READINGS if claim.evidence(reading)}
    of_models = {(claim, model, reading) for claim, reading in claims for model in MODELS}
    assert set(found) == of_models | {("C8", None, reading) for reading in READINGS}
    assert found["C8", None, "primary"]["verdict"] == "not run"
    assert "2 models" in found["C8", None, "primary"]["note"]
    for (_, model, _), row in found.items():
        for evidence in row["evidence"] if model else ():
            if "difference" in evidence:
                continue
            name = evidence["experiment"]
            path = results / str(model) / "experiments" / name / "summary.json"
            assert name == "degeneracy" or not json.loads(path.read_text())["contrasts"]
            assert evidence["outcome"] in ("not run", "too few facts")
    for experiment in of_study(["ntc", "dbscan", "hierarchical", "kmeans", "amig"]):
        for model in MODELS:
            summary = json.loads((results / model / "experiments" / experiment / "summary.json").read_text())
            assert (summary["model"], summary["experiment"]) == (model, experiment)


@pytest.mark.parametrize("model", MODELS)
def test_tables_keep_their_schemas_and_fit_together(study: Checkout, model: str) -> None:
    folder = study.path / "results" / model
    facts = read_table(study.path / "results" / "facts" / "facts.parquet", FACTS)
    known = read_table(folder / "known.parquet", KNOWN)
    neurons = read_table(folder / "knowledge_neurons.parquet", KNOWLEDGE_NEURONS)
    components = read_table(folder / "components" / "ntc.parquet", COMPONENTS)
    records = read_table(folder / "experiments" / "degeneracy-ntc" / "records.parquet", DEGENERACY)
    assert set(known["fact_id"]) == set(facts["fact_id"])
    assert set(neurons["fact_id"]) <= set(known.loc[known["known"], "fact_id"])
    sizes = neurons.groupby("fact_id").size()
    for row in components.itertuples():
        assert max(row.places) < sizes[row.fact_id]
    assert (records["log_prob_before"] <= 0).all()
    assert {"ntc", "random-partition"} <= set(records["grouping"]) <= {"ntc", "random-partition", *OTHER_FACTS}
    assert "test" in set(facts["split"])


@pytest.mark.parametrize("model", MODELS)
def test_every_grouping_and_the_tested_controls_have_the_same_records(study: Checkout, model: str) -> None:
    folder = study.path / "results" / model
    groupings = ("ntc", "dbscan", "hierarchical", "kmeans", "hdbscan", "amig", *TESTED_CONTROLS)
    for grouping in groupings:
        candidates = read_table(folder / "candidates" / f"{grouping}.parquet", CANDIDATES)
        components = read_table(folder / "components" / f"{grouping}.parquet", COMPONENTS)
        keys = ["fact_id", "repeat", "component"]
        assert set(candidates[keys].itertuples(index=False)) == set(components[keys].itertuples(index=False))
        for _, group in components.groupby(["fact_id", "repeat"]):
            places = np.concatenate(list(group["places"]))
            assert len(set(places)) == len(places)
        records = read_table(folder / "experiments" / f"degeneracy-{grouping}" / "records.parquet", DEGENERACY)
        others = OTHER_FACTS if grouping == "ntc" else ()
        assert set(records["grouping"]) <= {grouping, "random-partition", *others}
        assert grouping not in TESTED_CONTROLS or set(records["selection"]) <= {"bdc"}
    comparison = json.loads((folder / "experiments" / "degeneracy" / "comparison.json").read_text())
    assert comparison["groupings"] == list(groupings)
    assert {row["second"] for row in comparison["functional_test"]["contrasts"]} == set(groupings[1:])


def test_the_funnel_agrees_with_the_summaries(study: Checkout) -> None:
    table = pd.read_csv(study.path / "results" / "tables" / "funnel.csv")
    assert list(table.columns) == ["model", "grouping", "step", "facts"]
    assert set(table["model"]) == set(MODELS)
    for (model, name), frame in table.groupby(["model", "grouping"]):
        grouping, _, one_draw = name.partition(" ")
        path = study.path / "results" / model / "experiments" / f"degeneracy-{grouping}" / "summary.json"
        stored = json.loads(path.read_text())["funnel_of_first_draw" if one_draw else "funnel"]
        assert dict(zip(frame["step"], frame["facts"], strict=True)) == stored
    assert (study.path / "results" / "tables" / "funnel.md").read_text().count("\n") == 2 + 2 * 8


@pytest.mark.parametrize("model", MODELS)
def test_every_shard_is_complete_and_attributed_once(study: Checkout, model: str) -> None:
    folder = study.path / "results" / model / "attribution"
    known = read_table(study.path / "results" / model / "known.parquet", KNOWN)
    shards = [read_table(folder / f"{shard}-of-2.completeness.parquet", COMPLETENESS) for shard in (1, 2)]
    ids = [set(shard["fact_id"]) for shard in shards]
    assert not ids[0] & ids[1]
    assert ids[0] | ids[1] == set(known.loc[known["known"], "fact_id"])
    checks = pd.concat(shards)
    assert (checks["error"] <= 1e-3).all()
    assert checks["converged"].all()
    file = pq.ParquetFile(folder / "1-of-2.parquet")
    assert file.num_row_groups == len(ids[0])
    scores = read_table(folder / "1-of-2.parquet", SCORES)
    assert (scores["score"] > 0).all()


@pytest.mark.parametrize("model", MODELS)
def test_the_summary_counts_every_step_and_says_what_made_it(study: Checkout, model: str) -> None:
    summary = json.loads(
        (study.path / "results" / model / "experiments" / "degeneracy-ntc" / "summary.json").read_text()
    )
    funnel = list(summary["funnel"].values())
    assert funnel[0] > 80
    assert summary["funnel"]["degenerate"] <= summary["funnel"]["with_two_candidates"]
    assert {row["kind"] for row in summary["estimates"] if "kind" in row} == {"partial", "full", "gap"}
    provenance = summary["provenance"]
    assert provenance["settings"]["seed"] == 0
    assert len(provenance["code_sha256"]) == 64
    assert any(name.endswith("records.parquet") for name in provenance["inputs"])


@pytest.mark.parametrize("model", MODELS)
def test_fine_tuning_and_overlap_have_estimates(study: Checkout, model: str) -> None:
    folder = study.path / "results" / model / "experiments"
    for name in ("fine-tuning-dkn", "fine-tuning-random", "overlap-fine-tuning"):
        summary = json.loads((folder / name / "summary.json").read_text())
        assert summary["new_facts"] >= 4
        assert "not_run" not in summary
        assert summary["estimates"]
        assert summary["contrasts"]
    records = read_table(folder / "fine-tuning-dkn" / "records.parquet", FINE_TUNING)
    before = records[records["epoch"] == 0]
    assert len(before)
    assert (before["correct"] == (before["split"] == "old")).all()


def test_a_second_run_does_nothing(study: Checkout) -> None:
    result = study.run()
    assert result.returncode == 0
    assert "Nothing to be done" in result.stdout


def planned_after_an_edit(study: Checkout, module: Path) -> set[str]:
    """The rules that a run would run if a module were another; the module is as before afterwards."""
    original = module.read_text()
    append(module, "\n# an edit\n")
    planned = study.planned()
    module.write_text(original)
    return planned


def test_an_edit_reruns_what_it_touches_and_nothing_else(study: Checkout) -> None:
    library = study.path / "workflow" / "dkn"
    attribution = library / "attribution" / "integrated_gradients.py"
    attribution.touch()
    assert study.planned() == set()
    append(library / "figures" / "persistence.py", "\n# an edit\n")
    assert study.planned() == {"figure_persistence", "make_index", "make_report"}
    result = study.run("index")
    assert result.returncode == 0, result.stdout
    assert study.planned() == set()
    planned = planned_after_an_edit(study, attribution)
    assert "attribution" in planned
    assert not planned & {"make_facts", "model_trained", "known"}
    assert study.planned() == set(), "an edit taken back is no edit"


def test_an_edit_of_interventions_keeps_what_comes_before_them(study: Checkout) -> None:
    planned = planned_after_an_edit(study, study.path / "workflow" / "dkn" / "neurons" / "interventions.py")
    assert planned >= {"components", "experiment_degeneracy", "experiment_perturbation"}
    before = {"model_trained", "known", "attribution", "knowledge_neurons", "distances", "candidates_ntc"}
    assert not planned & before


def test_a_changed_threshold_keeps_the_attributions(study: Checkout) -> None:
    study.configure({**short_config(), "knowledge_neurons": {"fraction": 0.3}})
    planned = study.planned()
    study.configure(short_config())
    assert "knowledge_neurons" in planned
    assert "attribution" not in planned


def test_a_prepared_folder_is_a_model_too(study: Checkout, new_checkout: Callable[[dict], Checkout]) -> None:
    """The trained model, used as a local folder by another study, knows the same facts; too few end the study."""
    checkout = new_checkout(
        {
            "facts": {"sources": [{"path": "short.jsonl"}]},
            "models": [
                {"name": "mine", "source": "folder", "path": str(study.path / "results" / "gpt2-short" / "model")}
            ],
            "minimum_known": 1,
        }
    )
    result = checkout.run("results/mine/known.parquet")
    assert result.returncode == 0, result.stdout[-3000:]
    mine, original = (
        read_table(place / "known.parquet", KNOWN)
        for place in (checkout.path / "results" / "mine", study.path / "results" / "gpt2-short")
    )
    pd.testing.assert_frame_equal(mine, original)
    weights = checkout.path / "results" / "mine" / "model" / "model.safetensors"
    assert weights.is_symlink()
    minimum = int(mine["known"].sum()) + 1
    result = checkout.run("--config", f"minimum_known={minimum}", "--forcerun", "known", "--until", "known", "-q")
    assert result.returncode != 0
    assert f"the study needs at least {minimum} (key minimum_known)" in result.stdout
    assert "Traceback" not in result.stdout


BAD_STUDIES = {
    "unknown key": ({"sed": 1}, "config: sed: unknown key; allowed: seed"),
    "wrong type": ({"seed": "zero"}, "config: seed: "),
    "wrong value": ({"attribution": {"baseline": "mean"}}, "'amig' or 'zero'"),
    "missing facts": ({"facts": {"sources": [{"path": "absent.jsonl"}]}}, "absent.jsonl: no such facts file"),
    "missing templates": ({"facts": {"templates": ["absent.yaml"]}}, "absent.yaml: no such templates file"),
    "missing model": (
        {"models": [{"name": "mine", "source": "folder", "path": "absent"}]},
        "model mine: absent: no such model folder",
    ),
}


@pytest.mark.parametrize("mistake", BAD_STUDIES)
def test_mistakes_are_found_before_the_first_job(mistake: str, new_checkout: Callable[[dict], Checkout]) -> None:
    content, message = BAD_STUDIES[mistake]
    checkout = new_checkout(content)
    result = checkout.run()
    assert result.returncode == 1
    errors = [line for line in result.stdout.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in result.stdout
    assert not (checkout.path / "results" / "facts").exists()
    assert not list((checkout.path / ".snakemake" / "locks").glob("*"))


def test_a_bad_line_of_facts_is_named_before_the_first_job(new_checkout: Callable[[dict], Checkout]) -> None:
    checkout = new_checkout(short_config())
    append(checkout.path / "short.jsonl", '{"query": "nothing"}\n')
    lines = len((checkout.path / "short.jsonl").read_text().splitlines())
    result = checkout.run()
    assert result.returncode == 1
    assert f"error: short.jsonl:{lines}: " in result.stdout
