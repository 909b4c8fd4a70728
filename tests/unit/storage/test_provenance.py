"""What a stage's code is, what a record holds, and which modules stay light."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dkn.errors import UserError
from dkn.stages import PACKAGE, stage_file, stages
from dkn.storage.provenance import code_files, code_sha256, provenance, sha256

STAGES = sorted(stages())
HEAVY = ("torch", "transformers", "pandas")


GROUND = (
    "storage/artefacts",
    "storage/files",
    "storage/parts",
    "storage/provenance",
    "storage/schemas",
    "storage/writing",
)  # of every stage, with the package root
CHECKED = "storage/checked_texts"
FOLDER = ("models/families", "models/files", "models/weights")
MODEL = (*FOLDER, "decoder", "models/opening", "models/prepared")
PREPARED = (*FOLDER, "models/opening", "models/sources", "models/tokens")
GGUF = tuple(f"models/gguf_{part}" for part in ("config", "files", "layout", "rotation", "tokenizer", "weights"))
SWITCHES = "study/protocol"
FACTS = ("facts/schema", "facts/stored", "facts/text", SWITCHES)
SOURCES = ("facts/addresses", "facts/schema", "facts/sources", "facts/template_files", "facts/text")
INTERVENTIONS = ("neurons/asking", "neurons/edits", "neurons/interventions", "neurons/stepwise")
TABLE = ("tables/saving", CHECKED)
SUMMARIES = ("statistics/inference", "study/names", "summaries/stored")
MEANS = ("statistics/weighted", "summaries/by_fact")
BY_FACT = (*SUMMARIES, *MEANS)
CLAIMS = ("paper/claims", "study/registry", *SUMMARIES)
OVER_SEEDS = ("study/names", "summaries/seeds", "summaries/wording")
FIGURE = ("figures/saving", "figures/style", "study/names", "summaries/wording")
HEADLINES = (*FIGURE, *CLAIMS, "paper/headlines", "paper/model_size")
SETTING_TABLE = ("paper/contrasts", "study/registry", "summaries/wording", "tables/lines", *TABLE, *SUMMARIES)
AUDITED = (
    *(
        "attribution",
        "audit",
        "experiments",
        "facts",
        "models/answer_loss",
        "neurons",
        "paper/claims",
        "paper/verdicts",
    ),
    *("statistics", "structure", "study", "summaries"),
)  # what an audit repeats
# Beside its own module: the packages and modules that a stage may depend on. Everything else is a stranger to it.
ALLOWED: dict[str, tuple[str, ...]] = {
    "ask": (
        *(*MODEL, *PREPARED, *GGUF, *FACTS, "facts/perturbed_prompts", "models/named", "one_fact", "pages"),
        *("attribution", "neurons", "structure", "study", "experiments/degeneracy", "experiments/perturbation"),
        "figures/style",
    ),
    "audit": (*MODEL, *FACTS, *AUDITED),
    "attribution": (*MODEL, *FACTS, "attribution", "storage/cache", "storage/shard_parts"),
    "candidates-amig": (*MODEL, *FACTS, *INTERVENTIONS, "neurons/sets", "structure", "study/names"),
    "candidates-groupings": ("structure", "study/names", SWITCHES),
    "candidates-ntc": ("structure", SWITCHES),
    "candidates-random": ("neurons/sets", "structure", "study/names"),
    "components": (*MODEL, *FACTS, *INTERVENTIONS, "neurons/sets", "structure/functional_test", "study/names"),
    "distances": (*MODEL, "neurons/sets", "structure/distances", SWITCHES),
    "estimate": (*SOURCES, "models/families", "run/benchmarks", "run/durations", "storage/completeness", "study"),
    "experiment-ablation": (
        *(*MODEL, *FACTS, "facts/sampling", *INTERVENTIONS, "neurons/sets", "study/names"),
        "experiments/ablation",
    ),
    "experiment-degeneracy": (
        *(*MODEL, *FACTS, *INTERVENTIONS, "neurons/other_facts", "neurons/sets", "structure/controls"),
        *("experiments/degeneracy", "study/names"),
    ),
    "experiment-fact-checking": (
        *(*MODEL, *FACTS, "attribution", "facts/same_answers", "facts/sampling", "neurons/sets", "study/names"),
        *("experiments/fact_checking", "experiments/statements"),
    ),
    "experiment-fact-checking-plm": (
        *(*MODEL, *FACTS, "facts/same_answers", "facts/sampling", "neurons/sets"),
        *("experiments/fact_checking_plm", "experiments/statements"),
    ),
    "experiment-fine-tuning": (
        *(*MODEL, *FACTS, "facts/same_answers", "facts/schema", "facts/text", "models/answer_loss"),
        *("neurons/sets", "neurons/tuning", "study/names", "experiments/fine_tuning", "experiments/learning_rates"),
        "experiments/tuning_questions",
    ),
    "experiment-overlap": ("experiments/overlap", "neurons/sets", "study/names"),
    "experiment-perturbation": (
        *(*MODEL, *FACTS, "facts/perturbed_prompts", *INTERVENTIONS, "neurons/other_facts"),
        *("neurons/sets", "study/names", "experiments/perturbation"),
    ),
    "experiment-sensitivity": (
        *(*MODEL, *FACTS, "attribution/selection", "facts/sampling", *INTERVENTIONS, "neurons/sets"),
        *(
            "neurons/other_facts",
            "structure",
            "experiments/degeneracy",
            "experiments/degeneracy_measures",
            "experiments/sensitivity",
            "study/names",
        ),
    ),
    "experiment-sharing": (
        *(*MODEL, *FACTS, "facts/same_answers", "facts/sampling", *INTERVENTIONS, "neurons/membership"),
        *("neurons/sets", "study/names", "experiments/sharing"),
    ),
    "explorer": (
        SWITCHES,
        "figures/style",
        "models/files",
        "models/weights",
        "pages",
        "structure/dendrogram",
        "structure/ntc",
        "structure/short_edges",
        "study/names",
    ),
    "facts": (*SOURCES, "facts/sampling"),
    "figure-ablation": (*FIGURE, *SUMMARIES),
    "figure-audit": (*FIGURE, "audit/stored", "figures/points", SWITCHES),
    "figure-audit-path": (*FIGURE, "audit/stored", "figures/points", SWITCHES),
    "figure-audit-verdicts": (*FIGURE, "audit/stored", SWITCHES),
    "figure-complexity": FIGURE,
    "figure-component-sizes": (*FIGURE, "statistics/inference"),
    "figure-degeneracy": HEADLINES,
    "figure-enhancement": (*HEADLINES, "figures/perturbation"),
    "figure-fact-checking": (
        *(*HEADLINES, SWITCHES, "statistics/detection", "statistics/draws", "statistics/roc"),
        "summaries/fact_checking",
    ),
    "figure-fine-tuning": HEADLINES,
    "figure-funnel": (*FIGURE, CHECKED, "summaries/funnel"),
    "figure-groupings": (*FIGURE, *SUMMARIES),
    "figure-kn-graph": (*FIGURE, "figures/example", "structure/dendrogram"),
    "figure-overlap": HEADLINES,
    "figure-persistence": (*FIGURE, "figures/example", "structure/dendrogram"),
    "figure-reported": (*FIGURE, CHECKED),
    "figure-seeds": (*FIGURE, *OVER_SEEDS),
    "figure-sensitivity": (*FIGURE, CHECKED, "statistics/inference"),
    "figure-sharing": (*FIGURE, *SUMMARIES, *MEANS, "summaries/sharing"),
    "figure-suppression": (*HEADLINES, "figures/perturbation"),
    "figure-verdicts": FIGURE,
    "index": (
        *(CHECKED, "figures/style", "pages", "paper/claims", "paper/verdicts", "statistics/simultaneous"),
        *("study/names", "study/registry", "statistics/inference", "summaries/stored", "summaries/wording"),
        "tables/reading",
    ),
    "knowledge-neurons": ("attribution/selection",),
    "known": (*MODEL, "facts/schema", "facts/text"),
    "model-check": PREPARED,
    "model-folder": PREPARED,
    "model-gguf": (*PREPARED, *GGUF),
    "model-hub": PREPARED,
    "model-size": (*CLAIMS, *OVER_SEEDS, "models/files", "models/weights", "paper/model_size"),
    "model-trained": ("facts/schema", "facts/text", "models"),
    "model-wheel": (*PREPARED, *GGUF),
    "outcome": ("paper/reproduction",),
    "seeds": (*CLAIMS, *OVER_SEEDS, "paper/model_size", "paper/seeds", "statistics/meta_analysis"),
    "summary-ablation": (*SUMMARIES, "summaries/ablation", *MEANS),
    "summary-degeneracy": (
        *(*SUMMARIES, SWITCHES, "experiments/degeneracy_measures", *MEANS),
        *(
            "summaries/degeneracy_means",
            "storage/completeness",
            "summaries/degeneracy",
            "summaries/funnel",
            "summaries/grouping_comparison",
        ),
    ),
    "summary-fact-checking": (
        *(*SUMMARIES, SWITCHES, "statistics/detection", "statistics/draws", "statistics/roc"),
        "summaries/fact_checking",
    ),
    "summary-fine-tuning": (*BY_FACT, SWITCHES, "statistics/draws", "summaries/fine_tuning"),
    "summary-overlap": (
        *(*SUMMARIES, "statistics/draws", *MEANS, "summaries/fine_tuning"),
        "summaries/overlap",
    ),
    "summary-perturbation": (*BY_FACT, SWITCHES, "summaries/perturbation"),
    "summary-sharing": (*SUMMARIES, *MEANS, "summaries/sharing"),
    "table-ablation": (*SETTING_TABLE, "summaries/ablation", *MEANS),
    "table-audit": (*TABLE, "audit/stored", SWITCHES),
    "table-contrasts": (*SUMMARIES, "paper/contrasts", "study/registry", "summaries/wording", *TABLE),
    "table-degeneracy": SETTING_TABLE,
    "table-enhancement": (*SETTING_TABLE, "tables/perturbation"),
    "table-fact-checking": (
        *(*SETTING_TABLE, SWITCHES, "statistics/detection", "statistics/draws", "statistics/roc"),
        "summaries/fact_checking",
    ),
    "table-fine-tuning": SETTING_TABLE,
    "table-funnel": (*TABLE, "storage/completeness", "study/names", "summaries/funnel"),
    "table-overlap": SETTING_TABLE,
    "table-page": (CHECKED, "tables/reading"),
    "table-reported": (*SUMMARIES, "study/registry", *TABLE),
    "table-seeds": (*TABLE, *OVER_SEEDS),
    "table-sensitivity": (
        *("statistics/inference", "study/names", *MEANS, "summaries/sensitivity"),
        *("summaries/wording", *TABLE),
    ),
    "table-sharing": (*SETTING_TABLE, *MEANS, "summaries/sharing"),
    "table-suppression": (*SETTING_TABLE, "tables/perturbation"),
    "table-verdicts": ("study/names", "summaries/wording", *TABLE),
    "verify": ("paper/reproduction", *TABLE),
    "verdicts": (
        *(*CLAIMS, *OVER_SEEDS, "paper/growth", "paper/model_size", "paper/verdicts"),
        "statistics/simultaneous",
    ),
}


def closure(stage: str) -> set[str]:
    """A stage's code files, relative to the package, without their ending."""
    return {path.relative_to(PACKAGE).with_suffix("").as_posix() for path in code_files(stage)}


