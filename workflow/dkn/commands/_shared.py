"""Small things that stages with a model share: loading, joining tables, tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from dkn.encoding import EncodedFact, encode
from dkn.facts import Fact
from dkn.interventions import NeuronSet
from dkn.io import read_table
from dkn.language_models import LanguageModel, load
from dkn.tables import FACTS, KNOWN


def read_facts_table(path: Path) -> list[Fact]:
    """The stored facts as objects; a missing date is None again."""
    table = read_table(path, FACTS)
    table["date"] = table["date"].astype(object).where(table["date"].notna(), None)
    return [
        Fact(**{**row, "answers": tuple(row["answers"]), "paraphrases": tuple(row["paraphrases"])})
        for row in table.to_dict("records")
    ]


def open_model(folder: Path, device: str, dtype: str, threads: int, gpus: int) -> LanguageModel:
    """Load a model with a number of CPU threads, spread over at most so many GPUs."""
    torch.set_num_threads(threads)
    return load(folder, device, dtype, gpus)


def study_facts(facts: Path, known: Path, which: str = "known") -> pd.DataFrame:
    """Facts joined with what the model makes of them; ``which`` is known, unknown or all. Indexed by fact_id."""
    joined = read_table(facts, FACTS).merge(read_table(known, KNOWN), on="fact_id", validate="one_to_one")
    if which != "all":
        joined = joined[joined["known"] == (which == "known")]
    return joined.set_index("fact_id", drop=False)


def encoded(model: LanguageModel, frame: pd.DataFrame) -> dict[str, EncodedFact]:
    """Every fact of a frame in tokens, with the answer the study uses for this model."""
    return {row.fact_id: encode(model, row.fact_id, row.prompt, row.answer) for row in frame.itertuples(index=False)}


def neuron_sets(neurons: pd.DataFrame) -> dict[str, NeuronSet]:
    """Each fact's knowledge neurons in the order of their places."""
    ordered = neurons.sort_values(["fact_id", "place"])
    return {
        fact_id: NeuronSet(group["layer"].to_numpy(dtype=np.int64), group["neuron"].to_numpy(dtype=np.int64))
        for fact_id, group in ordered.groupby("fact_id", sort=False)
    }


def dkn_sets(components: pd.DataFrame, members: dict[str, NeuronSet], fewest: int = 1) -> dict[str, NeuronSet]:
    """The degenerate knowledge neurons of every fact with enough base degenerate components: their union.

    Args:
        fewest: components that a fact needs; two make it degenerate.
    """
    kept = components[components["kept"]]
    return {
        str(fact_id): members[str(fact_id)].take(np.unique(np.concatenate(list(places))))
        for fact_id, places in kept.groupby("fact_id")["places"]
        if len(places) >= fewest
    }
