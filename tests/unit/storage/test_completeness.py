"""The completeness of all shards of a model, and which facts converged."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dkn.storage.completeness import completeness_files, converged_facts, read_completeness
from dkn.storage.files import write_table
from dkn.storage.schemas import COMPLETENESS

MADE = {"layer": 0, "prob": 0.5, "change": 0.4, "total": 0.4, "error": 0.0, "nodes": 3}


def test_a_fact_converges_where_all_its_paths_do(tmp_path: Path) -> None:
    shards = [[("a", True), ("a", False), ("b", True)], [("c", True), ("c", True)], []]
    files = completeness_files(tmp_path, len(shards))
    for path, rows in zip(files, shards, strict=True):
        frame = pd.DataFrame(rows, columns=["fact_id", "converged"]).assign(token=0, **MADE)
        write_table(path, frame[COMPLETENESS.names], COMPLETENESS, {})
    found = read_completeness(files)
    assert found["fact_id"].tolist() == ["a", "a", "b", "c", "c"]
    assert converged_facts(found) == 2
    assert converged_facts(read_completeness(files[2:])) == 0
