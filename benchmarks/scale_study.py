"""The stored tables of a synthetic study of any size, and the command of every stage that reads no model.

``scale.py`` runs this module in processes of its own, so that the memory of what it imports does not count:

    python benchmarks/scale_study.py make FOLDER FACTS MODELS
    python benchmarks/scale_study.py commands FOLDER FACTS MODELS

A study of ``BASE`` facts is made as the tests make theirs (`tests/integration/made_study.py`), and its rows are
repeated with new names of facts and subjects. What settings bound in the default study is bounded here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "workflow")]

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tests.integration import last_stages
from tests.integration.made_study import make_study
from tests.integration.scenarios import Scenario

from dkn.randomness import generator
from dkn.storage.files import METADATA_KEY
from dkn.storage.schemas import SCORES as SCORES_SCHEMA
from dkn.study.names import CLUSTERINGS, RANDOM, RANDOM_KN, TESTED_CONTROLS

BASE = 100  # facts; two of every subject
SCENARIO = Scenario(subjects=BASE // 2, relations=2, layers=8, neurons=96, size=46, known=0.9)
TOKENS_BY_LAYERS = 48  # rows of a fact's completeness: 1.5 answer tokens of 32 layers
SCORES = 213  # stored scores of a fact
RANDOM_DRAWS = 8
RESAMPLES, SHOWN = 2000, 200  # the default study's
GROUP_ROWS = 2**20  # of a row group, as pyarrow has it by default
# How many facts of BASE have records of an experiment (as many as in the default study), and of how many facts there
# are records at most (settings of the default study).
OF_BASE = {"suppression": 40, "enhancement": 40}
AT_MOST = {"ablation": 200, "sharing": 100}
COMPLEX = 200  # facts that are stated in their complex wording too
NEVER_REPEATED = ("fine-tuning", "overlap")  # on some 180 facts, whatever the study has
DRAWN = ("score", "log_prob_after")  # columns of records that get noise, so that few values are equal


def model_names(models: int) -> tuple[str, ...]:
    """Names of the study's models."""
    return tuple(f"model-{number}" for number in range(models))


def repeated(table: pa.Table, number: int, key: str) -> pa.Table:
    """Return a table under other names of facts and subjects, with noise of one per mille in ``DRAWN``."""
    if "wording" in table.column_names and number >= COMPLEX // BASE:
        table = table.filter(pc.not_equal(table["wording"], "complex"))
    for name in ("fact_id", "subject"):
        if name in table.column_names:
            texts = pc.binary_join_element_wise(pa.scalar(f"{number:06d}"), table[name], "~")
            table = table.set_column(table.column_names.index(name), table.schema.field(name), texts)
    for name in DRAWN if "log_prob_after" in table.column_names or "detector" in table.column_names else ():
        if name in table.column_names:
            noise = 1 + 1e-3 * generator(0, key, str(number)).standard_normal(len(table))
            values = pa.array(table[name].to_numpy() * noise)
            table = table.set_column(table.column_names.index(name), table.schema.field(name), values)
    return table


