"""The fact-checking experiment: do neurons tell a true statement from a false one? (docs/method.md)

A statement is a fact with a stated answer, which is true or false. A detector gives every statement a score. Here the
score is the mean attribution of a neuron set: its integrated gradients for the probability of the stated answer. The
baselines of ``fact_checking_plm`` use no neurons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dkn.attribution.integrated_gradients import AttributionSettings, attribute
from dkn.decoder.encoded_facts import EncodedFact, EncodingSettings, batches
from dkn.decoder.loading import LanguageModel
from dkn.decoder.row_budget import RowBudget
from dkn.experiments.statements import SCORE, Checked, Checking, as_records, encoded_statements
from dkn.neurons.sets import NeuronSet, random_like
from dkn.progress import progress
from dkn.randomness import generator
from dkn.storage.schemas import FACT_CHECKING
from dkn.study.names import DKN, KN, RANDOM, RANDOM_KN

CONTROLS = {DKN: RANDOM, KN: RANDOM_KN}  # the random neurons that each detector is compared with
# The scores, (layers, neurons), of statements, by the tokens of their prompts and of their answers.
Attributed = dict[tuple[tuple[int, ...], tuple[int, ...]], np.ndarray]
ATTRIBUTION = AttributionSettings("amig", "gauss-legendre", 3)  # a mean over neurons needs no refinement


@dataclass(frozen=True)
class StatementSet:
    """A neuron set by which a fact's statements are scored.

    Attributes:
        detector: the name of the detector that scores by these neurons: dkn, kn, random or random-kn.
        origin: ``own`` for neurons that were found with the fact's own true answer, ``relation`` for those that
            training subjects of the fact's relation share.
        neurons: the neurons themselves.
        draw: the number of the draw of random neurons.
    """

    detector: str
    origin: str
    neurons: NeuronSet
    draw: int = 0


def relation_sets(members: dict[str, NeuronSet], facts: pd.DataFrame, size: int) -> dict[str, NeuronSet]:
    """Return for each relation the neurons that the most training subjects have in their facts' neuron sets.

    Args:
        members: neuron sets by fact id; only facts of the training split count.
        facts: the columns relation, subject and split, indexed by fact_id.
        size: the largest number of neurons per relation. Of neurons with equally many subjects, those with more facts
            come first, then those of lower layers and of lower indices.
    Returns:
        Neuron sets by relation, without relations that have no training fact among ``members``.
    """
    training = [fact_id for fact_id in members if facts.loc[fact_id, "split"] == "train"]
    if not training:
        return {}
    tables = [
        pd.DataFrame({"fact_id": fact_id, "layer": members[fact_id].layers, "neuron": members[fact_id].neurons})
        for fact_id in training
    ]
    table = pd.concat(tables).join(facts[["relation", "subject"]], on="fact_id")
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
    settings: AttributionSettings = ATTRIBUTION,
    kept: Attributed | None = None,
) -> pd.DataFrame:
    """Return the mean attribution of each fact's neuron sets for every stated answer.

    Args:
        model: the model that the statements are put to.
        statements: as ``statements.make_statements`` returns them.
        encoded: the tokens of each statement, by its id.
        sets: the neuron sets of each fact, by fact id.
        batch: the number of statements computed at once.
        settings: how attribution is computed.
        kept: the scores of statements that were attributed before with the same settings; those of others are added.
    Returns:
        One row per statement and neuron set, with columns statement, detector, neurons (the set's origin), draw, size
        (its number of neurons) and score (in units of probability; positive where the neurons favour the answer).
    """
    owner = statements.set_index("statement")["fact_id"]
    rows = []
    for name, scores in _attributed(model, list(encoded.values()), batch, settings, kept):
        for statement_set in sets[owner[name]]:
            rows.append(
                {
                    "statement": name,
                    "detector": statement_set.detector,
                    "neurons": statement_set.origin,
                    "draw": statement_set.draw,
                    "size": len(statement_set.neurons),
                    "score": float(scores[statement_set.neurons.layers, statement_set.neurons.neurons].mean()),
                }
            )
    return pd.DataFrame(rows, columns=SCORE)


def _attributed(
    model: LanguageModel,
    statements: list[EncodedFact],
    batch: int,
    settings: AttributionSettings,
    kept: Attributed | None,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the id and the scores, (layers, neurons), of every statement; ``attribution_records`` has the arguments."""
    budget = RowBudget.for_model(model.adapter)
    left = [one for one in statements if kept is None or _content(one) not in kept]
    for group in progress(list(batches(left, batch)), "statements", unit="batch"):
        found = attribute(model.adapter, group, model.mask_token, settings, budget)
        for statement, attribution in zip(group, found, strict=True):
            if kept is not None:
                kept[_content(statement)] = attribution.scores.numpy()
            else:
                yield statement.fact_id, attribution.scores.numpy()
    if kept is not None:
        yield from ((statement.fact_id, kept[_content(statement)]) for statement in statements)


def _content(statement: EncodedFact) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return what a statement's attribution depends on."""
    return tuple(statement.prompt), tuple(statement.answer)


def with_control(
    detector: str, origin: str, key: str, neurons: NeuronSet, n_neurons: int, seed: int, draws: int = 1
) -> list[StatementSet]:
    """Return a fact's or relation's neurons and controls: as many random neurons per layer, none of them its own.

    There is no control where the neurons are all neurons of their layers.

    Args:
        detector: the detector that scores by the neurons, a key of ``CONTROLS``.
        origin: ``own`` or ``relation``.
        key: the fact id or the relation, which keys the random draw together with the seed, the control and the origin.
        neurons: the degenerate knowledge neurons, or all knowledge neurons.
        n_neurons: the number of neurons in a layer of the model.
        seed: the seed of the study.
        draws: the number of controls.
    """
    control, sets = CONTROLS[detector], [StatementSet(detector, origin, neurons)]
    for draw in range(draws):
        random = random_like(neurons, n_neurons, generator(seed, f"fact-checking/{control}/{origin}/{draw}", key))
        sets += [StatementSet(control, origin, random, draw)] if len(random) else []
    return sets


def checking_table(
    model: LanguageModel,
    studied: pd.DataFrame,
    members: dict[str, NeuronSet],
    dkns: dict[str, NeuronSet],
    settings: Checking,
    relation_neurons: int,
    random_sets: int,
    attribution: AttributionSettings,
    encoding: EncodingSettings,
    batch: int,
    kept: Attributed | None = None,
) -> Checked:
    """Score statements by the mean attribution of neuron sets; one pass of attribution serves all sets.

    Args:
        model: the model.
        studied: all facts, indexed by fact_id.
        members, dkns: each fact's knowledge neurons and degenerate knowledge neurons.
        settings: which statements are made.
        relation_neurons: the most neurons of a relation-level set.
        random_sets: draws of random neurons per relation; per fact there is one.
        attribution: how statements are attributed.
        encoding: how answers are tokenised.
        batch: the number of statements computed at once.
        kept: the scores of statements that were attributed before in the same way; those of others are added.
    """
    frame, statements = settings.of(studied, members)
    n_neurons, seed = model.adapter.n_neurons, settings.seed
    sets: dict[str, list[StatementSet]] = {name: [] for name in statements["fact_id"].unique()}
    for detector, of_facts in ((DKN, dkns), (KN, members)):
        by_relation = {
            relation: with_control(detector, "relation", relation, shared, n_neurons, seed, random_sets)
            for relation, shared in relation_sets(of_facts, frame, relation_neurons).items()
        }
        for fact_id, of_fact in sets.items():
            if fact_id in of_facts:
                of_fact += with_control(detector, "own", fact_id, of_facts[fact_id], n_neurons, seed)
            of_fact += by_relation.get(frame.loc[fact_id, "relation"], [])
    encoded, left_out = encoded_statements(model, statements, encoding)
    scores = attribution_records(model, statements, encoded, sets, batch, attribution, kept)
    records = as_records(statements, scores, FACT_CHECKING.names)
    return Checked(records, len(sets), len(encoded), {"statements": left_out})