# --- closures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
def test_a_closure_holds_existing_files_its_own_among_them(stage: str) -> None:
    files = code_files(stage)
    assert files == sorted(set(files))
    assert all(path.is_file() for path in files)
    assert stage_file(stage) in files


@pytest.mark.parametrize("stage", STAGES)
def test_a_closure_holds_no_other_stage(stage: str) -> None:
    """An edit of one stage must not rerun another."""
    others = {stage_file(other) for other in STAGES if other != stage}
    assert not others & set(code_files(stage))


@pytest.mark.parametrize("stage", STAGES)
def test_a_closure_holds_no_stranger(stage: str) -> None:
    """The code that a stage depends on is what it uses."""
    own = stage_file(stage).relative_to(PACKAGE).with_suffix("").as_posix()
    known = {own, *GROUND, *ALLOWED[stage]}
    strangers = {path for path in closure(stage) if "/" in path and path not in known}
    assert not {path for path in strangers if path.split("/")[0] not in known}


@pytest.mark.parametrize(
    ("module", "untouched"),
    [
        ("neurons/interventions", ["model-trained", "known", "attribution", "distances", "experiment-fine-tuning"]),
        ("neurons/tuning", ["known", "attribution", "components", "experiment-perturbation", "experiment-overlap"]),
        ("summaries/degeneracy", ["summary-overlap", "summary-perturbation", "figure-degeneracy", "table-degeneracy"]),
        ("figures/style", ["table-degeneracy", "summary-degeneracy", "verdicts"]),
    ],
)
def test_an_edit_leaves_what_does_not_use_it(module: str, untouched: list[str]) -> None:
    assert any(module in closure(stage) for stage in STAGES)
    assert not [stage for stage in untouched if module in closure(stage)]


