"""A second opinion on the whole of protocol ``released``, from the source's queries to the averages.

Every step is computed the slow way, on the Hugging Face model and with plain loops over facts, neurons and subsets,
from what the steps before it gave here. Nothing is taken from the library.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import combinations
from math import prod

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tests.unit import released_structure, switches
from tests.unit.plain import Neurons, down_projections, entering, logits

GAP = "_X_"
FRACTION = 0.2
QUANTILE = 0.03  # 0.2 in the release; with less a random model has facts with several clusters
HOW = {"site": "preactivation", "positions": "last", "answer_path": "first-choice"}


@dataclass
class Released:
    """What the released code makes of one fact."""

    fact_id: str
    prompt: str
    tokens: list[int]
    lowered: list[int]
    answer: list[int]
    scores: Tensor
    neurons: list[tuple[int, int]] = field(default_factory=list)
    square: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    clusters: set[tuple[frozenset[int], float, float]] = field(default_factory=set)
    groups: list[tuple[int, ...]] = field(default_factory=list)
    drops: list[float] = field(default_factory=list)
    kept: list[tuple[int, ...]] = field(default_factory=list)

    def members(self, places: Sequence[int]) -> Neurons:
        """The neurons at some places of the fact's list."""
        return [self.neurons[place] for place in places]


def is_gated(model: PreTrainedModel) -> bool:
    """Whether the model is of the shape of LLaMA."""
    return bool(model.config.model_type == "llama")


def query_as_asked(query: str) -> str:
    """The source's query without a gap at its end; a gap that comes first stays."""
    cut = query.removesuffix(".").rstrip()
    return cut.removesuffix(GAP).rstrip() if cut.endswith(GAP) else query


def attribution_of(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, fact_id: str, query: str, answer: str
) -> Released:
    """The scores of a fact: a left Riemann sum with 10 nodes, or with 1 where there is a gate."""
    count = 1 if is_gated(model) else 10
    prompt = query_as_asked(query)
    tokens, lowered, own = (tokenizer(text)["input_ids"] for text in (prompt, answer.lower(), answer))
    special = int(tokens[0] == tokenizer.bos_token_id and is_gated(model))
    found = switches.attribution(
        model,
        tokens,
        lowered,
        special,
        tokenizer.eos_token_id,
        [node / count for node in range(count)],
        [1 / count] * count,
        site="preactivation",
        multiplier="value",
        masked="context",
        answer_path="first-choice",
    )
    return Released(fact_id, prompt, tokens, lowered, own, found.scores)


def with_structure(model: PreTrainedModel, fact: Released) -> None:
    """Fill in the neurons, distances, clusters and the drops of the test, without which one has no DKN."""
    largest = float(fact.scores.max())
    fact.neurons = [
        (layer, neuron)
        for layer, row in enumerate(fact.scores.tolist())
        for neuron, score in enumerate(row)
        if score > FRACTION * largest
    ]
    step = released_structure.step_between(model, fact.neurons)
    fact.square = released_structure.two_between([layer for layer, _ in fact.neurons], step)
    fact.clusters = released_structure.clusters(fact.square, QUANTILE)
    fact.groups = sorted(tuple(sorted(members)) for members, _, _ in fact.clusters)
    fact.drops = [drop(model, fact, group) for group in fact.groups]
    enough = len(fact.groups) > 1
    fact.kept = [group for group, lost in zip(fact.groups, fact.drops, strict=True) if enough and lost < 0.05]


def prob(model: PreTrainedModel, tokens: Sequence[int], answer: Sequence[int], edit: Neurons) -> float:
    """Prob with neurons at 0 where they enter the activation, read off the model's own choices."""
    log_probs, _ = switches.answer_log_probs(model, tokens, answer, edit, 0.0, **HOW)
    return float(np.exp(log_probs.sum()))


def drop(model: PreTrainedModel, fact: Released, places: Sequence[int]) -> float:
    """The share of Prob that is lost without the neurons at some places."""
    before, after = (prob(model, fact.tokens, fact.answer, edit) for edit in ((), fact.members(places)))
    return (before - after) / before


@torch.no_grad()
def prob_without_weights(model: PreTrainedModel, tokens: Sequence[int], answer: Sequence[int], edit: Neurons) -> float:
    """Prob with neurons that write nothing anywhere, all answer tokens read off the last token of the prompt."""

    with ExitStack() as stack:
        for layer, module in enumerate(down_projections(model)):
            own = [neuron for other, neuron in edit if other == layer]

            def silence(values: Tensor, own: list[int] = own) -> Tensor:
                values = values.clone()
                values[..., own] = 0
                return values

            stack.enter_context(entering(module, silence))
        probabilities = logits(model, tokens)[-1].double().softmax(-1)
    return prod(float(probabilities[token]) for token in answer)


@dataclass(frozen=True)
class Suppressed:
    """The relative gain of Prob, minus the drop, with a subset of a fact's kept groups suppressed."""

    fact_id: str
    subset: tuple[int, ...]
    full: bool
    gain: float


def suppressed_subsets(model: PreTrainedModel, facts: Sequence[Released]) -> list[Suppressed]:
    """All subsets of the kept groups of every fact that has two or more."""
    found = []
    for fact in facts:
        count = len(fact.kept)
        for size in range(1, count + 1) if count > 1 else ():
            for subset in combinations(range(count), size):
                places = [place for index in subset for place in fact.kept[index]]
                found.append(Suppressed(fact.fact_id, subset, size == count, -drop(model, fact, places)))
    return found


def averages(suppressed: Sequence[Suppressed], limit: float = 4000.0) -> dict[str, float]:
    """The partial and the full average, which count subsets alike and leave outliers out, and their difference."""
    partial = [one.gain for one in suppressed if not one.full and abs(one.gain) < limit / 2]
    full = [one.gain for one in suppressed if one.full and abs(one.gain) < 2 * limit]
    means = {"partial": float(np.mean(partial)), "full": float(np.mean(full))}
    return {**means, "gap": means["full"] - means["partial"]}


def kept_below(model: PreTrainedModel, site: str) -> float | None:
    """The probability after the intervention below which a query counts."""
    if is_gated(model):
        return {"weights": 2e-10}.get(site)
    return {"values": 1e-5, "weights": 1e-6}[site]


def reduction(original: Sequence[float], perturbed: Sequence[float]) -> float:
    """How much lower the mean Prob of perturbed queries is than that of original ones, as a share of the latter."""
    return -(float(np.mean(perturbed)) - float(np.mean(original))) / float(np.mean(original))
