"""The finished batches of a shard of attributions, which let an interrupted job continue where it stopped.

A *shard* is the share of a model's facts that one job attributes. One living job at a time owns the folder of its
batches. When Snakemake is killed, a job may outlive it; a second job for the same shard then waits for the first one,
and takes over what that has finished, be it batches or the whole shard.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dkn.errors import UserError
from dkn.storage.artefacts import with_place
from dkn.storage.files import METADATA_KEY, TableWriter, atomic_file, read_json, read_row_groups, read_table, write_json
from dkn.storage.provenance import sha256
from dkn.storage.schemas import COMPLETENESS, SCORES
from dkn.storage.writing import owned, sweep


@contextmanager
def shard_parts(output: Path, completeness: Path, record: dict[str, Any]) -> Iterator[ShardParts]:
    """Own the finished batches of one shard within the block; wait for a living job that owns them, and say so.

    Args:
        output, completeness: the paths of the shard's two tables.
        record: the shard's provenance.
    Raises:
        UserError: the folder beside the output cannot be made.
    """

    def waiting(owner: str) -> None:
        print(f"waiting: {owner} is computing this shard, left by an earlier run; its work is taken over", flush=True)

    home = output.parent / f".{output.name}.parts"
    with owned(home, waiting) as waited:
        yield ShardParts(home, output, completeness, record, waited)


class ShardParts:
    """The finished batches of one shard, in a folder beside the shard's output, which this process owns.

    A job finds the batches of an earlier attempt whose code, settings and inputs were the same. Batches of any other
    attempt are deleted.

    Args:
        home: the folder of the shard's batches.
        output, completeness: the paths of the shard's two tables.
        record: the shard's provenance.
        waited: whether another job owned the folder when this one came.
    """

    def __init__(self, home: Path, output: Path, completeness: Path, record: dict[str, Any], waited: bool):
        self.home, self.record, self.waited = home, record, waited
        self.outputs = (output, completeness)
        self.key = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]
        self.folder = home / self.key
        for path in self.outputs:
            sweep(path)
        for other in self.home.iterdir():
            if other.is_dir() and other != self.folder:
                shutil.rmtree(other)

    def paths(self, number: int) -> tuple[Path, Path]:
        """Return the paths of a batch's two tables, scores and completeness."""
        return self.folder / f"{number}.scores.parquet", self.folder / f"{number}.completeness.parquet"

    def _stated(self, number: int, facts: Sequence[str]) -> dict[str, Any]:
        """Return what a finished batch states of itself: attempt, facts, and the sizes and checksums of its tables."""
        tables = {path.name: [path.stat().st_size, sha256(path)] for path in self.paths(number)}
        return {"attempt": self.key, "facts": list(facts), "tables": tables}

    def done(self, number: int, facts: Sequence[str]) -> bool:
        """Tell whether a batch is finished; one that is damaged, or of other facts, is deleted, and a line says so.

        Args:
            facts: the ids of the batch's facts.
        """
        statement = self.folder / f"{number}.json"
        if not statement.is_file():
            return False
        try:
            whole = read_json(statement) == self._stated(number, facts)
        except (OSError, UserError):
            whole = False
        if not whole:
            print(f"batch {number} of an earlier job is damaged or of other facts: it is computed again")
            for path in (statement, *self.paths(number)):
                path.unlink(missing_ok=True)
        return whole

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
        # What makes the batch a finished one is written last.
        facts = [str(frame["fact_id"].iloc[0]) for frame in checks]
        write_json(self.folder / f"{number}.json", self._stated(number, facts))

    def finished_elsewhere(self) -> int | None:
        """Return what ``merge`` returned to the job that this one waited for, or None where it left no such tables."""
        if not self.waited:
            return None
        try:
            stored = [json.loads(pq.read_schema(path).metadata[METADATA_KEY]) for path in self.outputs]
            if stored != [with_place(self.record, path) for path in self.outputs]:
                return None
            _, checks = (
                read_table(path, schema) for path, schema in zip(self.outputs, (SCORES, COMPLETENESS), strict=True)
            )
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException, UserError):
            return None
        shutil.rmtree(self.home, ignore_errors=True)
        return int((~checks.groupby("fact_id")["converged"].all()).sum())

    def merge(self, pairs: Iterable[Sequence[Path]]) -> int:
        """Join tables into the shard's outputs, one row group at a time, and delete the folder of finished batches.

        Args:
            pairs: the paths of scores and completeness of each batch, or one pair with those of all facts.
        Returns:
            The number of facts that miss the tolerance at an answer token and layer.
        Raises:
            UserError: a table was damaged after it was written.
        """
        missed = 0
        output, completeness = self.outputs
        with (
            atomic_file(output) as scores_path,
            atomic_file(completeness) as checks_path,
            TableWriter(scores_path, SCORES, self.record, output) as scores,
            TableWriter(checks_path, COMPLETENESS, self.record, completeness) as checks,
        ):
            for pair in pairs:
                for path, table in zip(pair, (scores, checks), strict=True):
                    for group in _row_groups(path):
                        table.append(group)
                        missed += "converged" in group and not group["converged"].all()
        shutil.rmtree(self.home, ignore_errors=True)
        return missed


def _row_groups(path: Path) -> Iterator[pd.DataFrame]:
    """Yield a table's row groups; raise UserError where the table is damaged."""
    try:
        yield from read_row_groups(path)
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{path}: no whole table ({' '.join(str(error).split())[:120]}); run it again") from None
