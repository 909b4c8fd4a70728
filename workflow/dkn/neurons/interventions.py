"""Suppression and enhancement of neurons, and what they do to the probability of a fact's answer.

An intervention multiplies the neurons of a set by a factor: 0 suppresses them, 2 enhances them. It has one of two
sites.

*Values*: the neurons' values are multiplied at the positions that predict the answer. These are the last positions of
the input, so every neuron set is one branch (``dkn.decoder.branches``) on the fact's cached prefix. Where every answer
token has a context of its own, it is a branch of one token for each of them.

*Weights*: the neurons' reading and writing vectors are multiplied, which acts at all positions. Every neuron set is one
row of a forward pass in which the products with these vectors are multiplied, and not the model's weights.

Both read the answer off the context that its own tokens extend, unless ``EditSettings`` say otherwise; contexts that
the model extends itself are built by ``dkn.neurons.stepwise``.

Neither changes the model. ``edited_weights`` does: it multiplies the weights themselves and restores them bit for bit.

Shapes name these axes: facts F, branches R, answer tokens T, positions S.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from dkn.decoder.adapters import Adapter
from dkn.decoder.answer_probabilities import log_odds_against, log_prob
from dkn.decoder.attention import Rotation
from dkn.decoder.branches import Places, attend
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.prefix import Prefix, at_positions, attend_whole, read_prompts
from dkn.errors import UserError
from dkn.neurons.edits import AS_TEXT, EditSettings
from dkn.neurons.sets import NeuronSet
from dkn.neurons.stepwise import Streams, stepwise_answers
from dkn.study.names import SITES

SUPPRESS = 0.0
ENHANCE = 2.0


def _distinct(edits: Sequence[NeuronSet]) -> tuple[list[NeuronSet], list[int]]:
    """Return the different neuron sets among ``edits``, and for every edit the index of its set among them."""
    indices: dict[bytes, int] = {}
    distinct: list[NeuronSet] = []
    inverse = []
    for edit in edits:
        index = indices.setdefault(edit.key(), len(distinct))
        if index == len(distinct):
            distinct.append(edit)
        inverse.append(index)
    return distinct, inverse


def _by_layer(adapter: Adapter, variants: Sequence[Sequence[NeuronSet]]) -> list[tuple[Tensor, ...]]:
    """Return per layer the indices of every edited neuron: three (n,) tensors, of fact, variant and neuron.

    Args:
        variants: for each fact its neuron sets.
    """
    columns = [
        np.stack((np.full(len(edit), fact), np.full(len(edit), variant), edit.neurons, edit.layers))
        for fact, edits in enumerate(variants)
        for variant, edit in enumerate(edits)
    ]
    indices = np.concatenate(columns, axis=1) if columns else np.zeros((4, 0), dtype=int)
    return [
        tuple(torch.from_numpy(index).to(adapter.layer_device(layer)) for index in indices[:3, indices[3] == layer])
        for layer in range(adapter.n_layers)
    ]


def _edited_branches(
    adapter: Adapter,
    prefix: Prefix,
    variants: Sequence[Sequence[NeuronSet]],
    factor: float,
    settings: EditSettings,
) -> Tensor:
    """Return the final residual streams of branches in which neurons are multiplied, (F, R, T, width).

    R is the largest number of variants of a fact; the branches of a fact beyond its own number mean nothing.

    Args:
        variants: for each fact its neuron sets.
    """
    rows = max(len(edits) for edits in variants)
    edits = _by_layer(adapter, variants)
    first = next((layer for layer, (fact, _, _) in enumerate(edits) if len(fact)), adapter.n_layers - 1)
    positions = prefix.positions[:, None].expand(-1, rows, -1)
    apart = settings.positions == "last"
    if apart:  # each token is a branch of its own, which sees the prefix and not the edits there
        positions = positions.flatten(1)[..., None]
    places = Places.of(adapter, prefix, positions)
    hidden = prefix.middle[first][:, None].expand(-1, rows, -1, -1)
    for layer in range(first, adapter.n_layers):
        if layer > first:
            branches = hidden.flatten(1, 2)[:, :, None] if apart else hidden
            hidden = attend(adapter, layer, prefix, branches, places).view(*hidden.shape[:-1], -1)
        fact, row, neuron = edits[layer]
        if len(fact) and settings.site == "preactivation":
            read = adapter.preactivation(layer, hidden)
            read[fact, row, :, neuron] *= factor
            neurons = adapter.activate(layer, read, hidden)
        else:
            neurons = adapter.neurons(layer, hidden)
            if len(fact):
                neurons[fact, row, :, neuron] *= factor
        hidden = adapter.add_mlp(layer, hidden, adapter.mlp_output(layer, neurons))
    return hidden


@torch.no_grad()
def _value_streams(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    variants: Sequence[Sequence[NeuronSet]],
    factor: float,
    rows: int,
    settings: EditSettings = AS_TEXT,
) -> Iterator[tuple[int, Tensor]]:
    """Compute value interventions in chunks of at most ``rows`` branches, at least one branch per fact.

    Yields:
        The index of a fact, and the final residual streams at its answer-predicting positions under its next n
        variants, (n, T, width). A fact's variants come in order.
    """
    prefix = read_prompts(adapter, [fact.context for fact in facts], [fact.answer_positions for fact in facts])
    step = max(1, rows // len(facts))
    for begin in range(0, max(len(edits) for edits in variants), step):
        chunk = [edits[begin : begin + step] for edits in variants]
        hidden = _edited_branches(adapter, prefix, chunk, factor, settings)
        for fact, edits in enumerate(chunk):
            if edits:
                yield fact, hidden[fact, : len(edits)]


def _edited_mlp(adapter: Adapter, layer: int, hidden: Tensor, row: Tensor, neuron: Tensor, factor: float) -> Tensor:
    """Return the residual stream after an MLP in which every row has its own multiplied neurons.

    Args:
        hidden: (rows, S, width), the stream after attention.
        row, neuron: (n,), the rows and neurons whose reading and writing vectors are multiplied.
    Returns:
        (rows, S, width), the stream after the MLP.
    """
    if not len(row):
        return adapter.add_mlp(layer, hidden, adapter.mlp_output(layer, adapter.neurons(layer, hidden)))
    read, bias = adapter.preactivation(layer, hidden), adapter.reading_bias(layer)
    read[row, :, neuron] *= factor
    if bias is not None:  # the bias is no part of the reading vector and stays as it is
        read[row, :, neuron] += (1 - factor) * bias[neuron, None]
    neurons = adapter.activate(layer, read, hidden)
    neurons[row, :, neuron] *= factor
    return adapter.add_mlp(layer, hidden, adapter.mlp_output(layer, neurons))


def _middles(adapter: Adapter, tokens: Tensor, rotations: list[Rotation | None]) -> list[Tensor]:
    """Return the model's own middle of each layer (``dkn.decoder.adapters``), and the stream after the last layer.

    Args:
        tokens: (F, S), token ids.
        rotations: how each layer turns the S positions.
    Returns:
        One tensor per layer, each (F, S, size), and one more, (F, S, width).
    """
    hidden = adapter.embed(tokens, torch.arange(tokens.shape[1], device=tokens.device))
    middles = []
    for layer in range(adapter.n_layers):
        hidden = attend_whole(adapter, layer, hidden, rotations)
        middles.append(hidden)
        hidden = adapter.add_mlp(layer, hidden, adapter.mlp_output(layer, adapter.neurons(layer, hidden)))
    return [*middles, hidden]


def _first_layer(edit: NeuronSet, n_layers: int) -> int:
    """Return the lowest layer of a neuron set, or the number of layers for an empty set."""
    return int(edit.layers.min()) if len(edit) else n_layers


def _edited_rows(
    adapter: Adapter,
    middles: list[Tensor],
    rotations: list[Rotation | None],
    rows: Sequence[tuple[int, NeuronSet]],
    queried: Tensor,
    factor: float,
) -> Tensor:
    """Return the final residual streams under weight interventions at the queried positions, (rows, Q, width).

    A row enters the stack at the first layer of its neuron set, because up to there it equals the model itself. In the
    last layer nothing but keys and values is needed of the other positions.

    Args:
        middles: the model's own streams, see ``_middles``.
        rows: pairs of a fact's index and a neuron set, sorted by the sets' first layers.
        queried: (rows, Q), positions.
    """
    first = np.array([_first_layer(edit, adapter.n_layers) for _, edit in rows])
    fact = np.array([index for index, _ in rows])
    edits = _by_layer(adapter, [[edit for _, edit in rows]])
    hidden = middles[0][:0]
    for layer in range(int(first[0]), adapter.n_layers):
        hidden = adapter.enter(layer, hidden)
        last, done = layer == adapter.n_layers - 1, len(hidden)
        if done:
            hidden = attend_whole(adapter, layer, hidden, rotations, queried[:done] if last else None)
        entering = middles[layer][fact[first == layer]]
        if last:
            entering = at_positions(entering, queried[done : done + len(entering)])
        hidden = torch.cat((hidden, entering)) if done else entering
        _, row, neuron = edits[layer]
        hidden = _edited_mlp(adapter, layer, hidden, row, neuron, factor)
    untouched = at_positions(middles[-1][fact[len(hidden) :]], queried[len(hidden) :])
    return torch.cat((hidden.to(untouched.device), untouched)) if len(hidden) else untouched


def _pad(prompts: Sequence[Sequence[int]]) -> Tensor:
    """Return token sequences as one (F, S) tensor, padded on the right, where causal attention never looks."""
    tokens = torch.zeros(len(prompts), max(len(prompt) for prompt in prompts), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = torch.tensor(prompt)
    return tokens


@torch.no_grad()
def _weight_streams(
    adapter: Adapter, facts: Sequence[EncodedFact], variants: Sequence[Sequence[NeuronSet]], factor: float, rows: int
) -> Iterator[tuple[int, Tensor]]:
    """Compute weight interventions in chunks of at most ``rows`` tokens, at least one variant.

    Yields:
        The index of a fact, and the final residual streams at its answer-predicting positions under all its n variants,
        (n, T, width).
    """
    tokens = _pad([fact.context for fact in facts]).to(adapter.device)
    rotations = adapter.rotations(torch.arange(tokens.shape[1], device=adapter.device))
    middles = _middles(adapter, tokens, rotations)
    pairs = [(fact, edit) for fact, edits in enumerate(variants) for edit in edits]
    order = sorted(range(len(pairs)), key=lambda index: _first_layer(pairs[index][1], adapter.n_layers))
    positions = torch.tensor([fact.answer_positions for fact in facts], device=adapter.device)
    final = torch.empty(len(pairs), positions.shape[1], adapter.width, dtype=middles[0].dtype, device=adapter.device)
    step = max(1, rows // tokens.shape[1])
    for begin in range(0, len(order), step):
        chunk = order[begin : begin + step]
        queried = positions[[pairs[index][0] for index in chunk]]
        hidden = _edited_rows(adapter, middles, rotations, [pairs[index] for index in chunk], queried, factor)
        final[chunk] = hidden.to(final.device)
    done = 0
    for number, edits in enumerate(variants):
        if edits:
            yield number, final[done : done + len(edits)]
        done += len(edits)


@dataclass(frozen=True)
class AnswerScores:
    """How a model answers one fact under several interventions.

    Attributes:
        log_probs: (interventions, T) float64, the log probability of each answer token in its context, in nats; by
            default the context is the prompt with the answer tokens before it.
        greedy: (interventions,), whether every answer token is the first choice in its context, so that greedy decoding
            gives the answer (but where all tokens are read off the bare prompt).
    """

    log_probs: np.ndarray
    greedy: np.ndarray


def _answers(
    streams: Streams,
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    variants: Sequence[Sequence[NeuronSet]],
    factor: float,
    rows: int,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return how the model answers under interventions, in the facts' own contexts.

    Args:
        streams: computes interventions. Where a fact has one position alone, all its answer tokens are read off that.
    Returns:
        For each fact with n sets the log probabilities of the answer tokens, (n, T) float64, and the first choices,
        (n, T) token ids.
    """
    length = len(facts[0].answer)
    log_probs: list[list[Tensor]] = [[torch.zeros(0, length, dtype=torch.float64)] for _ in facts]
    choices: list[list[Tensor]] = [[torch.zeros(0, length, dtype=torch.long)] for _ in facts]
    for number, hidden in streams(adapter, facts, variants, factor, rows):
        logits = adapter.unembed(adapter.final_norm(hidden)).expand(-1, length, -1)
        answers = torch.tensor(facts[number].answer, device=logits.device).expand(len(hidden), -1)
        log_probs[number].append(log_prob(log_odds_against(logits, answers).double()))
        choices[number].append(logits.argmax(-1))
    # A GPU is waited for here and not in between.

    def fetched(chunks: list[Tensor]) -> np.ndarray:
        return np.asarray(torch.cat([chunk.to(adapter.device) for chunk in chunks]).cpu())

    return [(fetched(one), fetched(two)) for one, two in zip(log_probs, choices, strict=True)]


