"""Every schema of a stored table."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from dkn.storage import schemas as tables
from dkn.storage.files import (
    read_table,
    write_table,
)


@pytest.mark.parametrize("name", [name for name, value in vars(tables).items() if isinstance(value, pa.Schema)])
def test_every_schema_can_be_stored(name: str, tmp_path: Path) -> None:
    schema = getattr(tables, name)
    write_table(tmp_path / "table.parquet", schema.empty_table().to_pandas(), schema, {})
    assert read_table(tmp_path / "table.parquet", schema).columns.tolist() == schema.names
    lifetimes = {"birth", "death", "persistence"}  # not every grouping gives its components any
    optional = {
        "FACTS": {"date"},
        "CANDIDATES": lifetimes,
        "COMPONENTS": {*lifetimes, "recovery"},
        "SENSITIVITY": {"test", "tau2", "drop_gap", "nats_gap", "control_drop_gap", "control_nats_gap"},
    }
    assert {field.name for field in schema if field.nullable} == optional.get(name, set())