def test_a_codes_checksum_is_of_its_content_wherever_it_lies(tmp_path: Path) -> None:
    """With the files beside the modules; a record states the one of the modules alone."""
    page, moved = tmp_path / "page.html", tmp_path / "moved.html"
    page.write_text("page")
    moved.write_text("page")
    assert code_sha256("explorer") == provenance("explorer", {}, [])["code_sha256"]
    assert code_sha256("explorer", [page]) == code_sha256("explorer", [moved]) != code_sha256("explorer")
    assert code_sha256(None, [page]) == digest("page")
    moved.write_text("other")
    assert code_sha256("explorer", [page]) != code_sha256("explorer", [moved])
    moved.unlink()
    with pytest.raises(UserError, match=r"moved\.html: this part of the workflow cannot be read"):
        code_sha256("explorer", [moved])


def test_imports_name_the_package_so_that_closures_find_them() -> None:
    """``code_files`` reads absolute imports only: a relative or dynamic one would escape it."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}:{node.lineno}"
            dynamic = isinstance(node, ast.Attribute) and node.attr == "import_module"
            assert not dynamic or path.name == "__main__.py", path


# --- records ------------------------------------------------------------------------------------------------


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """One input of a relative, one of an absolute path, one model folder."""
    monkeypatch.chdir(tmp_path)
    relative, absolute, folder = Path("in/known.parquet"), tmp_path / "templates.yaml", Path("in/model")
    folder.mkdir(parents=True)
    relative.write_text("known")
    absolute.write_text("templates")
    (folder / "provenance.json").write_text("{}")
    (folder / "model.safetensors").write_text("weights")
    return [relative, absolute, folder]


def digest(text: str) -> str:
    """A text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_record_names_stage_settings_code_inputs_and_versions(inputs: list[Path]) -> None:
    record = provenance("candidates-ntc", {"tau1": 0.1}, inputs)
    assert record["stage"] == "candidates-ntc"
    assert record["settings"] == {"tau1": 0.1}
    assert record["inputs"] == {
        "in/known.parquet": digest("known"),
        "templates.yaml": digest("templates"),
        "in/model": digest("{}"),
    }
    assert record["versions"]["python"].startswith("3.")
    assert {"torch", "transformers", "numpy", "pandas", "ripser"} <= set(record["versions"])
    assert len(record["code_sha256"]) == len(record["settings_sha256"]) == 64


