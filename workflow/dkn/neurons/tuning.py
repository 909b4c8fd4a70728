"""Training some neurons of a model, or all of it (docs/method.md).

*Some*: a correction of each selected neuron's reading and writing vector, zero at first, is the only thing that
trains. It is added to what the frozen projections give,

    preactivation[selected] += input @ reading correction,    output += neurons[selected] @ writing correction,

which is exactly what the model with corrected vectors gives. So the weights are never written, no gradient of their
size exists, and the optimiser's state is that of 2 * width numbers per neuron.
*All*: ordinary fine-tuning of every parameter; the weights are what they were afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from dkn.decoder.adapters import Adapter
from dkn.models.answer_loss import Sentence, answer_loss
from dkn.neurons.sets import NeuronSet
from dkn.randomness import generator


class Tuning(Protocol):
    """What a training run needs: within its context the parameters act, afterwards the model is what it was."""

    parameters: list[nn.Parameter]

    def __enter__(self) -> Self: ...

    def __exit__(self, *problem: object) -> None: ...

    def relative_changes(self) -> pd.DataFrame:
        """One row per trained neuron: layer, neuron, and the norm of the change relative to what changed, of the
        ``reading`` vector, of the ``writing`` vector, and of ``both`` in one; ``absolute`` is that of both as it is.
        """


Vectors = tuple[Tensor, ...]  # reading and writing vectors, each (neurons, width)


def _relative(layer: int, neurons: Tensor, changes: Vectors, vectors: Vectors) -> pd.DataFrame:
    """Rows of ``relative_changes`` from the changes of the vectors and the vectors before."""
    change, norm = (
        [part.detach().double().square().sum(1).cpu() for part in (*pair, torch.cat(pair, dim=1))]
        for pair in (changes, vectors)
    )
    reading, writing, both = ((above / below).sqrt().numpy() for above, below in zip(change, norm, strict=True))
    return pd.DataFrame(
        {
            "layer": layer,
            "neuron": neurons.cpu().numpy(),
            "reading": reading,
            "writing": writing,
            "both": both,
            "absolute": change[2].sqrt().numpy(),
        }
    )


class _LayerCorrection:
    """The corrections of one layer's selected neurons, in float32 or finer, and the hooks that apply them."""

    def __init__(self, adapter: Adapter, layer: int, neurons: np.ndarray):
        self.layer, self.modules = layer, adapter.projections(layer)
        self.neurons = torch.from_numpy(neurons).to(adapter.layer_device(layer))
        self.vectors = tuple(weight[self.neurons] for weight in (adapter.reading(layer), adapter.writing(layer)))
        dtype = torch.promote_types(adapter.model.dtype, torch.float32)
        self.reading, self.writing = (nn.Parameter(torch.zeros_like(part, dtype=dtype)) for part in self.vectors)

    def _read(self, _module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        correction = functional.linear(inputs[0].to(self.reading.dtype), self.reading)
        return output.index_add(-1, self.neurons, correction.to(output.dtype))

    def _write(self, _module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        correction = inputs[0][..., self.neurons].to(self.writing.dtype) @ self.writing
        return output + correction.to(output.dtype)

    def attach(self) -> list[Any]:
        reads, writes = self.modules
        return [reads.register_forward_hook(self._read), writes.register_forward_hook(self._write)]


class NeuronTuning:
    """The selected neurons' reading and writing vectors train; everything else is frozen and untouched."""

    def __init__(self, adapter: Adapter, neurons: NeuronSet):
        self.corrections = [
            _LayerCorrection(adapter, int(layer), np.sort(neurons.neurons[neurons.layers == layer]))
            for layer in np.unique(neurons.layers)
        ]
        self.parameters = [part for layer in self.corrections for part in (layer.reading, layer.writing)]
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        self._handles = [handle for layer in self.corrections for handle in layer.attach()]
        return self

    def __exit__(self, *problem: object) -> None:
        for handle in self._handles:
            handle.remove()

    def relative_changes(self) -> pd.DataFrame:
        """See ``Tuning``."""
        return pd.concat(
            [
                _relative(part.layer, part.neurons, (part.reading, part.writing), part.vectors)
                for part in self.corrections
            ],
            ignore_index=True,
        )


class FullTuning:
    """Every parameter of the model trains, within the context."""

    def __init__(self, adapter: Adapter):
        self.adapter = adapter
        self.parameters = list(adapter.model.parameters())
        self._before = [parameter.detach().cpu().clone() for parameter in self.parameters]
        self._vectors = [tuple(part.cpu().clone() for part in self._now(layer)) for layer in range(adapter.n_layers)]

    def _now(self, layer: int) -> tuple[Tensor, Tensor]:
        return self.adapter.reading(layer).detach(), self.adapter.writing(layer).detach()

    def __enter__(self) -> Self:
        self.adapter.model.requires_grad_(True)
        return self

    def __exit__(self, *problem: object) -> None:
        with torch.no_grad():
            for parameter, before in zip(self.parameters, self._before, strict=True):
                parameter.requires_grad_(False).copy_(before)
                parameter.grad = None

    def relative_changes(self) -> pd.DataFrame:
        """See ``Tuning``: of every MLP neuron, whatever else has changed."""
        parts = []
        for layer, before in enumerate(self._vectors):
            changes = tuple(now.cpu() - then for now, then in zip(self._now(layer), before, strict=True))
            parts.append(_relative(layer, torch.arange(self.adapter.n_neurons), changes, before))
        return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class TuningSettings:
    """``epochs`` passes over the sentences, ``batch`` of them a step; the order of the sentences is drawn by seed.

    Questions are asked after every ``ask_every`` epochs.
    """

    epochs: int
    ask_every: int
    batch: int
    seed: int


def state_bytes(optimiser: torch.optim.Optimizer) -> int:
    """What the optimiser remembers of its parameters, in bytes."""
    parts = (part for state in optimiser.state.values() for part in state.values() if isinstance(part, Tensor))
    return sum(part.numel() * part.element_size() for part in parts)


def train(
    adapter: Adapter, tuning: Tuning, sentences: Sequence[Sentence], rate: float, settings: TuningSettings
) -> Iterator[tuple[float, int]]:
    """Train by AdamW without weight decay, at a constant rate, without dropout; to be used within the context.

    Yields:
        After every ``ask_every`` epochs the seconds they took, and the optimiser's state in bytes.
    """
    optimiser = torch.optim.AdamW(tuning.parameters, lr=rate, weight_decay=0.0)
    start = time.perf_counter()
    for epoch in range(settings.epochs):
        order = generator(settings.seed, "fine-tuning/epoch", str(epoch)).permutation(len(sentences))
        for first in range(0, len(order), settings.batch):
            optimiser.zero_grad()
            answer_loss(adapter.model, [sentences[place] for place in order[first : first + settings.batch]]).backward()
            optimiser.step()
        if (epoch + 1) % settings.ask_every == 0:
            yield time.perf_counter() - start, state_bytes(optimiser)
            start = time.perf_counter()
