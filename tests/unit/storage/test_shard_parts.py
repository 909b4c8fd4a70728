"""Batches of a shard: what counts as finished, what is computed again, and what a second job takes over."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from dkn.storage import writing
from dkn.storage.files import read_table
from dkn.storage.schemas import COMPLETENESS, SCORES
from dkn.storage.shard_parts import ShardParts, shard_parts

RECORD = {"stage": "attribution", "settings": {"nodes": 3}}


def rows(fact: str, converged: bool = True) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The scores and the completeness of a fact."""
    scores = pd.DataFrame({"fact_id": [fact], "layer": [0], "neuron": [1], "score": [0.5]})
    numbers = dict.fromkeys(("prob", "change", "total", "error"), 0.5)
    checks = {"fact_id": fact, "token": 0, "layer": 0, **numbers, "nodes": 3, "converged": converged}
    return scores, pd.DataFrame([checks])


def write(parts: ShardParts, number: int, *facts: str) -> None:
    """Store a batch."""
    scores, checks = zip(*map(rows, facts), strict=True)
    parts.write(number, list(scores), list(checks))


def names(folder: Path) -> tuple[Path, Path]:
    """The paths of the shard's two tables."""
    return folder / "1-of-2.parquet", folder / "1-of-2.completeness.parquet"


def test_finished_batches_outlive_a_job_and_make_the_shard(tmp_path: Path) -> None:
    with shard_parts(*names(tmp_path), RECORD) as parts:
        write(parts, 0, "a", "b")
        write(parts, 1, "c")
    with shard_parts(*names(tmp_path), RECORD) as parts:
        assert parts.done(0, ["a", "b"])
        assert not parts.done(2, ["d"])
        assert parts.finished_elsewhere() is None
        assert parts.merge(map(parts.paths, range(2))) == 0
    assert read_table(names(tmp_path)[0], SCORES)["fact_id"].tolist() == ["a", "b", "c"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in names(tmp_path))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [truncate, flip, Path.unlink])
@pytest.mark.parametrize("which", ["0.scores.parquet", "0.completeness.parquet", "0.json"])
def test_a_damaged_batch_is_computed_again(
    which: str, harm: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with shard_parts(*names(tmp_path), RECORD) as parts:
        write(parts, 0, "a")
        harm(parts.folder / which)
        assert not parts.done(0, ["a"])
        assert which == "0.json" or "batch 0 of an earlier job is damaged" in capsys.readouterr().out
        write(parts, 0, "a")
        assert parts.done(0, ["a"])


def test_a_batch_of_other_facts_or_of_another_attempt_is_none(tmp_path: Path) -> None:
    with shard_parts(*names(tmp_path), RECORD) as parts:
        write(parts, 0, "a")
        write(parts, 1, "b")
        for path in parts.folder.glob("0.*"):
            shutil.copy(path, parts.folder / path.name.replace("0.", "1.", 1))
        assert not parts.done(1, ["b"])
        old = parts.folder
    with shard_parts(*names(tmp_path), {**RECORD, "settings": {"nodes": 5}}) as parts:
        assert not old.exists()
        assert not parts.done(0, ["a"])


@pytest.mark.parametrize("whole", [True, False], ids=["finished", "cut short"])
def test_a_second_job_waits_and_takes_over(
    whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The orphan of a killed Snakemake goes on while the same study is started again."""
    monkeypatch.setattr(writing, "SECONDS", 0.01)
    begun, go_on = threading.Event(), threading.Event()

    def orphan() -> None:
        with shard_parts(*names(tmp_path), RECORD) as parts:
            write(parts, 0, "a")
            begun.set()
            go_on.wait(20)
            if whole:
                parts.merge([parts.paths(0)])

    thread = threading.Thread(target=orphan)
    thread.start()
    begun.wait(20)
    threading.Thread(target=lambda: (time.sleep(0.2), go_on.set())).start()
    with shard_parts(*names(tmp_path), RECORD) as parts:
        assert "waiting: process" in capsys.readouterr().out
        assert parts.finished_elsewhere() == (0 if whole else None)
        assert parts.done(0, ["a"]) is not whole
    thread.join()
    assert not whole or len(read_table(names(tmp_path)[1], COMPLETENESS)) == 1
