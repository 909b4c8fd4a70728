"""Suppressing and enhancing neurons (docs/method.md).

*Values*: neurons are multiplied by a factor at the answer-predicting positions only. These are the last positions of
the input, so every neuron set is one branch on the fact's cached prefix, and the model itself is never touched.
*Weights*: the neurons' reading and writing vectors are multiplied, which acts at all positions. Every neuron set is a
row of one forward pass, in which what its neurons read and write is multiplied instead of the model's weights;
``edited_weights`` multiplies the weights themselves, and restores them bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dkn.decoder.adapters import Adapter
from dkn.decoder.answer_probabilities import log_odds_against, log_prob
from dkn.decoder.branches import attend, visible_prefix
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.prefix import Prefix, attend_whole, read_prompts
from dkn.errors import UserError
from dkn.neurons.sets import NeuronSet
from dkn.study.names import SITES

SUPPRESS = 0.0
ENHANCE = 2.0


def _distinct(edits: Sequence[NeuronSet]) -> tuple[list[NeuronSet], list[int]]:
    """The different neuron sets among ``edits``, and the place of every edit's set among them."""
    places: dict[bytes, int] = {}
    found: list[NeuronSet] = []
    inverse = []
    for edit in edits:
        place = places.setdefault(edit.key(), len(found))
        if place == len(found):
            found.append(edit)
        inverse.append(place)
    return found, inverse


def _by_layer(adapter: Adapter, variants: Sequence[Sequence[NeuronSet]]) -> list[tuple[Tensor, ...]]:
    """Per layer the (fact, branch, neuron) index triples of all edits."""
    triples = [
        np.stack((np.full(len(edit), fact), np.full(len(edit), row), edit.neurons, edit.layers))
        for fact, edits in enumerate(variants)
        for row, edit in enumerate(edits)
    ]
    flat = np.concatenate(triples, axis=1) if triples else np.zeros((4, 0), dtype=int)
    return [
        tuple(torch.from_numpy(part).to(adapter.layer_device(layer)) for part in flat[:3, flat[3] == layer])
        for layer in range(adapter.n_layers)
    ]


def _edited_branches(
    adapter: Adapter, prefix: Prefix, starts: Tensor, variants: Sequence[Sequence[NeuronSet]], factor: float
) -> Tensor:
    """Final residual streams (F, R, T, width) of all branches; fact f's first ``len(variants[f])`` rows are real."""
    rows = max(len(edits) for edits in variants)
    edits = _by_layer(adapter, variants)
    first = next((layer for layer, (fact, _, _) in enumerate(edits) if len(fact)), adapter.n_layers - 1)
    visible = visible_prefix(prefix, starts[:, None].expand(-1, rows))
    rotation = adapter.rotation(prefix.positions[:, None].expand(-1, rows, -1))
    hidden = prefix.middle[first][:, None].expand(-1, rows, -1, -1)
    for layer in range(first, adapter.n_layers):
        if layer > first:
            hidden = attend(adapter, layer, prefix, hidden, visible, rotation)
        neurons = adapter.neurons(layer, hidden)
        fact, row, neuron = edits[layer]
        if len(fact):
            neurons[fact, row, :, neuron] *= factor
        hidden = adapter.add_mlp(layer, hidden, adapter.mlp_output(layer, neurons))
    return hidden


