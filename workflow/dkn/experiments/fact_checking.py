"""Fact-checking: do neurons tell a true statement from a false one? (docs/method.md)

A statement is a fact with a stated answer. Its score is the mean attribution of a neuron set for that answer. The
baselines ask the model in words (true or false?), or take the stated answer's probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dkn.attribution import AttributionSettings, attribute
from dkn.encoding import EncodedFact, batches
from dkn.interventions import NeuronSet
from dkn.knowledge import recall
from dkn.language_models import LanguageModel
from dkn.memory import RowBudget
from dkn.progress import progress
from dkn.randomness import generator

WORDINGS = {"triple": "prompt", "complex": "complex"}  # and the columns of facts that hold them
ATTRIBUTION = AttributionSettings("amig", "gauss-legendre", 3)  # a mean over neurons needs no refinement
VERDICTS = ("true", "false")
STATEMENT = ["fact_id", "subject", "relation", "split", "wording", "prompt", "answer", "truth", "statement"]


@dataclass(frozen=True)
class StatementSet:
    """A neuron set by which a fact's statements are scored: whose detector, and whose neurons (own, relation)."""

    detector: str
    origin: str
    neurons: NeuronSet


def false_answer(fact: pd.Series, relation: pd.DataFrame, draw: np.random.Generator) -> str | None:
    """An answer of another subject's fact of the same relation that is not accepted here; None if there is none.

    Answers are drawn as often as they occur, so that a true and a false answer are equally common.

    Args:
        fact: a row of facts, with the columns of ``tables.FACTS`` and ``answer``.
        relation: all facts of its relation.
    """
    same_date = relation["date"].isna() if pd.isna(fact["date"]) else relation["date"] == fact["date"]
    same = relation[(relation["subject"] == fact["subject"]) & same_date]
    accepted = {answer.casefold() for answers in (fact["answers"], *same["answers"]) for answer in answers}
    others = relation[relation["subject"] != fact["subject"]].sort_values("fact_id")["answer"]
    candidates = [answer for answer in others if answer.casefold() not in accepted]
    return str(draw.choice(candidates)) if candidates else None


def make_statements(facts: pd.DataFrame, chosen: pd.DataFrame, seed: int) -> pd.DataFrame:
    """A true and a false statement of every chosen fact in both wordings; facts without a false answer are left out.

    Returns:
        Columns as in ``STATEMENT``; ``statement`` is a unique id.
    """
    relations = dict(list(facts.groupby("relation")))
    rows = []
    for _, fact in chosen.iterrows():
        draw = generator(seed, "fact-checking/false-answer", fact["fact_id"])
        wrong = false_answer(fact, relations[fact["relation"]], draw)
        if wrong is None:
            continue
        about = {name: fact[name] for name in ("fact_id", "subject", "relation", "split")}
        for wording, column in WORDINGS.items():
            for answer, truth in ((fact["answer"], True), (wrong, False)):
                statement = f"{fact['fact_id']}\x1f{wording}\x1f{truth}"
                shown = {"wording": wording, "prompt": fact[column], "answer": answer, "truth": truth}
                rows.append({**about, **shown, "statement": statement})
    return pd.DataFrame(rows, columns=STATEMENT)


def relation_sets(members: dict[str, NeuronSet], facts: pd.DataFrame, size: int) -> dict[str, NeuronSet]:
    """Per relation the neurons that the most training subjects have (then: the most facts), at most ``size``.

    Args:
        members: neuron sets of facts; those whose split is not train are not looked at.
        facts: columns relation, subject and split, indexed by fact_id.
    """
    training = [fact_id for fact_id in members if facts.loc[fact_id, "split"] == "train"]
    if not training:
        return {}
    parts = [
        pd.DataFrame({"fact_id": fact_id, "layer": members[fact_id].layers, "neuron": members[fact_id].neurons})
        for fact_id in training
    ]
    table = pd.concat(parts).join(facts[["relation", "subject"]], on="fact_id")
    counted = table.groupby(["relation", "layer", "neuron"]).agg(
        subjects=("subject", "nunique"), facts=("fact_id", "nunique")
    )
    ranked = counted.reset_index().sort_values(
        ["subjects", "facts", "layer", "neuron"], ascending=[False, False, True, True]
    )
    return {
        relation: NeuronSet(top["layer"].to_numpy(dtype=np.int64), top["neuron"].to_numpy(dtype=np.int64))
        for relation, top in ranked.groupby("relation").head(size).groupby("relation")
    }


