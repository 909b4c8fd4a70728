"""Neuron sets to edit models with, and whether a model's weights are what they were."""

from __future__ import annotations

import copy

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from dkn.decoder.adapters import Adapter
from dkn.neurons.sets import NeuronSet


def neuron_set(*pairs: tuple[int, int]) -> NeuronSet:
    """Return the set of these (layer, neuron) pairs."""
    return NeuronSet(np.array([layer for layer, _ in pairs]), np.array([neuron for _, neuron in pairs]))


def pairs_of(edit: NeuronSet) -> list[tuple[int, int]]:
    """Return the (layer, neuron) pairs of a set, in its order."""
    return list(zip(edit.layers.tolist(), edit.neurons.tolist(), strict=True))


def whole_layer(adapter: Adapter, layer: int) -> NeuronSet:
    """Return all neurons of a layer."""
    return NeuronSet(np.full(adapter.n_neurons, layer), np.arange(adapter.n_neurons))


def random_set(adapter: Adapter, size: int, seed: int) -> NeuronSet:
    """Distinct neurons, in no order."""
    flat = np.random.default_rng(seed).choice(adapter.n_layers * adapter.n_neurons, size, replace=False)
    return NeuronSet(flat // adapter.n_neurons, flat % adapter.n_neurons)


def weights_of(model: PreTrainedModel) -> dict[str, Tensor]:
    """Return copies of all weights, by name."""
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same_bits(model: PreTrainedModel, before: dict[str, Tensor]) -> None:
    """Assert that every weight of a model has the bits that it had."""
    after = model.state_dict()
    assert after.keys() == before.keys()
    for name, value in before.items():
        assert torch.equal(after[name].view(torch.int32), value.view(torch.int32)), name


def by_hand(model: PreTrainedModel, edit: NeuronSet, factor: float) -> PreTrainedModel:
    """Return a copy of a model with the neurons' reading and writing vectors multiplied, one by one."""
    model = copy.deepcopy(model)
    for layer, neuron in pairs_of(edit):
        if model.config.model_type == "gpt2":
            mlp = model.transformer.h[layer].mlp
            mlp.c_fc.weight[:, neuron] *= factor
            mlp.c_proj.weight[neuron, :] *= factor
        else:
            mlp = model.model.layers[layer].mlp
            mlp.gate_proj.weight[neuron, :] *= factor
            mlp.down_proj.weight[:, neuron] *= factor
    return model
