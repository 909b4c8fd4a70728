"""Interventions on a model that goes on with its own first choices, step by step.

With an intervention in force the model reads the prompt, and its first choice is appended; it reads the longer context,
and so on. Answer token i is asked for after i such tokens. Every neuron set has a path of its own, so that one context
cannot serve them all: each step is a plain forward pass over the prompt with its path. Sets of a fact whose paths are
the same so far share this pass, and most do, because few interventions change a first choice.

Shapes name these axes: answer tokens T.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from dkn.decoder.adapters import Adapter
from dkn.decoder.answer_probabilities import log_odds_against, log_prob
from dkn.decoder.encoded_facts import EncodedFact
from dkn.neurons.sets import NeuronSet

# Takes a model, facts, the neuron sets of each fact, the factor, and how much is computed at once. Yields the index of
# a fact, and the final residual streams at its answer-predicting positions under its next n sets, (n, positions,
# width); the sets of a fact come in order.
Streams = Callable[
    [Adapter, Sequence[EncodedFact], Sequence[Sequence[NeuronSet]], float, int], Iterator[tuple[int, Tensor]]
]

Context = tuple[int, EncodedFact, list[int]]  # the index of a fact, what it is asked, and the indices of neuron sets


def _asked(fact: EncodedFact, path: tuple[int, ...], last_only: bool) -> EncodedFact:
    """Return a fact whose last prediction is that of answer token i, after a path of i tokens.

    Args:
        last_only: whether it predicts nothing else, or the answer tokens before this one too.
    """
    step = len(path)
    if last_only:
        return replace(fact, prompt=[*fact.prompt, *path], answer=[fact.answer[step]], extension=None)
    return replace(fact, answer=fact.answer[: step + 1], extension=list(path))


def _chunks(contexts: list[Context], rows: int) -> Iterator[list[Context]]:
    """Yield the contexts that are read together: about ``rows`` tokens, with about as many neuron sets each.

    Every context of a batch costs what the one with the most sets costs, so those with half as many are left for later.
    """
    contexts = sorted(contexts, key=lambda context: -len(context[2]))
    most = max(1, rows // max((len(asked.context) for _, asked, _ in contexts), default=1))
    while contexts:
        alike = sum(2 * len(sets) > len(contexts[0][2]) for _, _, sets in contexts)
        yield contexts[: min(alike, most)]
        contexts = contexts[min(alike, most) :]


@torch.no_grad()
def stepwise_answers(
    streams: Streams,
    adapter: Adapter,
    facts: Sequence[EncodedFact],
    variants: Sequence[Sequence[NeuronSet]],
    factor: float,
    rows: int,
    last_only: bool,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return how the model answers under interventions when its contexts go on with its own first choices.

    Args:
        streams: computes interventions in given contexts.
        facts: facts whose answers all have T tokens.
        variants: for each fact its neuron sets.
        factor, rows: as ``streams`` takes them.
        last_only: whether ``streams`` needs to be asked for the last position of a context only, or for all positions
            from the prompt's last one on, because it acts there.
    Returns:
        For each fact with n sets the log probability of answer token i after i first choices, (n, T) float64, in nats;
        and the first choice at each of these steps, (n, T) token ids.
    Raises:
        UserError: as ``streams`` raises it.
    """
    length = len(facts[0].answer)
    log_probs = [np.zeros((len(edits), length)) for edits in variants]
    choices = [np.zeros((len(edits), length), dtype=np.int64) for edits in variants]
    for step in range(length):
        sharing: dict[tuple[int, tuple[int, ...]], list[int]] = {}
        for number, chosen in enumerate(choices):
            for row, path in enumerate(chosen[:, :step].tolist()):
                sharing.setdefault((number, tuple(path)), []).append(row)
        contexts = [(number, _asked(facts[number], path, last_only), sets) for (number, path), sets in sharing.items()]
        for chunk in _chunks(contexts, rows):
            asked = [fact for _, fact, _ in chunk]
            edits = [[variants[number][row] for row in sets] for number, _, sets in chunk]
            left = [iter(sets) for _, _, sets in chunk]
            for place, hidden in streams(adapter, asked, edits, factor, rows):
                number, done = chunk[place][0], list(islice(left[place], len(hidden)))
                logits = adapter.unembed(adapter.final_norm(hidden[:, -1]))
                answers = torch.full(logits.shape[:1], facts[number].answer[step], device=logits.device)
                log_probs[number][done, step] = log_prob(log_odds_against(logits, answers).double()).cpu().numpy()
                choices[number][done, step] = logits.argmax(-1).cpu().numpy()
    return list(zip(log_probs, choices, strict=True))
