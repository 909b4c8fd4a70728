"""The completeness of a model's attribution, which is stored in one table per shard of its facts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from dkn.storage.files import read_table
from dkn.storage.parts import read_distinct
from dkn.storage.schemas import COMPLETENESS


def completeness_files(folder: Path, shards: int) -> list[Path]:
    """Return where the tables of all shards lie.

    Args:
        folder: the folder with the results of the model.
        shards: the number of attribution jobs.
    """
    return [folder / "attribution" / f"{shard}-of-{shards}.completeness.parquet" for shard in range(1, shards + 1)]


def read_completeness(files: Iterable[Path]) -> pd.DataFrame:
    """Return the tables of all shards as one, with the columns of ``schemas.COMPLETENESS``."""
    return pd.concat([read_table(path, COMPLETENESS) for path in files], ignore_index=True)


def read_converged(files: Iterable[Path]) -> pd.DataFrame:
    """Return what ``converged_facts`` needs of the tables of all shards: each fact with whether paths converged."""
    needed = ["fact_id", "converged"]
    return pd.concat([read_distinct(path, COMPLETENESS, needed) for path in files], ignore_index=True)


def converged_facts(completeness: pd.DataFrame) -> int:
    """Return how many facts have an attribution that converged: at every answer token and layer.

    Args:
        completeness: the columns fact_id and converged.
    """
    return int(completeness.groupby("fact_id")["converged"].all().sum())
