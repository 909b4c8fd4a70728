"""No file or folder of a study is another one of it, or lies where the study writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkn.study.config import parse_config
from tests.unit.study.configurations import MODELS, changed, complaint


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own, in which ``link`` leads to ``results``."""
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    Path("link").symlink_to("results")


@pytest.mark.parametrize("results", [".", "./", "..", "../..", "/", "a/..", ".snakemake", ".snakemake/x"])
def test_results_have_a_folder_of_their_own(results: str) -> None:
    assert complaint(("results", results)).startswith("results: must be a folder of its own")


def test_the_current_folder_by_its_whole_path_is_no_folder_of_its_own() -> None:
    assert complaint(("results", str(Path.cwd()))).startswith("results: must be a folder of its own")


@pytest.mark.parametrize("results", ["out", "../out", "a/b", "/data/out"])
def test_any_other_folder_is(results: str) -> None:
    assert parse_config(changed(("results", results))).results == results


@pytest.mark.parametrize(
    "cache", ["results", "results/", "link", "results/facts", "results/gpt2-nano/x", "a/../results"]
)
def test_a_cache_where_the_study_writes_is_refused(cache: str) -> None:
    assert complaint(("cache", cache)).startswith("cache: must not be a folder that the study writes")


@pytest.mark.parametrize("cache", ["cache", "results/cache", "."])
def test_a_cache_elsewhere_is_taken(cache: str) -> None:
    assert parse_config(changed(("cache", cache))).cache == cache


@pytest.mark.parametrize("path", ["results/m/model", "results", "link/m/model"])
def test_inputs_in_the_results_are_refused(path: str) -> None:
    line = "must not lie in the folder `results`, where the study writes"
    assert complaint(("models.1", {**MODELS["folder"], "path": path})) == f"models.2.path: {line}"
    assert complaint(("models.1", {**MODELS["gguf"], "path": path})) == f"models.2.path: {line}"
    cut = {"name": "m", "source": "gguf", "paths": ["a", path]}
    assert complaint(("models.1", cut)) == f"models.2.paths.2: {line}"
    assert complaint(("facts.sources.1", {"path": path})) == f"facts.sources.2.path: {line}"
    assert complaint(("facts.templates", [path])) == f"facts.templates.1: {line}"


def test_one_file_named_twice_is_refused() -> None:
    line = complaint(("facts.sources", [{"path": "a.jsonl"}, {"path": "./a.jsonl"}]))
    assert line == "facts.sources.2.path: is facts.sources.1.path again (found 'a.jsonl')"
    line = complaint(("facts.sources", [{"bundled": "common"}, {"path": "a"}, {"bundled": "common"}]))
    assert line == "facts.sources.3: is facts.sources.1 again (found 'common')"
    assert complaint(("facts.templates", ["a", "b", "a"])).startswith("facts.templates.3: is facts.templates.1 again")


def test_two_models_may_be_of_one_folder() -> None:
    models = [{**MODELS["folder"], "name": name, "dtype": name} for name in ("float32", "bfloat16")]
    assert parse_config(changed(("models", models)))


def test_names_that_differ_in_capitals_are_one_folder_on_some_machines() -> None:
    assert complaint(("models.1.name", "GPT2-nano")).startswith("models: the names of two models, 'gpt2-nano', differ")
