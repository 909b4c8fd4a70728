"""The stage that estimates a study's cost: what it prints."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from snakemake.utils import update_config

from dkn.storage.files import write_table
from dkn.storage.schemas import COMPLETENESS, KNOWN
from dkn.study.estimates import STAGES
from tests.unit.default_study import DEFAULT, PAPER
from tests.unit.stage_runs import status_of


def run(tree: dict[str, Any], *flags: str) -> int:
    """``python -m dkn estimate`` on a configuration; its exit status."""
    return status_of(["estimate", "--study", json.dumps(tree), "--shards", "2", *flags])


@pytest.fixture
def tree(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """The paper's configuration with changes, its results in a folder of the test."""

    def make(**changes: Any) -> dict[str, Any]:
        found = copy.deepcopy(DEFAULT)
        update_config(found, copy.deepcopy(PAPER))
        update_config(found, {"results": str(tmp_path), **changes})
        return found

    return make


def rows(printed: str) -> dict[tuple[str, str], list[str]]:
    """(model, stage) -> its other cells."""
    cells = [line.strip("| ").split(" | ") for line in printed.splitlines() if line.startswith("| ")]
    return {(row[0], row[1]): row[2:] for row in cells if len(row) == 6 and row[1] in (*STAGES, "all")}


def test_every_model_and_stage_is_printed_with_what_is_assumed(
    tree: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tree(), "--source", "https://a.org/facts.json") == 0
    printed = capsys.readouterr().out
    assert set(rows(printed)) == {(name, stage) for name in ("gpt2", "llama2-7b") for stage in (*STAGES, "all")}
    assert all(cells[-1] == "-" for cells in rows(printed).values()), "nothing has been measured"
    assert "503 – 15093 known (assumed) of 50310" in printed
    first = printed.splitlines()[0]
    assert re.fullmatch(r"The whole study takes .+ on one CPU thread, or .+ on one GPU .+ GB of disk space; .+", first)
    assert "e+" not in printed, "times and sizes are readable"
    assert "no GPU was measured" in printed


