"""Keyed random streams: the same everywhere, and unrelated between purposes and keys."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dkn.randomness import generator

WORKFLOW = Path(__file__).parents[2] / "workflow"


def draw(seed: int, purpose: str, key: str = "") -> list[int]:
    """The first numbers of a stream."""
    return generator(seed, purpose, key).integers(2**32, size=6).tolist()


def test_the_same_key_gives_the_same_stream() -> None:
    assert draw(3, "split", "Paris") == draw(3, "split", "Paris")
    assert draw(3, "split") == draw(3, "split", "")


@pytest.mark.parametrize(
    "other",
    [(4, "split", "Paris"), (3, "epochs", "Paris"), (3, "split", "Rome"), (3, "split", ""), (3, "splitP", "aris")],
)
def test_another_seed_purpose_or_key_gives_another_stream(other: tuple[int, str, str]) -> None:
    assert not set(draw(3, "split", "Paris")) & set(draw(*other))


def test_a_stream_does_not_depend_on_what_was_drawn_before() -> None:
    expected = draw(0, "split", "b")
    generator(0, "split", "a").random(100)
    np.random.default_rng(1).random(7)
    assert draw(0, "split", "b") == expected


def test_streams_of_many_keys_are_uniform_and_distinct() -> None:
    first = np.array([generator(0, "split", f"subject {number}").random() for number in range(2000)])
    assert len(set(first)) == len(first)
    counts, _ = np.histogram(first, bins=10, range=(0, 1))
    assert counts.min() > 140
    assert counts.max() < 260


def test_the_stream_is_the_same_in_every_process() -> None:
    code = (
        "from dkn.randomness import generator; print(generator(3, 'split', 'Zürich').integers(2**32, size=6).tolist())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(WORKFLOW), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {str(draw(3, "split", "Zürich"))}


def test_the_stream_is_pinned() -> None:
    """Stored splits and shuffles stay what they are: a change of the keys must be a decision."""
    assert draw(0, "split", "Paris")[:2] == [3351189180, 1453520705]
