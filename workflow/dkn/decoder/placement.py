"""Where a model's weights are: whole on one device, or whole layers spread over several.

Layers are cut into runs of about equal size, one per device; embeddings, the last norm and the unembedding stay on
the first, which tied embeddings need. What a module is given follows it to its device: by the adapter between the
steps of ``dkn.reading`` and ``dkn.branches``, by hooks where the model's own forward pass runs.
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
    """The largest modules that hold none of the layers."""
    for child in module.children():
        if all(part is not layers for part in child.modules()):
            yield child
        elif child is not layers:
            yield from _outside(child, layers)


def _bytes(modules: Sequence[nn.Module]) -> int:
    """The size of the parameters, each counted once."""
    parameters = {id(part): part for module in modules for part in module.parameters()}
    return sum(part.numel() * part.element_size() for part in parameters.values())


def runs(rest: int, layers: Sequence[int], devices: int) -> list[int]:
    """For each layer the number of its device, rising, so that all devices hold about as much.

    Args:
        rest: the size of what the first device holds beside layers.
        layers: their sizes.
    """
    share = (rest + sum(layers)) / devices
    middles = [rest + sum(layers[:place]) + size / 2 for place, size in enumerate(layers)]
    return [min(int(middle / share), devices - 1) for middle in middles]


def _follow(device: torch.device, _module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> Any:
    return send_to_device((inputs, named), device)


def spread(adapter: Adapter, devices: Sequence[torch.device]) -> None:
    """Move the model's weights, in place.

    Args:
        devices: one for the whole model, or several to cut it into.
    Raises:
        torch.OutOfMemoryError: they do not fit.
    """
    if len(devices) == 1:
        adapter.model.to(devices[0])
        return
    outside, layers = list(_outside(adapter.model, adapter.layers)), list(adapter.layers)
    numbers = runs(_bytes(outside), [_bytes([layer]) for layer in layers], len(devices))
    homes = [devices[number] for number in numbers]
    for module, device in (*((module, devices[0]) for module in outside), *zip(layers, homes, strict=True)):
        module.to(device)
        module.register_forward_pre_hook(partial(_follow, device), with_kwargs=True)
