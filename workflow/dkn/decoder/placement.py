"""Placement of a model's weights: the whole model on one device, or whole layers spread over several.

The layers are cut into runs of consecutive layers, one run per device, so that all devices hold about equally much.
The embeddings, the last norm and the unembedding stay together on the first device, because some models tie the
embeddings to the unembedding. A module's inputs must be on its device: the adapter moves them between the steps of
``dkn.decoder.prefix`` and ``dkn.decoder.branches``, and hooks move them in the model's own forward pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
from accelerate.utils import send_to_device
from torch import nn

from dkn.decoder.adapters import Adapter


def _outside(module: nn.Module, layers: nn.Module) -> Iterator[nn.Module]:
    """Yield the largest modules under ``module`` that hold none of the layers."""
    for child in module.children():
        if all(descendant is not layers for descendant in child.modules()):
            yield child
        elif child is not layers:
            yield from _outside(child, layers)


def _bytes(modules: Sequence[nn.Module]) -> int:
    """Return the size of the modules' parameters in bytes; a parameter that modules share counts once."""
    parameters = {id(parameter): parameter for module in modules for parameter in module.parameters()}
    return sum(parameter.numel() * parameter.element_size() for parameter in parameters.values())


def runs(rest: int, layers: Sequence[int], devices: int) -> list[int]:
    """Return for each layer the index of its device, never falling, so that all devices hold about equally much.

    Args:
        rest: the size of everything but the layers, which the first device holds, in bytes.
        layers: the size of every layer, in bytes.
        devices: the number of devices, at least 1.
    """
    share = (rest + sum(layers)) / devices
    middles = [rest + sum(layers[:layer]) + size / 2 for layer, size in enumerate(layers)]
    return [min(int(middle / share), devices - 1) for middle in middles]


def _follow(device: torch.device, _module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Move a module's inputs to its device; a hook that PyTorch calls before the module's forward pass."""
    return send_to_device((inputs, named), device)


def spread(adapter: Adapter, devices: Sequence[torch.device]) -> None:
    """Move the weights of the adapter's model to one or several devices, in place.

    Args:
        devices: at least one. With several, every module also moves its inputs to its own device from now on.
    Raises:
        torch.OutOfMemoryError: the weights do not fit on the devices.
    """
    if len(devices) == 1:
        adapter.model.to(devices[0])
        return
    outside, layers = list(_outside(adapter.model, adapter.layers)), list(adapter.layers)
    device_indices = runs(_bytes(outside), [_bytes([layer]) for layer in layers], len(devices))
    layer_devices = [devices[index] for index in device_indices]
    for module, device in (*((module, devices[0]) for module in outside), *zip(layers, layer_devices, strict=True)):
        module.to(device)
        module.register_forward_pre_hook(partial(_follow, device), with_kwargs=True)