def write_repeated(path: Path, table: pa.Table, times: int) -> None:
    """Write a table so many times over, in row groups of the usual size; it does not say what it was made from."""
    record = {**json.loads(table.schema.metadata[METADATA_KEY]), "inputs": {}}
    table = table.replace_schema_metadata({METADATA_KEY: json.dumps(record)})
    per_group = max(1, GROUP_ROWS // max(1, len(table)))
    temporary = path.with_suffix(".new")
    with pq.ParquetWriter(temporary, table.schema, write_page_checksum=True) as writer:
        for start in range(0, times, per_group):
            numbers = range(start, min(times, start + per_group))
            parts = [repeated(table, number, path.as_posix()) for number in numbers]
            writer.write_table(pa.concat_tables(parts), row_group_size=GROUP_ROWS)
    temporary.replace(path)


def _as_in_a_study(name: str, table: pa.Table) -> pa.Table:
    """Return a table of the base study with as many rows as a real one has."""
    frame = table.to_pandas()
    if name.endswith(("knowledge_neurons.parquet", "distances.parquet")):
        frame = frame.sort_values("fact_id", kind="stable")
    elif name.endswith("completeness.parquet"):
        frame = pd.concat([frame.assign(layer=layer) for layer in range(TOKENS_BY_LAYERS)])
    elif "/fact-checking" in name:
        drawn = frame[frame["detector"].isin((RANDOM, RANDOM_KN)) & (frame["neurons"] == "relation")]
        frame = pd.concat([frame, *(drawn.assign(draw=draw) for draw in range(1, RANDOM_DRAWS))])
    else:
        experiment = Path(name).parent.name.partition("-")[0]
        if experiment not in OF_BASE:
            return table
        frame = frame[frame["fact_id"].isin([SCENARIO.ids.format(number) for number in range(OF_BASE[experiment])])]
    return pa.Table.from_pandas(frame, schema=table.schema, preserve_index=False)


def _times(name: str, facts: int) -> int:
    """Return how often the rows of a file are repeated."""
    experiment = Path(name).parent.name.partition("-")[0]
    if Path(name).parent.name.startswith(NEVER_REPEATED):
        return 1
    return min(facts, AT_MOST.get(experiment, facts)) // BASE


def write_scores(path: Path, neurons: pa.Table, times: int) -> None:
    """Write attribution scores: every knowledge neuron's, and lower ones of others."""
    frame, drawn = neurons.to_pandas(), np.random.default_rng(0)
    per_fact = []
    for fact_id, own in frame.groupby("fact_id"):
        rest = SCORES - len(own)
        others = {"fact_id": fact_id, "layer": 0, "neuron": np.arange(rest) + SCENARIO.neurons}
        lower = pd.DataFrame({**others, "score": drawn.uniform(0.05, 0.19, rest) * own["score"].max()})
        per_fact.append(pd.concat([own.drop(columns="place"), lower]))
    schema = SCORES_SCHEMA.with_metadata(neurons.schema.metadata)
    write_repeated(path, pa.Table.from_pandas(pd.concat(per_fact), schema=schema, preserve_index=False), times)


def make(folder: Path, facts: int, models: int) -> None:
    """Write the tables of a study whose models were never run."""
    make_study(folder, Scenario(**{**vars(SCENARIO), "models": model_names(models)}))
    for path in sorted(folder.rglob("*.parquet")):
        name = path.relative_to(folder).as_posix()
        times = _times(name, facts)
        table = _as_in_a_study(name, pq.read_table(path))
        write_repeated(path, table, times)
        if path.name == "knowledge_neurons.parquet":
            write_scores(path.parent / "attribution" / "1-of-1.parquet", table, times)


def _recorded(run: Callable[[], None]) -> Iterator[list[str]]:
    """Yield the stages that a function runs, as arguments of ``python -m dkn``, without running them."""
    commands: list[list[str]] = []

    def stage(name: str, *others: str, **values: object) -> None:
        values |= {"resamples": RESAMPLES} if "resamples" in values else {}
        values |= {"sample": SHOWN} if "sample" in values else {}
        flags = [part for flag, value in values.items() for part in (f"--{flag.replace('_', '-')}", str(value))]
        commands.append([name, *flags, *others])

    with patch.object(last_stages, "stage", stage):
        run()
    yield from commands


def _structure(folder: Path) -> Iterator[list[str]]:
    """Yield the stages of one model between attribution and the functional test that read no model."""
    new, tables = folder / "again", ["--neurons", f"{folder}/knowledge_neurons.parquet"]
    tables += ["--distances", f"{folder}/distances.parquet"]
    ntc = ["--persistence", "difference", "--tau1", "0.02", "--quantile", "0.5", "--min-size", "2", "--dimension", "1"]
    scores = ["--scores", f"{folder}/attribution/1-of-1.parquet", "--fraction", "0.2"]
    yield ["knowledge-neurons", *scores, "--output", f"{new}/knowledge_neurons.parquet"]
    yield ["candidates-ntc", *tables, *ntc, "--output", f"{new}/ntc.parquet", "--diagrams", f"{new}/diagrams.parquet"]
    methods = [part for name in CLUSTERINGS for part in ("--method", name, "--output", f"{new}/{name}.parquet")]
    samples = ["--dbscan-min-samples", "2", "--hdbscan-min-samples", "2", "--min-size", "2", "--max-groups", "8"]
    yield ["candidates-groupings", *methods, *tables, *samples, "--variance", "0.9", "--restarts", "2", "--seed", "0"]
    controls = [part for name in TESTED_CONTROLS for part in ("--control", name, "--output", f"{new}/{name}.parquet")]
    drawn = [*tables[:2], "--candidates", f"{folder}/candidates/ntc.parquet", "--repeats", "2", "--seed", "0"]
    yield ["candidates-random", *controls, *drawn]


def commands(folder: Path, models: int) -> list[list[str]]:
    """Return the stages of a study that read no model, in their order, as arguments of ``python -m dkn``."""
    names = model_names(models)
    structure = [command for name in names for command in _structure(folder / name)]
    return [*structure, *_recorded(lambda: last_stages.finish_study(folder, names, None))]


def main() -> None:
    """Make a study, or print its commands as JSON."""
    what, folder, facts, models = sys.argv[1:]
    if what == "make":
        make(Path(folder), int(facts), int(models))
    else:
        print(json.dumps(commands(Path(folder), int(models))))


if __name__ == "__main__":
    main()
