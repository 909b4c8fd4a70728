"""What a made-up study has, and the stages and writers that make its files (``made_study``)."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import typer

from dkn.flags import command
from dkn.randomness import generator
from dkn.stages import stage_module
from dkn.storage.files import write_table
from dkn.storage.provenance import provenance


@dataclass(frozen=True)
class Scenario:
    """What the study has.

    Attributes:
        models: their names.
        subjects, dates, relations: how many there are; a fact is a subject's, at a date or at none, of a relation.
        splits: the splits of the subjects, in turn.
        answers: how many different answers a relation has.
        script: a key of ``made_study.WORDINGS``.
        ids: how a fact's id is written, from its number.
        known: the share of the facts that the models know.
        attributed: whether known facts have knowledge neurons.
        layers, neurons: how many layers, and neurons in each, the models have.
        size: how many knowledge neurons a fact has.
        linked: whether knowledge neurons lie in adjacent layers, so that their distances are finite.
        tau1: NTC's threshold.
        recovery: the recoveries of all components; None draws them.
        minimum: the fewest new facts with which fine-tuning is run.
        example: the fact of the figures ``persistence`` and ``kn_graph``.
        last: what is different in the last model.
    """

    models: tuple[str, ...] = ("one",)
    subjects: int = 12
    dates: int = 0
    relations: int = 2
    splits: tuple[str, ...] = ("train", "test")
    answers: int = 6
    script: str = "latin"
    ids: str = "fact-{}"
    known: float = 1.0
    attributed: bool = True
    layers: int = 4
    neurons: int = 30
    size: int = 12
    linked: bool = True
    tau1: float = 0.02
    recovery: float | None = None
    minimum: int = 4
    example: int | None = None
    last: Mapping[str, Any] = field(default_factory=dict)

    def of_model(self, name: str) -> Scenario:
        """The scenario of one model."""
        return replace(self, **self.last) if name == self.models[-1] else self


def draw(*key: object) -> np.random.Generator:
    """The generator of one purpose."""
    return generator(0, "made", "/".join(map(str, key)))


def write(path: Path, rows: pd.DataFrame, schema: pa.Schema, stage: str, **settings: object) -> None:
    """Write a table; where there are no rows, they may lack the columns."""
    frame = rows if len(rows) else schema.empty_table().to_pandas()
    write_table(path, frame[schema.names], schema, provenance(stage, settings, []))


def write_records(
    folder: Path, name: str, stage: str, rows: Any, frame: pd.DataFrame, schema: pa.Schema, settings: object
) -> None:
    """Write the records of an experiment, with the subject and the relation of their facts."""
    records = pd.DataFrame(rows)
    records = records.join(frame[["subject", "relation"]], on="fact_id") if len(records) else records
    write(folder / "experiments" / f"{name}.parquet", records, schema, f"experiment-{stage}", **vars(settings))


@functools.cache
def _app(name: str) -> typer.Typer:
    """The command line of one stage, without the search for it among all stages."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command(importlib.import_module(stage_module(name)).main))
    return app


def stage(name: str, *repeated: str, **values: object) -> None:
    """Run a stage, which must end well; ``repeated`` are further arguments, for flags that occur again."""
    arguments = [part for flag, value in values.items() for part in (f"--{flag.replace('_', '-')}", str(value))]
    _app(name)([*arguments, *repeated], prog_name=name, standalone_mode=False)
