"""Integrated gradients of one shard of a model's facts."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from typer import Option

from dkn.attribution import Attribution, AttributionSettings, attribute
from dkn.cache import Entry, content_of
from dkn.commands._flags import (
    BatchFlag,
    DeviceFlag,
    DtypeFlag,
    FactsFlag,
    GpusFlag,
    KnownFlag,
    ModelFlag,
    OutputFlag,
    ThreadsFlag,
)
from dkn.commands._shared import encoded, open_model, study_facts
from dkn.encoding import batches
from dkn.io import TableWriter, atomic_file, read_row_groups
from dkn.language_models import devices_of
from dkn.memory import RowBudget
from dkn.progress import progress
from dkn.provenance import provenance
from dkn.tables import COMPLETENESS, SCORES

KEPT = ("scores.parquet", "completeness.parquet")  # the tables' names in the cache


def _scores(result: Attribution, floor: float) -> pd.DataFrame:
    """The positive scores above a fraction of the fact's largest."""
    largest = float(result.scores.max())
    layer, neuron = np.nonzero(result.scores.numpy() > max(floor * largest, 0.0))
    score = result.scores.numpy()[layer, neuron]
    return pd.DataFrame({"fact_id": result.fact_id, "layer": layer, "neuron": neuron, "score": score})


def _completeness(result: Attribution, tolerance: float) -> pd.DataFrame:
    token, layer = (part.ravel() for part in np.indices(result.change.shape))
    return pd.DataFrame(
        {
            "fact_id": result.fact_id,
            "token": token,
            "layer": layer,
            "prob": np.repeat(result.prob, result.change.shape[1]),
            "change": result.change.ravel(),
            "total": result.total.ravel(),
            "error": result.error.ravel(),
            "nodes": result.nodes.ravel(),
            "converged": result.error.ravel() <= tolerance,
        }
    )


class Parts:
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


def main(
    model: ModelFlag,
    facts: FactsFlag,
    known: KnownFlag,
    output: OutputFlag,
    completeness: Annotated[Path, Option(help="Second table to write: completeness per fact, token and layer.")],
    shard: Annotated[str, Option(help="Which part of the facts, as in 2-of-8.")],
    which: Annotated[str, Option(help="known, unknown or all facts.")],
    baseline: Annotated[str, Option(help="amig or zero.")],
    quadrature: Annotated[str, Option(help="adaptive, gauss-lobatto, gauss-legendre, midpoint or left-riemann.")],
    nodes: Annotated[int, Option(help="Nodes of the rule; of the first round for adaptive.")],
    tolerance: Annotated[float, Option(help="Completeness error that adaptive quadrature refines to.")],
    max_nodes: Annotated[int, Option(help="Node limit of adaptive quadrature.")],
    floor: Annotated[float, Option(help="Scores above this fraction of a fact's largest are stored.")],
    batch: BatchFlag = 8,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "float32",
    threads: ThreadsFlag = 1,
    gpus: GpusFlag = 1,
    cache: Annotated[
        Path | None, Option(envvar="DKN_CACHE", help="Folder of attributions to reuse and add to.")
    ] = None,
) -> None:
    """Attribute every fact of the shard; one Parquet row group per fact, so memory does not grow with the shard."""
    settings = AttributionSettings(baseline, quadrature, nodes, tolerance, max_nodes)
    index, count = (int(part) for part in shard.split("-of-"))
    chosen = study_facts(facts, known, which).sort_index().iloc[index - 1 :: count]
    stated = {**vars(settings), "floor": floor, "which": which, "shard": shard, "batch": batch, "dtype": dtype}
    record = provenance("attribution", stated, [model, facts, known])
    parts = Parts(output, record)
    entry = Entry(cache, content_of(record, model, chosen, devices_of(device, gpus)[0].type)) if cache else None
    kept = entry.find(*KEPT) if entry else None
    if kept:
        missed = parts.merge([kept], output, completeness)
        print(f"{len(chosen)} facts taken from the cache: {kept[0].parent}")
    else:
        language_model = open_model(model, device, dtype, threads, gpus)
        groups = list(batches(list(encoded(language_model, chosen).values()), batch))
        budget = RowBudget.for_model(language_model.adapter)
        for number, group in enumerate(progress(groups, f"attribution {shard}", unit="batch")):
            if not parts.done(number):
                results = attribute(language_model.adapter, group, language_model.mask_token, settings, budget)
                scores = [_scores(result, floor) for result in results]
                parts.write(number, scores, [_completeness(result, tolerance) for result in results])
        missed = parts.merge(map(parts.paths, range(len(groups))), output, completeness)
        if entry:
            entry.keep(dict(zip(KEPT, (output, completeness), strict=True)))
    print(f"{len(chosen)} facts attributed; completeness error above {tolerance:g} somewhere in {missed} of them")
