"""Statements about the facts of the model made by hand, and what its neurons say about them."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pandas as pd

from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import LanguageModel
from dkn.experiments.fact_checking import StatementSet, attribution_records
from dkn.experiments.statements import as_records
from dkn.neurons.sets import random_like
from dkn.randomness import generator
from dkn.storage.schemas import FACT_CHECKING
from tests.unit import planted


@dataclass(frozen=True)
class Asked:
    """A model, statements, their tokens, and the neuron sets of their facts, as ``attribution_records`` takes them."""

    model: LanguageModel
    statements: pd.DataFrame
    encoded: dict[str, EncodedFact]
    sets: dict[str, list[StatementSet]]


def planted_statements(labels: str) -> Asked:
    """A true and a false statement of every planted fact; with ``labels`` ``random`` the DKN is of random neurons."""
    tokenizer = SimpleNamespace(mask_token_id=0, eos_token_id=0)
    model = LanguageModel(planted.planted_model(6.0), tokenizer)
    rows, encoded, sets = [], {}, {}
    for number in range(planted.FACTS):
        name = f"f{number}"
        for answer, truth in ((number, True), ((number + 5) % planted.FACTS, False)):
            statement = f"{name}\x1f{truth}"
            about = {"fact_id": name, "subject": name, "relation": "P1", "split": ("train", "test")[number % 2]}
            rows.append({**about, "wording": "triple", "answer": f"{answer}", "truth": truth, "statement": statement})
            fact = planted.fact(number, answer=answer)
            encoded[statement] = EncodedFact(statement, fact.prompt, fact.answer)
        own = planted.carriers(number)
        random = random_like(own, planted.NEURONS, generator(0, "test", name))
        dkn = own if labels == "planted" else random_like(own, planted.NEURONS, generator(1, "test", name))
        sets[name] = [StatementSet("dkn", "own", dkn), StatementSet("random", "own", random)]
        sets[name] += [StatementSet("kn", "own", dkn), StatementSet("random-kn", "own", random)]
    return Asked(model, pd.DataFrame(rows), encoded, sets)


def planted_records(labels: str) -> pd.DataFrame:
    """Records of all detectors on these statements."""
    asked = planted_statements(labels)
    scores = attribution_records(asked.model, asked.statements, asked.encoded, asked.sets, 5)
    return as_records(asked.statements, scores, FACT_CHECKING.names)
