"""The table of what jobs took beside what they asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import memory

    return memory


def jobs(folder: Path, *peaks: tuple[str, float, float]) -> list[tuple[str, Path, float]]:
    """Benchmark files of a model's jobs; a job is its file's name, its peak in MiB and the MB that it asked for."""
    found = []
    for name, mebibytes, asked in peaks:
        path = folder / "benchmarks" / "gpt2" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\tmax_vms\n12.0\t0:00:12\t{mebibytes}\t9999\n")
        found.append(("gpt2", path, asked))
    return found


def test_the_shard_of_the_highest_peak_stands_for_its_job(memory: Any, tmp_path: Path) -> None:
    shards = (("attribution/1-of-2", 1000, 4000), ("attribution/2-of-2", 900, 4000))
    lines, enough = memory.table(jobs(tmp_path, ("known", 500, 4000), *shards))
    assert lines[2:] == ["| gpt2 | attribution | 1,049 | 4,000 | 0.26 |", "| gpt2 | known | 524 | 4,000 | 0.13 |"]
    assert enough


def test_a_job_that_took_more_than_it_asked_for_is_told(memory: Any, tmp_path: Path) -> None:
    lines, enough = memory.table(jobs(tmp_path, ("known", 500, 4000), ("components", 4000, 4000)))
    assert lines[2] == "| gpt2 | components | 4,194 | 4,000 | 1.05 |"
    assert not enough
