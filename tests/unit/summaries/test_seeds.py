"""Combinations over seeds as they are stored: as summaries of one model, and as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dkn.paper.claims import PRIMARY
from dkn.paper.seeds import combined
from dkn.paper.verdicts import CONTRADICTED, NOT_RUN, SUPPORTED, TOO_FEW, Thresholds, verdicts
from dkn.storage.files import write_json
from dkn.summaries.seeds import over_seeds, table
from tests.unit.seed_rows import Summaries, models, simulated

METRICS = ("drop", "accuracy", "balanced_accuracy", "auroc", "f1", "share")
THRESHOLDS = Thresholds(alpha=0.05, margins=dict.fromkeys(METRICS, 0.05), minimum_subjects=10)
NAME = "nano, over seeds"


def stored(folder: Path, seeds: dict[str, Summaries]) -> Path:
    """seeds.json of an entry with these models."""
    rows = combined("nano", seeds, 0.95, 10)
    write_json(folder / "seeds.json", {"entries": {NAME: list(seeds)}, "rows": rows})
    return folder / "seeds.json"


def judged(path: Path) -> list[dict[str, Any]]:
    """The verdicts over seeds."""
    return verdicts(over_seeds(path)[1][NAME], THRESHOLDS)


def test_a_planted_effect_in_all_seeds_is_supported_over_seeds(tmp_path: Path) -> None:
    found = judged(stored(tmp_path, models([0.30, 0.28, 0.33, 0.25, 0.31])))
    assert {row["verdict"] for row in found} == {SUPPORTED}


def test_an_effect_in_some_seeds_alone_is_not_supported_over_seeds(tmp_path: Path) -> None:
    """Each seed's own interval may be narrow: what counts is that they disagree."""
    found = judged(stored(tmp_path, models([0.6, 0.0, -0.1, 0.7, 0.05], error=0.001)))
    assert SUPPORTED not in {row["verdict"] for row in found}


@pytest.mark.parametrize("spread", [0.0, 0.2], ids=["seeds alike", "seeds that differ"])
def test_of_null_studies_few_have_anything_wrong_over_seeds(spread: float, tmp_path: Path) -> None:
    """Over all claims of the primary reading, which are a family; reaching a margin is no wrong there."""
    draw, studies, wrong = np.random.default_rng(0), 60, 0
    for _ in range(studies):
        found = judged(stored(tmp_path, simulated(draw, 0.0, spread)))
        pieces = [piece for row in found if row["reading"] == PRIMARY for piece in row["evidence"]]
        outcomes = {piece["outcome"] for piece in pieces if not piece["reached_is_enough"]}
        wrong += bool(outcomes & {SUPPORTED, CONTRADICTED})
    assert wrong / studies <= 0.05 + 2 * (0.05 * 0.95 / studies) ** 0.5


def test_the_combinations_stand_where_a_models_summaries_have_them(tmp_path: Path) -> None:
    together, summaries = over_seeds(stored(tmp_path, models([0.1, 0.2])))
    assert together == {"nano": NAME, "nano-s1": NAME}
    estimates = summaries[NAME]["suppression-values"]["estimates"]
    assert estimates[0]["mean"] == pytest.approx(0.15)
    assert estimates[0]["neuron_set"] == "dkn"
    assert (estimates[0]["replicates"], estimates[0]["models"]) == (2, 2)


def test_a_study_without_seeds_has_none(tmp_path: Path) -> None:
    assert over_seeds(None) == ({}, {})
    alone = stored(tmp_path, models([0.1]))
    together, summaries = over_seeds(alone)
    assert together == {"nano": NAME}
    assert not any(row for content in summaries[NAME].values() for row in content.values()), "one is no combination"


def test_what_was_not_run_or_has_too_few_facts_is_told_apart(tmp_path: Path) -> None:
    seeds = models([0.1, 0.2])
    for content in seeds.values():
        content["suppression-values"]["contrasts"].clear()
        del content["overlap-fine-tuning"]
    found = {row["claim"]: row["verdict"] for row in judged(stored(tmp_path, seeds)) if row["reading"] == PRIMARY}
    assert (found["C3"], found["C6"]) == (TOO_FEW, NOT_RUN)


def test_the_table_has_every_seed_and_their_combination() -> None:
    rows = combined("nano", models([0.1, 0.2, 0.3]), 0.95, 10)
    frame = table(rows)
    assert len(frame) == 4 * len(rows)
    assert list(frame["model"][:4]) == ["nano", "nano-s1", "nano-s2", NAME]
    assert list(frame["value"][:4]) == pytest.approx([0.1, 0.2, 0.3, 0.2])
    assert frame["tau"].notna().sum() == frame["replicates"].notna().sum() == len(rows)
    assert table([]).empty
