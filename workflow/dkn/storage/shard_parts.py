"""The finished batches of a shard of attributions, which let an interrupted job continue where it stopped.

A *shard* is the share of a model's facts that one job attributes.
"""

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
    """The finished batches of one shard, in a folder beside the shard's output.

    A job finds the batches of an earlier attempt whose code, settings and inputs were the same. Batches of any other
    attempt are deleted.

    Args:
        output: the path of the shard's scores.
        record: the shard's provenance.
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
        """Return the paths of a batch's two tables, scores and completeness."""
        return self.folder / f"{number}.scores.parquet", self.folder / f"{number}.completeness.parquet"

    def done(self, number: int) -> bool:
        """Tell whether a batch is finished."""
        # The second table is written last.
        return self.paths(number)[1].is_file()

    def write(self, number: int, scores: list[pd.DataFrame], checks: list[pd.DataFrame]) -> None:
        """Store one batch, with one row group per fact.

        Args:
            number: the batch's number.
            scores, checks: for each fact its rows of ``schemas.SCORES`` and of ``schemas.COMPLETENESS``.
        """
        for path, schema, frames in zip(self.paths(number), (SCORES, COMPLETENESS), (scores, checks), strict=True):
            with atomic_file(path) as temporary, TableWriter(temporary, schema, self.record) as table:
                for frame in frames:
                    table.append(frame)

    def merge(self, pairs: Iterable[Sequence[Path]], output: Path, completeness: Path) -> int:
        """Join tables into the shard's outputs, one row group at a time, and delete the folder of finished batches.

        Args:
            pairs: the paths of scores and completeness of each batch, or one pair with those of all facts.
            output, completeness: the paths of the shard's two tables.
        Returns:
            The number of facts that miss the tolerance at an answer token and layer.
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
