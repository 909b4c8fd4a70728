"""The example: one fact of the study, which several figures show, with its stored records in each model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import pandas as pd
import pyarrow as pa
from typer import Option

from dkn.errors import UserError
from dkn.figures.style import FAILED, LOOKS
from dkn.plain_text import isolated
from dkn.storage.files import read_table
from dkn.storage.parts import read_distinct, read_facts
from dkn.storage.schemas import COMPONENTS, DISTANCES, FACTS, KNOWLEDGE_NEURONS, KNOWN
from dkn.structure.dendrogram import Dendrogram, dendrogram, matrix_of_pairs
from dkn.study.names import DKN
from dkn.summaries.wording import bullets

# The kinds of components in the order in which legends list them, with their words and colours.
KINDS = {
    "bdc": ("base degenerate component", LOOKS[DKN].colour),
    "candidate": ("component, failed the functional test", FAILED),
    "other": ("component, not chosen", "0.7"),
}
LEAST_LOSS = 0.5  # of Prob, without all knowledge neurons of the example
CHOOSE_FROM = ["fact_id", "kept", "prob_intact", "prob_all_suppressed"]  # the columns of components that choose it


@dataclass(frozen=True)
class Example:
    """One fact in one model.

    Attributes:
        model: the name of the model.
        fact: the prompt with the model's answer.
        neurons: the fact's knowledge neurons in the order of their places, with columns layer, neuron and score.
        distances: the pairs of its neurons at a finite distance, with columns first, second and distance.
        components: its tested components, with columns places, birth and kept.
        quantile: the quantile of its finite distances at which the filtration stops, between 0 and 1.
    """

    model: str
    fact: str
    neurons: pd.DataFrame
    distances: pd.DataFrame
    components: pd.DataFrame
    quantile: float

    @cached_property
    def tree(self) -> Dendrogram:
        """The dendrogram from which the components were chosen."""
        return dendrogram(matrix_of_pairs(len(self.neurons), self.distances), self.quantile)


def _loss(components: pd.DataFrame) -> pd.Series:
    """Return the share of Prob that each fact loses without all of its knowledge neurons, by fact id."""
    first = components.groupby("fact_id")[["prob_intact", "prob_all_suppressed"]].first()
    return 1 - first["prob_all_suppressed"] / first["prob_intact"]


def choose_example(
    components: dict[str, pd.DataFrame], neurons: dict[str, pd.DataFrame], fact_ids: Sequence[str]
) -> str:
    """Return the id of the fact with the most base degenerate components in the model where it has the fewest.

    Facts count whose Prob falls by ``LEAST_LOSS`` or more in every model when all of their knowledge neurons are
    suppressed; all facts do where there is none like that, since components of a fact that loses nothing say little.
    Of equal facts it is the one with the most in all models together, then the one whose id comes first. Where no fact
    has a component in every model, it is the one with knowledge neurons in the most models, then the one with the most
    components, then the one whose id comes first.

    Args:
        components: the table of tested components of each model.
        neurons: the table of the facts' knowledge neurons of each model.
        fact_ids: the ids of all facts.
    """
    kept = {model: frame.groupby("fact_id")["kept"].sum() for model, frame in components.items()}
    counts = pd.DataFrame(kept).dropna()
    losing = [_loss(frame) >= LEAST_LOSS for frame in components.values()]
    lost = pd.concat(losing, axis=1).reindex(counts.index).eq(True).all(axis=1) if losing else counts.index.isin([])
    counts = counts[lost] if lost.any() else counts
    order = pd.DataFrame({"least": counts.min(axis=1), "total": counts.sum(axis=1)})
    if counts.empty:
        models = pd.concat([frame["fact_id"].drop_duplicates() for frame in neurons.values()]).value_counts()
        found = pd.concat([frame["fact_id"] for frame in components.values()]).value_counts()
        order = pd.DataFrame({"least": models, "total": found}).reindex(fact_ids).fillna(0)
    return str(order.sort_index().sort_values(["least", "total"], ascending=False, kind="stable").index[0])


def why_empty(example: Example) -> str:
    """Return why there is nothing to draw of a fact in one model."""
    return "no two neurons at a finite distance" if len(example.neurons) else "no knowledge neurons of this fact"


def caption(examples: Sequence[Example]) -> str:
    """Return the caption's numbers: the fact that is drawn, and what each model has of it, without intervals.

    Args:
        examples: the fact in each model.
    """
    facts = {example.fact for example in examples}
    lines = [f"n = 1 fact: {isolated(examples[0].fact)}" if len(facts) == 1 else "n = 1 fact"]
    for example in examples:
        kept = example.components["kept"].astype(bool)
        prompt = "" if len(facts) == 1 else f"{isolated(example.fact)}: "
        layers = example.neurons["layer"].nunique()
        lines.append(
            f"{example.model}: {prompt}{len(example.neurons)} knowledge neurons in {layers} layers, "
            f"{len(example.distances)} finite distances, {len(kept)} components, {int(kept.sum())} of them BDCs"
        )
    return bullets(lines)


FactFlag = Annotated[
    str | None, Option(help="Id of the fact; by default the one with most components of those that lose half of Prob.")
]


def _example(folder: Path, fact: pd.Series, quantile: float) -> Example:
    def of_fact(name: str, schema: pa.Schema) -> pd.DataFrame:
        return read_facts(folder / f"{name}.parquet", schema, [fact["fact_id"]])

    answer = of_fact("known", KNOWN)["answer"].iloc[0]
    return Example(
        model=folder.name,
        fact=f"“{fact['prompt']} … {answer}”",
        neurons=of_fact("knowledge_neurons", KNOWLEDGE_NEURONS).sort_values("place"),
        distances=of_fact("distances", DISTANCES),
        components=of_fact("components/ntc", COMPONENTS),
        quantile=quantile,
    )


def read_examples(facts: Path, models: list[Path], quantile: float, chosen: str | None) -> tuple[str, list[Example]]:
    """Return the id of the example fact, and its records in each model.

    Args:
        facts: the table of all facts.
        models: the models' folders of results.
        quantile: the quantile of finite distances at which the filtration stops.
        chosen: the id of the fact, or None for the one that ``choose_example`` returns.
    Raises:
        UserError: the chosen fact does not exist.
    """
    table = read_table(facts, FACTS, ["fact_id", "prompt"]).set_index("fact_id", drop=False)
    fact_id = chosen or _chosen(models, list(table.index))
    if fact_id not in table.index:
        raise UserError(f"figures.example_fact: there is no fact {fact_id!r}")
    return fact_id, [_example(folder, table.loc[fact_id], quantile) for folder in models]


def _chosen(models: list[Path], fact_ids: Sequence[str]) -> str:
    """Return the fact that ``choose_example`` chooses from stored tables."""
    components = {
        folder.name: read_table(folder / "components" / "ntc.parquet", COMPONENTS, CHOOSE_FROM) for folder in models
    }
    neurons = {
        folder.name: read_distinct(folder / "knowledge_neurons.parquet", KNOWLEDGE_NEURONS, ["fact_id"])
        for folder in models
    }
    return choose_example(components, neurons, fact_ids)
