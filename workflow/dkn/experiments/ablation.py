"""The ablation experiment: how much of a fact is lost with the first neurons of an order, and how much do they keep?

The neurons of the whole model are put into an order for each fact. Its first neurons are suppressed, more and more of
them, until none is active. The other way round, all others are suppressed, so that only the first ones are active
(docs/method.md). The orders are by attribution score, by magnitude, and random.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.prefix import read_prompts
from dkn.neurons.interventions import answer_log_probs
from dkn.neurons.sets import NeuronSet
from dkn.randomness import generator
from dkn.study.names import ATTRIBUTION, KEPT, MAGNITUDE, RANDOM_ORDER, SUPPRESSED


@dataclass(frozen=True)
class AblationSettings:
    """The settings of the ablation experiment.

    Attributes:
        draws: the number of random orders, per fact.
        seed: the seed of the study.
    """

    draws: int
    seed: int


@dataclass(frozen=True)
class Scored:
    """The neurons of one fact whose attribution scores are stored.

    Attributes:
        neurons: the neurons.
        scores: (neurons,), their scores, which are positive.
        members: how many of the largest scores are those of the fact's knowledge neurons.
    """

    neurons: NeuronSet
    scores: np.ndarray
    members: int

    def __post_init__(self) -> None:
        if not len(self.neurons) == len(self.scores) >= self.members:
            raise ValueError("each neuron needs a score, and each knowledge neuron is one of them")


@dataclass(frozen=True)
class Order:
    """All neurons of a model in an order.

    Attributes:
        name: ``attribution``, ``magnitude`` or ``random-order``.
        repeat: the number of the draw; zero for orders that are not random.
        neurons: the neurons, first to last.
    """

    name: str
    repeat: int
    neurons: NeuronSet

    def variant(self, intervention: str, count: int) -> NeuronSet:
        """Return the neurons to suppress, so that the first ``count`` are ``suppressed``, or alone ``kept``."""
        chosen = slice(count) if intervention == SUPPRESSED else slice(count, None)
        return NeuronSet(self.neurons.layers[chosen], self.neurons.neurons[chosen])


def scored_neurons(scores: pd.DataFrame, members: pd.DataFrame) -> dict[str, Scored]:
    """Return the scored neurons of every fact that has knowledge neurons, by fact id, those with large scores first.

    Of equal scores, those of knowledge neurons come first, so that these are the first neurons of every fact.

    Args:
        scores: columns as in ``schemas.SCORES``.
        members: the facts' knowledge neurons; columns as in ``schemas.KNOWLEDGE_NEURONS``.
    """
    keys = ["fact_id", "layer", "neuron"]
    table = scores[scores["fact_id"].isin(members["fact_id"])].merge(
        members[keys].assign(member=1), how="left", on=keys
    )
    table = table.sort_values(["fact_id", "score", "member"], ascending=[True, False, False])  # missing ones are last
    return {
        str(fact_id): Scored(
            NeuronSet(rows["layer"].to_numpy(dtype=np.int64), rows["neuron"].to_numpy(dtype=np.int64)),
            rows["score"].to_numpy(),
            int(rows["member"].sum()),
        )
        for fact_id, rows in table.groupby("fact_id")
    }


def _all_in_order(flat: np.ndarray, n_neurons: int) -> NeuronSet:
    """Return neurons by their numbers, which count through the layers."""
    return NeuronSet(flat // n_neurons, flat % n_neurons)


def attribution_order(scored: Scored, n_layers: int, n_neurons: int, draw: np.random.Generator) -> NeuronSet:
    """Return all neurons by attribution score, the largest first.

    Those without a stored score have scores near zero or below, which is all that is known of them. They stand behind
    the others in random order.

    Args:
        scored: the fact's neurons with a stored score, the largest first.
        n_layers, n_neurons: the numbers of layers, and of neurons in a layer.
        draw: the source of the random order.
    """
    known = scored.neurons.layers * n_neurons + scored.neurons.neurons
    rest = np.setdiff1d(np.arange(n_layers * n_neurons), known)
    return _all_in_order(np.concatenate((known, draw.permutation(rest))), n_neurons)


def magnitude_order(magnitudes: np.ndarray) -> NeuronSet:
    """Return all neurons by magnitude, the largest first.

    Args:
        magnitudes: (layers, neurons), the absolute value of every neuron.
    """
    return _all_in_order(np.argsort(-magnitudes, axis=None, kind="stable"), magnitudes.shape[1])


def random_order(like: NeuronSet, draw: np.random.Generator) -> NeuronSet:
    """Return all neurons in random order, with as many of every layer among the first as another order has there.

    Args:
        like: all neurons of the model, in the order that decides on the layers.
        draw: the source of the random order.
    """
    neurons = np.empty_like(like.neurons)
    for layer in np.unique(like.layers):
        of_layer = like.layers == layer
        neurons[of_layer] = draw.permutation(like.neurons[of_layer])
    return NeuronSet(like.layers, neurons)


def steps(total: int, members: int) -> list[int]:
    """Return the numbers of neurons at which Prob is measured: none, powers of two, all, and that of the fact's KNs."""
    powers = [2**power for power in range((total - 1).bit_length())]
    return sorted({0, *powers, members, total})