def attribution_records(
    model: LanguageModel,
    statements: pd.DataFrame,
    encoded: dict[str, EncodedFact],
    sets: dict[str, list[StatementSet]],
    batch: int,
) -> pd.DataFrame:
    """Mean attribution of each fact's neuron sets for every stated answer.

    Args:
        statements: from ``make_statements``.
        encoded: their tokens by statement.
        sets: by fact id.
    Returns:
        Columns statement, detector, neurons, size, score.
    """
    owner = statements.set_index("statement")["fact_id"]
    budget = RowBudget.for_model(model.adapter)
    rows = []
    for group in progress(list(batches(list(encoded.values()), batch)), "statements", unit="batch"):
        for found in attribute(model.adapter, group, model.mask_token, ATTRIBUTION, budget):
            scores = found.scores.numpy()
            for one in sets[owner[found.fact_id]]:
                rows.append(
                    {
                        "statement": found.fact_id,
                        "detector": one.detector,
                        "neurons": one.origin,
                        "size": len(one.neurons),
                        "score": float(scores[one.neurons.layers, one.neurons.neurons].mean()),
                    }
                )
    return pd.DataFrame(rows, columns=["statement", "detector", "neurons", "size", "score"])


def choose_shots(statements: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Training statements of one wording, one per subject, true and false in turn, subjects drawn by seed.

    At most half of the training subjects are taken: the others are left for the threshold.
    """
    training = statements[statements["split"] == "train"]
    keys = {name: generator(seed, "fact-checking/shot", name).random() for name in training["subject"].unique()}
    subjects = sorted(keys, key=lambda name: (keys[name], name))[: min(count, len(keys) // 2)]
    rows = []
    for place, subject in enumerate(subjects):
        own = training[(training["subject"] == subject) & (training["truth"] == (place % 2 == 0))]
        rows.append(own.sort_values("fact_id").iloc[0])
    return pd.DataFrame(rows, columns=statements.columns)


def _question(statement: pd.Series) -> str:
    return f"{statement['prompt']} {statement['answer']}. True or false:"


def truth_prompts(shots: pd.DataFrame, statements: pd.DataFrame) -> list[str]:
    """The few-shot prompt of every statement, up to its verdict."""
    examples = [f"{_question(shot)} {VERDICTS[0 if shot['truth'] else 1]}\n" for _, shot in shots.iterrows()]
    return ["".join(examples) + _question(statement) for _, statement in statements.iterrows()]


def fitting_shots(model: LanguageModel, shots: pd.DataFrame, statements: pd.DataFrame) -> pd.DataFrame:
    """The first shots, an even number of them, with which every statement's prompt fits into the model's context."""
    for count in range(len(shots) - len(shots) % 2, 0, -2):
        asked = [
            f"{prompt} {verdict}" for prompt in truth_prompts(shots.iloc[:count], statements) for verdict in VERDICTS
        ]
        if max(len(tokens) for tokens in model.tokenizer(asked)["input_ids"]) <= model.adapter.context:
            return shots.iloc[:count]
    return shots.iloc[:0]


def answer_log_prob(model: LanguageModel, encoded: dict[str, EncodedFact], batch: int) -> pd.Series:
    """log Prob of each answer in tokens, by id."""
    found = {}
    for group in progress(list(batches(list(encoded.values()), batch)), "answers", unit="batch"):
        found.update(
            {
                one.fact_id: float(result.log_probs.sum())
                for one, result in zip(group, recall(model, group), strict=True)
            }
        )
    return pd.Series(found, dtype=float)


def as_records(statements: pd.DataFrame, scores: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Statements joined with their scores, sorted, with the columns of ``tables.FACT_CHECKING``."""
    joined = scores.merge(statements, on="statement", validate="many_to_one")
    joined = joined.sort_values(["detector", "neurons", "wording", "fact_id", "truth"], ignore_index=True)
    return joined.reindex(columns=list(columns))