@torch.no_grad()
def answer_scores(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    variants: Sequence[Sequence[NeuronSet]],
    factor: float = SUPPRESS,
    site: str = "values",
    max_rows: int = 2048,
    edits: EditSettings = AS_TEXT,
) -> list[AnswerScores]:
    """Return how the model answers each fact under interventions on neurons.

    Args:
        facts: facts whose answers all have T tokens.
        variants: for each fact, the neuron sets to intervene on; ``NO_NEURONS`` leaves the model as it is. A set that
            occurs more than once for a fact is computed once.
        factor: the factor that neurons are multiplied by: 0 suppresses, 2 enhances.
        site: ``values``, the neurons at the answer-predicting positions, or ``weights``, their reading and writing
            vectors.
        max_rows: the most branches (values) or tokens (weights) that are computed at once.
        edits: where values are edited, and in which contexts the answer is read off.
    Returns:
        One result per fact, with the interventions in the order of the fact's variants.
    Raises:
        UserError: the answers have different numbers of tokens, a prompt is longer than the model's context, or the
            site is unknown.
    """
    if site not in SITES:
        raise UserError(f"unknown site of intervention {site!r}; allowed: {', '.join(SITES)}")
    if len({len(fact.answer) for fact in facts}) != 1:
        raise UserError("facts evaluated together need answers of one and the same length")
    streams = partial(_value_streams, settings=edits) if site == "values" else _weight_streams
    distinct, inverse = zip(*(_distinct(sets) for sets in variants), strict=True)
    if site == "weights" and edits.weights_context == "bare":
        bare = [replace(fact, extension=[]) for fact in facts]
        answered = _answers(streams, adapter, bare, distinct, factor, max_rows)
    elif edits.answer_path == "first-choice":
        last_only = site == "weights" or edits.positions == "last"
        answered = stepwise_answers(streams, adapter, facts, distinct, factor, max_rows, last_only)
    else:
        answered = _answers(streams, adapter, facts, distinct, factor, max_rows)
    return [
        AnswerScores(log_probs[indices], (choices == fact.answer).all(-1)[indices])
        for fact, (log_probs, choices), indices in zip(facts, answered, inverse, strict=True)
    ]


def answer_log_probs(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    variants: Sequence[Sequence[NeuronSet]],
    factor: float = SUPPRESS,
    max_rows: int = 2048,
    edits: EditSettings = AS_TEXT,
) -> list[np.ndarray]:
    """Return the log probabilities of the answer tokens under interventions on neurons' values.

    Args:
        facts, variants, factor, max_rows, edits: as ``answer_scores`` takes them.
    Returns:
        For each fact (variants, T) float64, in nats.
    Raises:
        UserError: as ``answer_scores`` raises it.
    """
    scores = answer_scores(adapter, facts, variants, factor, max_rows=max_rows, edits=edits)
    return [one.log_probs for one in scores]


@contextmanager
def edited_weights(adapter: Adapter, edit: NeuronSet, factor: float) -> Iterator[None]:
    """Multiply the neurons' reading and writing vectors by ``factor`` in the model's weights, within the context.

    On leaving it, by an exception too, the weights are restored bit for bit.
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
