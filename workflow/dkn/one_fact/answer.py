"""What is said of one fact as plain values, for programs: the content of ``dkn ask --json``."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from dkn.one_fact.analysis import OneFact
from dkn.storage.provenance import provenance
from dkn.structure.functional_test import relative_drop

FEWEST = 2  # base degenerate components of a degenerate fact
# The sections of the configuration that the analysis of one fact takes.
SECTIONS = ("known", "attribution", "knowledge_neurons", "distances", "clustering", "functional_test")


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: lists for arrays, and None for what is missing or not finite."""
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not isfinite(value) else value


def records_of(table: pd.DataFrame, without: tuple[str, ...] = ("fact_id",)) -> list[dict[str, Any]]:
    """Return the rows of a table as dictionaries of plain values.

    Args:
        table: the table.
        without: the columns that are left out.
    """
    columns = [name for name in table.columns if name not in without]
    return [
        {name: _plain(value) for name, value in row.items()} for row in table[columns].astype(object).to_dict("records")
    ]


def suppressed(fact: OneFact) -> pd.DataFrame:
    """Return the rows of ``OneFact.suppression`` but that of the empty set, with prob and drop.

    The columns are neuron_set, repeat, neurons, shared, log_prob_before, log_prob_after, prob (the answer's probability
    after the suppression), drop (the share of it that is lost) and answered (whether greedy decoding still gives it).
    """
    rows = fact.suppression[fact.suppression["neurons"] > 0]
    before, after = np.exp(rows["log_prob_before"]), np.exp(rows["log_prob_after"])
    measured = rows.assign(prob=after, drop=relative_drop(before, after), answered=rows["greedy_after"])
    columns = ["neuron_set", "repeat", "neurons", "shared", "log_prob_before", "log_prob_after"]
    return measured[[*columns, "prob", "drop", "answered"]].reset_index(drop=True)


def made_by(fact: OneFact) -> dict[str, Any]:
    """Return the record of what makes an answer: settings, code, the model's checksum, and versions."""
    study = fact.study
    stated = {name: getattr(study, name).model_dump(mode="json") for name in SECTIONS}
    stated |= {"seed": study.seed, "fact_id": fact.fact_id, "dtype": fact.model.dtype, "released": list(study.released)}
    stated |= {"degeneracy": study.experiments.degeneracy.model_dump(mode="json")}
    stated |= {"random_sets": study.experiments.suppression.random_sets}
    record = provenance("ask", stated, [])
    return {**record, "inputs": {fact.model.name: fact.model.checksum}}


def answer(fact: OneFact) -> dict[str, Any]:
    """Return everything that is found out of one fact, ready for JSON.

    The lists have the columns of the study's tables (``dkn.storage.schemas``): knowledge_neurons those of
    ``KNOWLEDGE_NEURONS``, components those of ``COMPONENTS``, suppression those of ``suppressed``, and subsets those of
    ``DEGENERACY``, each without the fact's own.

    Args:
        fact: the fact and its model.
    """
    row, adapter = fact.fact, fact.model.language_model.adapter
    bdcs = int(fact.components["kept"].sum())
    named = ("prompt", "answer", "known", "prob", "log_prob", "geometric_mean_prob", "first_token_rank")
    return {
        "model": {
            "name": fact.model.name,
            "parameters": fact.model.parameters,
            "layers": adapter.n_layers,
            "neurons_per_layer": adapter.n_neurons,
        },
        **{name: _plain(row[name]) for name in (*named, "prompt_tokens", "answer_tokens")},
        "answers": list(row["answers"]),
        "completeness_error": _plain(fact.completeness["error"].max()),
        "knowledge_neurons": records_of(fact.neurons),
        "components": records_of(fact.components, ("fact_id", "repeat")),
        "base_degenerate_components": bdcs,
        "degenerate": bdcs >= FEWEST,
        "suppression": records_of(suppressed(fact)),
        "subsets": records_of(fact.degeneracy, ("fact_id", "subject", "relation")),
        "provenance": made_by(fact),
    }