def magnitudes(adapter: Adapter, facts: Sequence[EncodedFact]) -> np.ndarray:
    """Return the mean absolute value of every neuron at the positions that predict a fact's answer.

    Args:
        adapter: the model.
        facts: facts whose answers have the same number of tokens.
    Returns:
        (facts, layers, neurons) float32.
    """
    prefix = read_prompts(
        adapter, [fact.context for fact in facts], [fact.answer_positions for fact in facts], cache=False
    )
    means: list[Tensor] = [values.float().abs().mean(1).cpu() for values in prefix.neurons]
    return torch.stack(means, 1).numpy()


def orders(fact_id: str, scored: Scored, magnitudes_of_fact: np.ndarray, settings: AblationSettings) -> Iterator[Order]:
    """Yield a fact's orders of all the model's neurons.

    Args:
        fact_id: the fact, which keys the random draws together with the seed.
        scored: its neurons with a stored score.
        magnitudes_of_fact: (layers, neurons), the absolute value of every neuron.
        settings: the number of random orders, and the seed.
    """
    draw = generator(settings.seed, "ablation/attribution", fact_id)
    n_layers, n_neurons = magnitudes_of_fact.shape
    by_attribution = attribution_order(scored, n_layers, n_neurons, draw)
    yield Order(ATTRIBUTION, 0, by_attribution)
    yield Order(MAGNITUDE, 0, magnitude_order(magnitudes_of_fact))
    for repeat in range(settings.draws):
        draw = generator(settings.seed, f"ablation/random/{repeat}", fact_id)
        yield Order(RANDOM_ORDER, repeat, random_order(by_attribution, draw))


def ablation_records(
    adapter: Adapter, facts: Sequence[EncodedFact], scored: dict[str, Scored], settings: AblationSettings
) -> pd.DataFrame:
    """Return the records of a batch of facts whose answers have the same number of tokens.

    Args:
        adapter: the model.
        facts: the batch.
        scored: the scored neurons of each fact.
        settings: the number of random orders, and the seed.
    Returns:
        The columns of ``schemas.ABLATION`` without subject and relation. The log-probabilities are natural logarithms
        of Prob.
    """
    total = adapter.n_layers * adapter.n_neurons
    own = [scored[fact.fact_id] for fact in facts]
    plans = [
        [(name, count) for name in (SUPPRESSED, KEPT) for count in steps(total, neurons.members)] for neurons in own
    ]
    ordered = [
        orders(fact.fact_id, neurons, values, settings)
        for fact, neurons, values in zip(facts, own, magnitudes(adapter, facts), strict=True)
    ]
    rows = []
    for same in zip(*ordered, strict=True):  # one order at a time, since its sets hold all neurons of a large model
        variants = [
            [order.variant(name, count) for name, count in plan] for order, plan in zip(same, plans, strict=True)
        ]
        found = answer_log_probs(adapter, facts, variants)
        for fact, neurons, order, plan, log_probs in zip(facts, own, same, plans, found, strict=True):
            prob = log_probs.sum(1)
            for (name, count), after in zip(plan, prob, strict=True):
                rows.append(
                    {
                        "fact_id": fact.fact_id,
                        "order": order.name,
                        "repeat": order.repeat,
                        "intervention": name,
                        "neurons": count,
                        "kns": neurons.members,
                        "scored": len(neurons.neurons),
                        "total": total,
                        "log_prob_before": prob[0],
                        "log_prob_after": after,
                    }
                )
    return pd.DataFrame(rows)