@torch.no_grad()
def _value_streams(
    adapter: Adapter, facts: Sequence[EncodedFact], variants: Sequence[Sequence[NeuronSet]], factor: float, rows: int
) -> Iterator[tuple[int, Tensor]]:
    """Facts' numbers with final residual streams (n, T, width) of their next n variants; ``rows`` branches at once."""
    prefix = read_prompts(adapter, [fact.context for fact in facts], [fact.answer_positions for fact in facts])
    starts = torch.tensor([len(fact.prompt) - 1 for fact in facts], device=adapter.device)
    step = max(1, rows // len(facts))
    for begin in range(0, max(len(edits) for edits in variants), step):
        part = [edits[begin : begin + step] for edits in variants]
        hidden = _edited_branches(adapter, prefix, starts, part, factor)
        for fact, edits in enumerate(part):
            if edits:
                yield fact, hidden[fact, : len(edits)]


def _edited_mlp(adapter: Adapter, layer: int, hidden: Tensor, row: Tensor, neuron: Tensor, factor: float) -> Tensor:
    """The stream (rows, S, width) after an MLP in which some rows' neurons have multiplied weights of their own."""
    if not len(row):
        return adapter.add_mlp(layer, hidden, adapter.mlp_output(layer, adapter.neurons(layer, hidden)))
    read, bias = adapter.preactivation(layer, hidden), adapter.reading_bias(layer)
    read[row, :, neuron] *= factor
    if bias is not None:  # it is no part of the reading vector
        read[row, :, neuron] += (1 - factor) * bias[neuron, None]
    neurons = adapter.activate(layer, read, hidden)
    neurons[row, :, neuron] *= factor
    return adapter.add_mlp(layer, hidden, adapter.mlp_output(layer, neurons))


def _middles(adapter: Adapter, tokens: Tensor, rotation: tuple[Tensor, Tensor] | None) -> list[Tensor]:
    """The untouched model's residual stream after each layer's attention, (F, S, width), and the final one."""
    hidden = adapter.embed(tokens, torch.arange(tokens.shape[1], device=tokens.device))
    found = []
    for layer in range(adapter.n_layers):
        hidden = attend_whole(adapter, layer, hidden, rotation)
        found.append(hidden)
        hidden = adapter.add_mlp(layer, hidden, adapter.mlp_output(layer, adapter.neurons(layer, hidden)))
    return [*found, hidden]


def _first_layer(edit: NeuronSet, n_layers: int) -> int:
    return int(edit.layers.min()) if len(edit) else n_layers


def _edited_rows(
    adapter: Adapter,
    middles: list[Tensor],
    rotation: tuple[Tensor, Tensor] | None,
    rows: Sequence[tuple[int, NeuronSet]],
    factor: float,
) -> Tensor:
    """Final residual streams (rows, S, width) of (fact, neuron set) pairs sorted by the sets' first layers.

    A row enters the stack at its first layer; below, it is the untouched model.
    """
    first = np.array([_first_layer(edit, adapter.n_layers) for _, edit in rows])
    fact = np.array([number for number, _ in rows])
    edits = _by_layer(adapter, [[edit for _, edit in rows]])
    hidden = middles[0][:0]
    for layer in range(int(first[0]), adapter.n_layers):
        hidden = adapter.enter(layer, hidden)
        if len(hidden):
            hidden = attend_whole(adapter, layer, hidden, rotation)
        hidden = torch.cat((hidden, middles[layer][fact[first == layer]]))
        _, row, neuron = edits[layer]
        hidden = _edited_mlp(adapter, layer, hidden, row, neuron, factor)
    return torch.cat((hidden.to(middles[-1].device), middles[-1][fact[len(hidden) :]]))


def _pad(prompts: Sequence[Sequence[int]]) -> Tensor:
    """Token sequences as one (F, S) tensor, padded on the right, which causality makes harmless."""
    tokens = torch.zeros(len(prompts), max(len(prompt) for prompt in prompts), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = torch.tensor(prompt)
    return tokens


@torch.no_grad()
def _weight_streams(
    adapter: Adapter, facts: Sequence[EncodedFact], variants: Sequence[Sequence[NeuronSet]], factor: float, rows: int
) -> Iterator[tuple[int, Tensor]]:
    """The same for multiplied weights; ``rows`` tokens at once."""
    tokens = _pad([fact.context for fact in facts]).to(adapter.device)
    rotation = adapter.rotation(torch.arange(tokens.shape[1], device=adapter.device))
    middles = _middles(adapter, tokens, rotation)
    flat = [(number, edit) for number, edits in enumerate(variants) for edit in edits]
    order = sorted(range(len(flat)), key=lambda place: _first_layer(flat[place][1], adapter.n_layers))
    positions = torch.tensor([fact.answer_positions for fact in facts], device=adapter.device)
    final = torch.empty(len(flat), positions.shape[1], adapter.width, dtype=middles[0].dtype, device=adapter.device)
    step = max(1, rows // tokens.shape[1])
    for begin in range(0, len(order), step):
        part = order[begin : begin + step]
        hidden = _edited_rows(adapter, middles, rotation, [flat[place] for place in part], factor)
        queried = positions[[flat[place][0] for place in part], :, None]
        final[part] = hidden.to(queried.device).gather(1, queried.expand(-1, -1, adapter.width))
    done = 0
    for number, edits in enumerate(variants):
        if edits:
            yield number, final[done : done + len(edits)]
        done += len(edits)


@dataclass(frozen=True)
class AnswerScores:
    """What a model makes of one fact's answer under several interventions.

    Attributes:
        log_probs: (interventions, T) natural logarithms of the answer tokens' probabilities, teacher-forced, float64.
        greedy: (interventions,) whether every answer token is the first choice, so that greedy decoding gives the
            answer.
    """

    log_probs: np.ndarray
    greedy: np.ndarray


@torch.no_grad()
def answer_scores(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    variants: Sequence[Sequence[NeuronSet]],
    factor: float = SUPPRESS,
    site: str = "values",
    max_rows: int = 2048,
) -> list[AnswerScores]:
    """The answer's probability and whether it is the first choice, under interventions on neurons.

    Args:
        facts: facts whose answers have one and the same length T.
        variants: for each fact, the neuron sets to intervene on; ``NO_NEURONS`` for none. A set that occurs more than
            once for a fact is computed once.
        factor: what is multiplied by it (0 suppresses, 2 enhances).
        site: ``values``, the neurons at the answer-predicting positions; ``weights``, reading and writing vectors.
        max_rows: the most branches (values) or tokens (weights) computed at once.
    Raises:
        UserError: answers of different lengths, or an unknown site.
    """
    if site not in SITES:
        raise UserError(f"unknown site of intervention {site!r}; allowed: {', '.join(SITES)}")
    if len({len(fact.answer) for fact in facts}) != 1:
        raise UserError("facts evaluated together need answers of one and the same length")
    found: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in facts]
    streams = _value_streams if site == "values" else _weight_streams
    distinct, inverse = zip(*(_distinct(edits) for edits in variants), strict=True)
    for number, hidden in streams(adapter, facts, distinct, factor, max_rows):
        logits = adapter.unembed(adapter.final_norm(hidden))
        answers = torch.tensor(facts[number].answer, device=logits.device).expand(len(hidden), -1)
        log_probs = log_prob(log_odds_against(logits, answers).double())
        greedy = (logits.argmax(-1) == answers).all(-1)
        found[number].append((log_probs.cpu().numpy(), greedy.cpu().numpy()))
    nothing = (np.zeros((0, len(facts[0].answer))), np.zeros(0, dtype=bool))
    return [
        AnswerScores(*(np.concatenate(parts)[places] for parts in zip(*(chunks or [nothing]), strict=True)))
        for chunks, places in zip(found, inverse, strict=True)
    ]


def answer_log_probs(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    variants: Sequence[Sequence[NeuronSet]],
    factor: float = SUPPRESS,
    max_rows: int = 2048,
) -> list[np.ndarray]:
    """For each fact (number of variants, T) log-probabilities of the answer tokens under value interventions."""
    return [scores.log_probs for scores in answer_scores(adapter, facts, variants, factor, max_rows=max_rows)]


@contextmanager
def edited_weights(adapter: Adapter, edit: NeuronSet, factor: float) -> Iterator[None]:
    """Within the context, the neurons' reading and writing vectors are multiplied by ``factor``.

    Afterwards the weights are what they were, bit for bit, whatever happened inside.
    """
    touched = []
    try:
        with torch.no_grad():
            for layer in np.unique(edit.layers):
                neurons = torch.from_numpy(edit.neurons[edit.layers == layer]).to(adapter.layer_device(int(layer)))
                for weight in (adapter.reading(int(layer)), adapter.writing(int(layer))):
                    touched.append((weight, neurons, weight[neurons].clone()))
                    weight[neurons] *= factor
        yield
    finally:
        with torch.no_grad():
            for weight, neurons, saved in reversed(touched):
                weight[neurons] = saved
