"""Reading parts of stored tables, so that memory does not grow with what a stage does not need.

Every part is compared with the table's schema and with what the table says of itself, as ``read_table`` does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from dkn.storage.files import read_table, row_groups

PART = 2**20  # rows


def _frame(parts: Sequence[pa.Table], schema: pa.Schema, columns: Sequence[str]) -> pd.DataFrame:
    empty = schema.empty_table().select(columns)
    return pa.concat_tables([table.replace_schema_metadata() for table in (empty, *parts)]).to_pandas(use_threads=False)


def read_distinct(path: Path, schema: pa.Schema, columns: Sequence[str]) -> pd.DataFrame:
    """Read the different rows that a table has in some columns, in the order in which they first stand there.

    Raises:
        UserError: as ``read_table`` raises it.
    """
    parts = [_frame([group], schema, columns).drop_duplicates() for group in row_groups(path, schema, columns)]
    return pd.concat([_frame([], schema, columns), *parts]).drop_duplicates(ignore_index=True)


def read_facts(
    path: Path, schema: pa.Schema, fact_ids: Collection[str], columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read the rows of some facts.

    Args:
        path: the file of a table with a column fact_id.
        schema: the schema of the whole table.
        fact_ids: the facts; one without rows is no error.
        columns: the columns to read, fact_id among them; None reads all.
    Raises:
        UserError: as ``read_table`` raises it.
    """
    wanted = pa.array(sorted(fact_ids), schema.field("fact_id").type)
    parts = [
        # A copy, since the rows that are left would hold the memory of the row group.
        group.filter(pc.is_in(group["fact_id"], value_set=wanted)).combine_chunks()
        for group in row_groups(path, schema, columns)
    ]
    return _frame(parts, schema, list(columns or schema.names))


def whole_facts(path: Path, schema: pa.Schema, rows: int = PART) -> Iterator[pd.DataFrame]:
    """Yield a table in parts that hold all rows of their facts, so that memory does not grow with the number of facts.

    Args:
        path: the file of a table in which the rows of a fact follow each other.
        schema: its schema.
        rows: how many rows a part has at least; the last one has what is left, and of an empty table it is empty.
    Raises:
        UserError: as ``read_table`` raises it.
    """
    gathered: list[pa.Table] = []
    for group in row_groups(path, schema):
        gathered.append(group)
        if sum(map(len, gathered)) < rows:
            continue
        frame = _frame(gathered, schema, schema.names)
        unfinished = int((frame["fact_id"] != frame["fact_id"].iloc[-1]).to_numpy().nonzero()[0].max(initial=-1)) + 1
        if unfinished:
            yield frame.iloc[:unfinished]
        gathered = [pa.concat_tables(gathered).slice(unfinished)]
    yield _frame(gathered, schema, schema.names)


class ReadOnDemand(Mapping[str, pd.DataFrame]):
    """Tables by name of which each is read when it is asked for, and not kept.

    Args:
        files: the files of the tables.
        schema: their schema.
        columns: the columns to read; None reads all.
    """

    def __init__(self, files: Mapping[str, Path], schema: pa.Schema, columns: Sequence[str] | None = None):
        self._files, self._schema, self._columns = files, schema, columns

    def __getitem__(self, name: str) -> pd.DataFrame:
        return read_table(self._files[name], self._schema, self._columns)

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)
