"""Suppressing and enhancing neurons (docs/method.md).

*Values*: neurons are multiplied by a factor at the answer-predicting positions only. These are the last positions of
the input, so every neuron set is one branch on the fact's cached prefix, and the model itself is never touched.
*Weights*: the neurons' reading and writing vectors are multiplied, which acts at all positions; the model is
restored bit for bit afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dkn.branches import attend, visible_prefix
from dkn.encoding import EncodedFact
from dkn.errors import UserError
from dkn.language_models import Adapter
from dkn.probabilities import log_odds_against, log_prob
from dkn.reading import Prefix, read_prompts

SUPPRESS = 0.0
ENHANCE = 2.0


@dataclass(frozen=True)
class NeuronSet:
    """Neurons as two parallel integer arrays: (n,) layers and (n,) indices within the layer."""

    layers: np.ndarray
    neurons: np.ndarray

    def __len__(self) -> int:
        return len(self.layers)

    def take(self, members: np.ndarray | Sequence[int]) -> NeuronSet:
        """The members at some places of the arrays."""
        places = np.asarray(members, dtype=int)
        return NeuronSet(self.layers[places], self.neurons[places])


NO_NEURONS = NeuronSet(np.zeros(0, dtype=int), np.zeros(0, dtype=int))


def _by_layer(variants: Sequence[Sequence[NeuronSet]], n_layers: int, device: torch.device) -> list[tuple[Tensor, ...]]:
    """Per layer the (fact, branch, neuron) index triples of all edits."""
    triples = [
        np.stack((np.full(len(edit), fact), np.full(len(edit), row), edit.neurons, edit.layers))
        for fact, edits in enumerate(variants)
        for row, edit in enumerate(edits)
    ]
    flat = np.concatenate(triples, axis=1) if triples else np.zeros((4, 0), dtype=int)
    return [
        tuple(torch.from_numpy(part).to(device) for part in flat[:3, flat[3] == layer]) for layer in range(n_layers)
    ]


def _edited_branches(
    adapter: Adapter, prefix: Prefix, starts: Tensor, variants: Sequence[Sequence[NeuronSet]], factor: float
) -> Tensor:
    """Final residual streams (F, R, T, width) of all branches; fact f's first ``len(variants[f])`` rows are real."""
    rows = max(len(edits) for edits in variants)
    edits = _by_layer(variants, adapter.n_layers, adapter.device)
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
def answer_log_probs(
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    variants: Sequence[Sequence[NeuronSet]],
    factor: float = SUPPRESS,
    max_rows: int = 2048,
) -> list[np.ndarray]:
    """Teacher-forced log-probabilities of the answer tokens under value interventions.

    Args:
        facts: facts whose answers have one and the same length T.
        variants: for each fact, the neuron sets to intervene on, one branch each; ``NO_NEURONS`` for none.
        factor: what the neurons are multiplied by at the answer-predicting positions (0 suppresses, 2 enhances).
        max_rows: the most branches computed at once.
    Returns:
        For each fact a (number of variants, T) array of natural logarithms, float64.
    """
    if len({len(fact.answer) for fact in facts}) != 1:
        raise UserError("facts evaluated together need answers of one and the same length")
    prefix = read_prompts(adapter, [fact.context for fact in facts], [fact.answer_positions for fact in facts])
    starts = torch.tensor([len(fact.prompt) - 1 for fact in facts], device=adapter.device)
    answers = torch.tensor([fact.answer for fact in facts], device=adapter.device)
    results: list[list[np.ndarray]] = [[] for _ in facts]
    step = max(1, max_rows // len(facts))
    for begin in range(0, max(len(edits) for edits in variants), step):
        part = [edits[begin : begin + step] for edits in variants]
        hidden = _edited_branches(adapter, prefix, starts, part, factor)
        for row, edits in enumerate(part):
            if edits:
                logits = adapter.unembed(adapter.final_norm(hidden[row, : len(edits)]))
                odds = log_odds_against(logits, answers[row].expand(len(edits), -1))
                results[row].append(log_prob(odds.double()).cpu().numpy())
    return [np.concatenate(parts) if parts else np.zeros((0, answers.shape[1])) for parts in results]


@contextmanager
def edited_weights(adapter: Adapter, edit: NeuronSet, factor: float) -> Iterator[None]:
    """Within the context, the neurons' reading and writing vectors are multiplied by ``factor``.

    Afterwards the weights are what they were, bit for bit, whatever happened inside.
    """
    touched = []
    try:
        with torch.no_grad():
            for layer in np.unique(edit.layers):
                neurons = torch.from_numpy(edit.neurons[edit.layers == layer]).to(adapter.device)
                for weight in (adapter.reading(int(layer)), adapter.writing(int(layer))):
                    touched.append((weight, neurons, weight[neurons].clone()))
                    weight[neurons] *= factor
        yield
    finally:
        with torch.no_grad():
            for weight, neurons, saved in reversed(touched):
                weight[neurons] = saved
