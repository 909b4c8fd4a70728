"""What a shard of attributions has finished, kept batch by batch, so that a run that was cut short goes on."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dkn.storage.files import TableWriter, atomic_file, read_row_groups
from dkn.storage.schemas import COMPLETENESS, SCORES


class ShardParts:
    """What a shard has finished, batch by batch, in a folder beside its output.

    A run that was cut short goes on from there, if code, settings and inputs are the same; others' parts are removed.
    """

    def __init__(self, output: Path, record: dict[str, Any]):
        self.record = record
        self.home = output.parent / f".{output.name}.parts"
        key = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]
        self.folder = self.home / key
        for other in self.home.glob("*"):
            if other != self.folder:
                shutil.rmtree(other)

    def paths(self, number: int) -> tuple[Path, Path]:
        """The two tables of a batch."""
        return self.folder / f"{number}.scores.parquet", self.folder / f"{number}.completeness.parquet"

    def done(self, number: int) -> bool:
        """Whether a batch is finished; its second table is written last."""
        return self.paths(number)[1].is_file()

    def write(self, number: int, scores: list[pd.DataFrame], checks: list[pd.DataFrame]) -> None:
        """Store one batch, one row group per fact."""
        for path, schema, frames in zip(self.paths(number), (SCORES, COMPLETENESS), (scores, checks), strict=True):
            with atomic_file(path) as temporary, TableWriter(temporary, schema, self.record) as table:
                for frame in frames:
                    table.append(frame)

    def merge(self, pairs: Iterable[Sequence[Path]], output: Path, completeness: Path) -> int:
        """Join pairs of tables, a row group at a time, and remove all parts.

        Args:
            pairs: scores and completeness of each batch, or of all facts.
        Returns:
            How many facts missed the tolerance somewhere.
        """
        missed = 0
        with (
            atomic_file(output) as scores_path,
            atomic_file(completeness) as checks_path,
            TableWriter(scores_path, SCORES, self.record) as scores,
            TableWriter(checks_path, COMPLETENESS, self.record) as checks,
        ):
            for pair in pairs:
                for path, table in zip(pair, (scores, checks), strict=True):
                    for group in read_row_groups(path):
                        table.append(group)
                        missed += "converged" in group and not group["converged"].all()
        shutil.rmtree(self.home, ignore_errors=True)
        return missed
