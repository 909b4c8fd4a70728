"""What stored files say about themselves: their place, their model, their inputs, and what their names promise."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dkn.errors import UserError
from dkn.storage.artefacts import place_of
from dkn.storage.files import read_json, read_table, write_json, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import SCORES

TABLE = pd.DataFrame({"fact_id": ["a"], "layer": [0], "neuron": [1], "score": [0.5]})


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder with two models, named as a study names it: from the working folder."""
    monkeypatch.chdir(tmp_path)
    for model in ("one", "two"):
        home = Path("results") / model
        (home / "model").mkdir(parents=True)
        write_json(home / "model" / "provenance.json", {"stage": "model-trained", "name": model})
        record = provenance("known", {}, [home / "model"])
        write_table(home / "known.parquet", TABLE, SCORES, record)
        for name in ("suppression-values", "suppression-weights"):
            write_table(home / "experiments" / name / "records.parquet", TABLE, SCORES, record)
            summary = {"experiment": name, "model": model, "counts": {"n": 1}, "provenance": record}
            write_json(home / "experiments" / name / "summary.json", summary)
    return Path("results")


def test_places_are_those_of_the_known_folders() -> None:
    assert place_of(Path("r/one/experiments/x/records.parquet")) == "experiments/x/records.parquet"
    assert place_of(Path("/r/one/components/ntc.parquet")) == "components/ntc.parquet"
    assert place_of(Path("r/one/known.parquet")) is None


def test_files_are_read_where_they_were_made_or_their_study_was_moved(results: Path) -> None:
    for name in ("results", "moved"):
        home = results if name == "results" else results.rename(name)
        assert len(read_table(home / "one" / "known.parquet", SCORES)) == 1
        assert len(read_table(home / "two" / "experiments" / "suppression-values" / "records.parquet", SCORES)) == 1
        assert read_json(home / "two" / "experiments" / "suppression-values" / "summary.json")["counts"] == {"n": 1}


@pytest.mark.parametrize(
    ("source", "target", "what"),
    [
        ("two/known.parquet", "one/known.parquet", "is of two"),
        (
            "one/experiments/suppression-weights/records.parquet",
            "one/experiments/suppression-values/records.parquet",
            "is experiments/suppression-weights/records.parquet, a file of stage known",
        ),
        (
            "two/experiments/suppression-values/summary.json",
            "one/experiments/suppression-values/summary.json",
            "is the summary of model two, not of one",
        ),
        (
            "one/experiments/suppression-weights/summary.json",
            "one/experiments/suppression-values/summary.json",
            "is the summary of experiment suppression-weights, not of suppression-values",
        ),
    ],
)
def test_a_file_from_elsewhere_is_refused(source: str, target: str, what: str, results: Path) -> None:
    shutil.copy(results / source, results / target)
    with pytest.raises(UserError) as caught:
        read_json(results / target) if target.endswith("json") else read_table(results / target, SCORES)
    line = str(caught.value)
    assert line.startswith(f"{results / target}: {what}")
    assert f"snakemake --cores 1 --force {results / target}" in line


def test_a_table_of_another_version_of_its_input_is_refused(results: Path) -> None:
    write_json(results / "one" / "model" / "provenance.json", {"stage": "model-trained", "name": "a longer name"})
    with pytest.raises(UserError, match=r"made from another version of results/one/model"):
        read_table(results / "one" / "known.parquet", SCORES)
    assert len(read_table(results / "two" / "known.parquet", SCORES)) == 1


def edited(text: str) -> str:
    """A summary in which somebody changed a number."""
    content = json.loads(text)
    content["counts"]["n"] = 2
    return json.dumps(content)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda _: "{}", "experiment is missing or wrong"),
        (lambda _: "[]", "no JSON object"),
        (lambda text: text[:-9], "no JSON as a study stores it"),
        (lambda text: text.replace('"n": 1', '"n": NaN'), "NaN is no number of JSON"),
        (lambda text: text.replace('"n": 1', '"n": 1, "n": 1'), "an entry stands there twice"),
        (lambda text: text.replace('"suppression-values"', "3", 1), "experiment is missing or wrong"),
        (lambda _: "[" * 100_000, "nests too deeply"),
        (edited, "was changed after it was made"),
    ],
)
def test_a_summary_that_is_none_is_refused(change: Callable[[str], str], what: str, results: Path) -> None:
    path = results / "one" / "experiments" / "suppression-values" / "summary.json"
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=what) as caught:
        read_json(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("verdicts.json", {"verdicts": {}}),
        ("complexity.json", {"rows": []}),
        ("one/experiments/degeneracy/comparison.json", {"model": "one", "degeneracy": None}),
        ("one/experiments/fine-tuning-kn/training.json", {"subset": "kn", "minimum": 3, "new_facts": "many"}),
    ],
)
def test_files_of_a_wrong_shape_are_refused(name: str, content: dict[str, Any], results: Path) -> None:
    write_json(results / name, content)
    with pytest.raises(UserError, match="is missing or wrong"):
        read_json(results / name)


WITHOUT_THREADS = """
import resource, sys
from pathlib import Path
from dkn.storage import files, schemas
with open("/proc/self/statm") as file:
    size = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 4 * 2**20,) * 2)
try:
    print(len(files.read_table(Path(sys.argv[1]), schemas.SCORES)))
except MemoryError:
    print("no memory")
"""


def test_a_table_is_read_where_no_thread_can_be_started(results: Path, tmp_path: Path) -> None:
    """Pyarrow would wait for its threads for ever: a study under ``ulimit -v`` hung in silence."""
    path = [str(Path(entry).absolute()) for entry in sys.path if entry]
    command = [sys.executable, "-c", WITHOUT_THREADS, str(results / "one" / "known.parquet")]
    environment = {"PYTHONPATH": ":".join(path), "PATH": ""}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert ended.stdout.strip() in ("1", "no memory"), ended.stderr
