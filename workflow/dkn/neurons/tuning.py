"""Fine-tuning of some neurons of a model, or of the whole model.

*Some neurons*: each selected neuron has a correction of its reading vector and one of its writing vector, zero at
first, and nothing else is trained. The corrections are applied to the results of the frozen projections,

    preactivation[selected] += input @ reading correction,    output += neurons[selected] @ writing correction,

which gives exactly what a model with corrected vectors gives. So the weights are never written, no gradient of their
size exists, and the optimiser's state is that of 2 * width numbers per neuron.

*The whole model*: every parameter is trained, and its weights are restored afterwards.

*What the released code trains* in place of some neurons: their reading vectors and biases, and beside them the token
and position embeddings and the last norm, whose gradients it does not set to zero. These are restored afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from dkn.decoder.adapters import Adapter
from dkn.errors import UserError
from dkn.models.answer_loss import Sentence, answer_loss
from dkn.neurons.sets import NeuronSet
from dkn.randomness import generator

VECTORS, READING_AND_EMBEDDINGS = "vectors", "reading-and-embeddings"  # what is trained of some neurons
STEPS = (1, 2)  # an optimiser's steps for one gradient


class Tuning(Protocol):
    """The parameters that a training run changes; they act within its context, and leaving it restores the model."""

    parameters: list[nn.Parameter]

    def __enter__(self) -> Self: ...

    def __exit__(self, *problem: object) -> None: ...

    def relative_changes(self) -> pd.DataFrame:
        """Return how much the vectors of the trained neurons have changed.

        Returns:
            One row per trained neuron with its ``layer`` and ``neuron``; the norm of the change relative to the norm
            before it, of the ``reading`` vector, of the ``writing`` vector, and of ``both`` joined into one; and
            ``absolute``, the norm of the change of both joined into one.
        """


Vectors = tuple[Tensor, ...]  # reading and writing vectors, each (neurons, width)


def _relative(layer: int, neurons: Tensor, changes: Vectors, vectors: Vectors) -> pd.DataFrame:
    """Return the rows of ``Tuning.relative_changes`` for some neurons of one layer.

    Args:
        neurons: (neurons,), their indices.
        changes: the changes of their reading and writing vectors.
        vectors: these vectors before the training.
    """
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


def _by_layer(neurons: NeuronSet) -> list[tuple[int, np.ndarray]]:
    """Return every layer of a neuron set with its neurons, both in ascending order."""
    return [(int(layer), np.sort(neurons.neurons[neurons.layers == layer])) for layer in np.unique(neurons.layers)]


class _Correction:
    """The correction of what one layer's selected neurons read, in float32 or finer, and the hook that applies it."""

    bias: nn.Parameter | None = None  # the correction of their biases, for a subclass that has one

    def __init__(self, adapter: Adapter, layer: int, neurons: np.ndarray):
        self.layer, self.modules = layer, adapter.projections(layer)
        self.neurons = torch.from_numpy(neurons).to(adapter.layer_device(layer))
        self.vectors = tuple(weight[self.neurons] for weight in (adapter.reading(layer), adapter.writing(layer)))
        self._dtype = torch.promote_types(adapter.model.dtype, torch.float32)
        self.reading = self._zeros_like(self.vectors[0])

    def _zeros_like(self, part: Tensor) -> nn.Parameter:
        return nn.Parameter(torch.zeros_like(part, dtype=self._dtype))

    def _read(self, _module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        """Add the corrections to what the selected neurons read; a hook on the module of the reading vectors."""
        correction = functional.linear(inputs[0].to(self.reading.dtype), self.reading, self.bias)
        return output.index_add(-1, self.neurons, correction.to(output.dtype))

    def attach(self) -> list[Any]:
        """Register the hooks and return their handles."""
        return [self.modules[0].register_forward_hook(self._read)]


class _LayerCorrection(_Correction):
    """The corrections of what one layer's selected neurons read and write."""

    def __init__(self, adapter: Adapter, layer: int, neurons: np.ndarray):
        super().__init__(adapter, layer, neurons)
        self.writing = self._zeros_like(self.vectors[1])

    def _write(self, _module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        """Add the corrections to what the selected neurons write; a hook on the module of the writing vectors."""
        correction = inputs[0][..., self.neurons].to(self.writing.dtype) @ self.writing
        return output + correction.to(output.dtype)

    def attach(self) -> list[Any]:
        """Register the hooks and return their handles."""
        return [*super().attach(), self.modules[1].register_forward_hook(self._write)]


class _BiasedCorrection(_Correction):
    """The corrections of one layer's selected neurons' reading vectors and biases."""

    def __init__(self, adapter: Adapter, layer: int, neurons: np.ndarray):
        super().__init__(adapter, layer, neurons)
        self.bias = self._zeros_like(self.vectors[0][:, 0])


class NeuronTuning:
    """Training of the selected neurons' reading and writing vectors; everything else is frozen."""

    def __init__(self, adapter: Adapter, neurons: NeuronSet):
        self.corrections = [_LayerCorrection(adapter, layer, chosen) for layer, chosen in _by_layer(neurons)]
        self.parameters = [vectors for layer in self.corrections for vectors in (layer.reading, layer.writing)]
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        self._handles = [handle for layer in self.corrections for handle in layer.attach()]
        return self

    def __exit__(self, *problem: object) -> None:
        for handle in self._handles:
            handle.remove()

    def relative_changes(self) -> pd.DataFrame:
        """Return how much the vectors of the selected neurons have changed; columns as ``Tuning`` describes them."""
        return pd.concat(
            [
                _relative(layer.layer, layer.neurons, (layer.reading, layer.writing), layer.vectors)
                for layer in self.corrections
            ],
            ignore_index=True,
        )


class _OwnParameters:
    """Parameters of a model that are trained in place: they can be within a context, and get back their values."""

    def __init__(self, parameters: Iterable[nn.Parameter]):
        self.parameters = list(parameters)
        self._before = [parameter.detach().cpu().clone() for parameter in self.parameters]

    def __enter__(self) -> Self:
        for parameter in self.parameters:
            parameter.requires_grad_(True)
        return self

    def __exit__(self, *problem: object) -> None:
        with torch.no_grad():
            for parameter, before in zip(self.parameters, self._before, strict=True):
                parameter.requires_grad_(False).copy_(before)
                parameter.grad = None


class ReadingAndEmbeddingTuning:
    """Training of what the released code trains in GPT-2; no writing vector and nothing else is trained.

    That is the selected neurons' reading vectors and biases, the token and position embeddings, and the gain and the
    bias of the last norm. Where the embeddings are tied, the unembedding changes with them. Embeddings and norm are
    trained in the type of their weights, of which 16 bits lose small steps.

    Raises:
        UserError: the model is of another family; the released code trains no other.
    """

    def __init__(self, adapter: Adapter, neurons: NeuronSet):
        family = adapter.model.config.model_type
        if family != "gpt2":
            raise UserError(f"{READING_AND_EMBEDDINGS} trains models of the family gpt2 only, not of {family}")
        transformer = adapter.model.transformer
        norm = transformer.ln_f
        self._own = _OwnParameters((transformer.wte.weight, transformer.wpe.weight, norm.weight, norm.bias))
        self.corrections = [_BiasedCorrection(adapter, layer, chosen) for layer, chosen in _by_layer(neurons)]
        corrected = [part for layer in self.corrections for part in (layer.reading, layer.bias) if part is not None]
        self.parameters = [*corrected, *self._own.parameters]
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        self._own.__enter__()
        self._handles = [handle for layer in self.corrections for handle in layer.attach()]
        return self

    def __exit__(self, *problem: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._own.__exit__(*problem)

    def relative_changes(self) -> pd.DataFrame:
        """Return how much the vectors of the selected neurons have changed; columns as ``Tuning`` describes them.

        The writing vectors have not. Changes of biases, embeddings and the norm are not reported.
        """
        return pd.concat(
            [
                _relative(layer.layer, layer.neurons, (layer.reading, torch.zeros_like(layer.reading)), layer.vectors)
                for layer in self.corrections
            ],
            ignore_index=True,
        )


class FullTuning(_OwnParameters):
    """Training of every parameter of the model."""

    def __init__(self, adapter: Adapter):
        super().__init__(adapter.model.parameters())
        self.adapter = adapter
        self._vectors = [tuple(part.cpu().clone() for part in self._now(layer)) for layer in range(adapter.n_layers)]

    def _now(self, layer: int) -> tuple[Tensor, Tensor]:
        """Return the layer's reading and writing vectors as they are now, each (neurons, width)."""
        return self.adapter.reading(layer).detach(), self.adapter.writing(layer).detach()

    def relative_changes(self) -> pd.DataFrame:
        """Return how much the vectors of every MLP neuron have changed; columns as ``Tuning`` describes them.

        Changes of other parameters are not reported.
        """
        tables = []
        for layer, before in enumerate(self._vectors):
            changes = tuple(now.cpu() - then for now, then in zip(self._now(layer), before, strict=True))
            tables.append(_relative(layer, torch.arange(self.adapter.n_neurons), changes, before))
        return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class TuningSettings:
    """The schedule of a training run.

    Attributes:
        epochs: the number of passes over the sentences.
        ask_every: the number of epochs after which the caller may ask the model questions.
        batch: the number of sentences per step.
        seed: the seed of the study.
        training: the number of the training, from 0. With the seed it keys the order of the sentences, which is drawn
            anew for every epoch and is all that differs between trainings of the same neurons.
        trained: what is trained of some neurons: ``vectors``, their reading and writing vectors; or
            ``reading-and-embeddings``, what the released code trains, see ``ReadingAndEmbeddingTuning``.
        steps: the optimiser's steps for one batch, 1 or 2. The second one takes the same gradient again: the released
            code makes a step of its own before that of its trainer.

    Raises:
        UserError: ``trained`` or ``steps`` has another value.
    """

    epochs: int
    ask_every: int
    batch: int
    seed: int
    training: int = 0
    trained: str = VECTORS
    steps: int = 1

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("value of trained", self.trained, (VECTORS, READING_AND_EMBEDDINGS)),
            ("number of steps", self.steps, STEPS),
        ):
            if value not in allowed:
                raise UserError(f"unknown {name} {value!r}; allowed: {', '.join(map(str, allowed))}")

    def tuning(self, adapter: Adapter, neurons: NeuronSet | None) -> Tuning:
        """Return the training of a model's neurons, or of all its parameters where ``neurons`` is None.

        Raises:
            UserError: ``trained`` is not for models of this family.
        """
        if neurons is None:
            return FullTuning(adapter)
        kind = NeuronTuning if self.trained == VECTORS else ReadingAndEmbeddingTuning
        return kind(adapter, neurons)


def state_bytes(optimiser: torch.optim.Optimizer) -> int:
    """Return the size of the optimiser's state, in bytes."""
    tensors = (value for state in optimiser.state.values() for value in state.values() if isinstance(value, Tensor))
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def train(
    adapter: Adapter, tuning: Tuning, sentences: Sequence[Sentence], rate: float, settings: TuningSettings
) -> Iterator[tuple[float, int]]:
    """Train by AdamW without weight decay or dropout, at a constant learning rate, within the context of ``tuning``.

    Args:
        tuning: the parameters to train; its context must have been entered.
        sentences: what the model learns.
        rate: the learning rate.
    Yields:
        After every ``settings.ask_every`` epochs the seconds that these epochs took, and the size of the optimiser's
        state in bytes.
    """
    optimiser = torch.optim.AdamW(tuning.parameters, lr=rate, weight_decay=0.0)
    start = time.perf_counter()
    for epoch in range(settings.epochs):
        key = f"{settings.training}/{epoch}"
        order = generator(settings.seed, "fine-tuning/epoch", key).permutation(len(sentences))
        for first in range(0, len(order), settings.batch):
            optimiser.zero_grad()
            answer_loss(adapter.model, [sentences[index] for index in order[first : first + settings.batch]]).backward()
            for _ in range(settings.steps):
                optimiser.step()
        if (epoch + 1) % settings.ask_every == 0:
            yield time.perf_counter() - start, state_bytes(optimiser)
            start = time.perf_counter()