def test_finished_stages_are_shown_beside_their_estimates(
    tree: Callable[..., dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = pd.DataFrame(
        {
            "fact_id": [f"f{number}" for number in range(40)],
            "answer": "Paris",
            "answered": True,
            "answered_unseen": False,
            "known": [number < 30 for number in range(40)],
            "log_prob": -1.0,
            "prob": 0.4,
            "geometric_mean_prob": 0.4,
            "first_token_rank": 0,
            "prompt_tokens": 8,
            "answer_tokens": 2,
        }
    )
    write_table(tmp_path / "gpt2" / "known.parquet", known, KNOWN, {})
    benchmarks = tmp_path / "benchmarks" / "gpt2"
    (benchmarks / "attribution").mkdir(parents=True)
    for name, seconds in (("known", 12.5), ("attribution/1-of-2", 30.0), ("attribution/2-of-2", 31.0)):
        (benchmarks / f"{name}.tsv").write_text(f"s\th:m:s\n{seconds}\t0:00:00\n")
    (benchmarks / "suppression_values.tsv").write_text("s\th:m:s\n5.0\t0:00:05\n")
    assert run(tree(), "--source", "https://a.org/facts.json") == 0
    printed = capsys.readouterr().out
    found = rows(printed)
    assert found["gpt2", "known"][-1] == "12 s"
    assert found["gpt2", "attribution"][-1] == "1 min 1 s"
    assert found["gpt2", "suppression"][-1] == "-", "one of its two jobs is not done"
    assert "| gpt2 | 30 known of 50310 |" in printed


def test_a_finished_attribution_says_what_of_it_converged(
    tree: Callable[..., dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Over both shards; of a model of which a shard is missing nothing is said."""
    paths = {"token": 0, "layer": range(4), "prob": 0.5, "change": 0.4, "total": 0.4, "error": 0.0}
    for model, shard, converged in (
        ("gpt2", 1, [True] * 4),
        ("gpt2", 2, [True, False, True, True]),
        ("llama2-7b", 1, [True] * 4),
    ):
        rows = pd.DataFrame({"fact_id": f"f{shard}", **paths, "nodes": [3, 3, 9, 5], "converged": converged})
        path = tmp_path / model / "attribution" / f"{shard}-of-2.completeness.parquet"
        write_table(path, rows, COMPLETENESS, {})
    assert run(tree(), "--source", "https://a.org/facts.json") == 0
    printed = capsys.readouterr().out
    assert "\n| gpt2 | 1 of 2 | 7 of 8 | 5, at most 9 |\n" in printed
    assert "\n| llama2-7b | 1 of" not in printed
    assert "taken to need 3 – 3.6 nodes in float32 and 3 – 4.2 nodes in bfloat16, as measured" in printed


def test_a_study_of_two_equal_models_takes_twice_as_much(
    tree: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    model = {**PAPER["models"][0], "name": "one"}
    disk = []
    for models in ([model], [model, {**model, "name": "two"}]):
        assert run(tree(models=models), "--source", "https://a.org/facts.json") == 0
        disk.append([float(size) for size in re.findall(r"([\d.]+) – ([\d.]+) GB", capsys.readouterr().out)[0]])
    assert disk[1] == pytest.approx([2 * size for size in disk[0]], rel=0.02)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"estimate": {"facts": None}}, "estimate.facts"),
        ({"models": [{key: PAPER["models"][0][key] for key in ("name", "source", "repo", "revision")}]}, "`shape:`"),
    ],
    ids=["facts that have not been read", "a model of unknown size"],
)
def test_what_cannot_be_known_is_one_line(
    changes: dict[str, Any],
    cause: str,
    tree: Callable[..., dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(tree(**changes), "--source", "https://a.org/facts.json") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert cause in error


def test_local_facts_are_counted(
    tree: Callable[..., dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "facts.jsonl").write_text("{}\n" * 700)
    for most, counted in ((None, 700), (1000, 700), (300, 300)):
        content = tree(estimate={"facts": None})
        content["facts"]["most"] = most
        assert run(content, "--source", str(tmp_path / "facts.jsonl")) == 0
        assert f"of {counted} |" in capsys.readouterr().out


SIZES = {"model_type": "llama", "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2, "vocab_size": 9}
NO_MODELS: dict[str, tuple[object, str]] = {
    "no object": ([], "config.json is not a model's"),
    "another family": ({**SIZES, "model_type": "mixtral"}, "model family 'mixtral' has no adapter (its neurons belong"),
    "no sizes": ({"model_type": "llama"}, "config.json does not state 'hidden_size'"),
    "no heads": ({**SIZES, "num_attention_heads": 0}, "config.json states no sizes of a model ("),
    "a text for a number": ({**SIZES, "hidden_size": "32"}, "config.json states no sizes of a model ("),
    "heads that do not divide": (
        {**SIZES, "num_key_value_heads": 3},
        "config.json states no sizes of a model (heads must be a multiple of kv_heads (found 4 and 3))",
    ),
    "a negative size": ({**SIZES, "vocab_size": -9}, "config.json states no sizes of a model (vocabulary: "),
    "no text part": ({"model_type": "gemma3", "text_config": [1]}, "config.json states no sizes of a model ("),
}


@pytest.mark.parametrize("kind", NO_MODELS)
def test_a_folder_without_a_models_sizes_is_one_line(
    kind: str, tree: Callable[..., dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, cause = NO_MODELS[kind]
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "config.json").write_text(json.dumps(config))
    study = tree()
    study["models"] = [{"name": "m", "source": "folder", "path": str(tmp_path / "own")}]
    assert run({**study, "results": str(tmp_path / "results")}, "--source", "https://a.org/facts.json") == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path / 'own'}: {cause}")
    assert error.count("\n") == 1