def test_equal_runs_give_equal_records(inputs: list[Path]) -> None:
    first = json.dumps(provenance("candidates-ntc", {"a": 1, "b": None}, inputs))
    assert json.dumps(provenance("candidates-ntc", {"a": 1, "b": None}, inputs)) == first


def test_equal_runs_in_another_folder_give_equal_records(inputs: list[Path], tmp_path: Path) -> None:
    record = provenance("candidates-ntc", {}, inputs)
    moved = tmp_path / "moved.yaml"
    inputs[1].rename(moved)
    (tmp_path / "elsewhere").mkdir()
    again = moved.rename(tmp_path / "elsewhere" / "templates.yaml")
    assert provenance("candidates-ntc", {}, [inputs[0], again, inputs[2]]) == record


@pytest.mark.parametrize("what", ["stage", "settings", "input"])
def test_another_run_gives_another_record(what: str, inputs: list[Path]) -> None:
    settings: dict[str, Any] = {"tau1": 0.1}
    record = provenance("candidates-ntc", settings, inputs)
    if what == "input":
        inputs[0].write_text("other")
    changed = provenance(
        "known" if what == "stage" else "candidates-ntc", {"tau1": 0.2} if what == "settings" else settings, inputs
    )
    part = {"stage": "code_sha256", "settings": "settings_sha256", "input": "inputs"}[what]
    assert changed[part] != record[part]


def test_inputs_of_one_name_are_all_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundled ``templates.yaml`` and a user's own of the same name are two inputs."""
    monkeypatch.chdir(tmp_path)
    bundled, own = tmp_path / "resources" / "templates.yaml", Path("templates.yaml")
    bundled.parent.mkdir()
    bundled.write_text("bundled")
    own.write_text("own")
    assert set(provenance("facts", {}, [bundled, own])["inputs"].values()) == {digest("bundled"), digest("own")}


def test_sha256_of_file_and_folder(inputs: list[Path]) -> None:
    assert sha256(inputs[0]) == digest("known")
    assert sha256(inputs[2]) == digest("{}")


# --- light modules ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        (["dkn.run.checks", "dkn.run.jobs", "dkn.storage.provenance", "dkn.study.config", "dkn.study.registry"], HEAVY),
        (["dkn.__main__"], HEAVY),
        (
            [
                "dkn.commands.candidates_ntc",
                "dkn.commands.experiment_overlap",
                "dkn.commands.knowledge_neurons",
                "dkn.commands.summary_degeneracy",
                "dkn.commands.summary_fine_tuning",
                "dkn.commands.summary_overlap",
                "dkn.commands.verdicts",
                "dkn.figures.component_sizes",
                "dkn.figures.degeneracy",
                "dkn.figures.kn_graph",
                "dkn.figures.persistence",
                "dkn.tables.degeneracy",
            ],
            HEAVY[:2],
        ),
    ],
    ids=["what the Snakefile imports", "command line", "stages without a model"],
)
def test_light_modules_import_nothing_heavy(modules: list[str], absent: tuple[str, ...]) -> None:
    code = f"import {', '.join(modules)}, sys; print([name for name in {absent} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.strip() == "[]", result.stderr
