"""Benchmark files of jobs: the seconds are read, and a file that does not say them counts as none."""

from __future__ import annotations

from pathlib import Path

import pytest

from dkn.run.benchmarks import job_seconds


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (b"s\th:m:s\n1.5\t0:00:01\n", 1.5),
        (b"s\th:m:s\n1.5\t0:00:01\n2\t0:00:02\n", 3.5),
        (b"s\th:m:s\n", None),
        (b"", None),
        (b"h:m:s\n0:00:01\n", None),
        (b"s\n-\n", None),
        (b"s\nnan\n", None),
        (b"s\ninf\n", None),
        (b"s\n-1\n", None),
        (b"s\n\xff\n", None),
        (b"s\n\x00\n", None),
    ],
)
def test_seconds_are_read_or_there_are_none(content: bytes, seconds: float | None, tmp_path: Path) -> None:
    path = tmp_path / "job.tsv"
    path.write_bytes(content)
    assert job_seconds(path) == seconds


def test_a_missing_file_says_nothing(tmp_path: Path) -> None:
    assert job_seconds(tmp_path / "job.tsv") is None
