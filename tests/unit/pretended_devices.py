"""Devices that do not exist, for tests of what runs on several of them.

Within ``pretended_devices`` a tensor may be on ``meta:0``, ``meta:1``, …: it computes on the CPU, but says that it is
there, and an operation on tensors of two devices raises, as on real ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

CPU = torch.device("cpu")
MOVES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)


class Elsewhere(Tensor):
    """A tensor on a device that does not exist; ``here`` is the one that computes."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor, device: torch.device) -> Elsewhere:
        tensor = Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=device,
        )
        tensor.here = here
        return tensor

    def __repr__(self) -> str:
        return f"{self.here!r} on {self.device}"

    @classmethod
    def __torch_dispatch__(cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(operation, args, kwargs or {})


def _here(value: Any) -> Any:
    return value.here if isinstance(value, Elsewhere) else value


def _compute(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Do it on the CPU, and put what is new where its arguments are, or where it was asked for."""
    given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    places = {tensor.device for tensor in given if tensor.dim() or tensor.device != CPU}  # CPU scalars go anywhere
    if len(places) > 1 and operation not in MOVES:
        raise RuntimeError(f"{operation}: tensors on {', '.join(sorted(map(str, places)))}")
    asked = kwargs.get("device")
    if operation is torch.ops.aten.copy_.default:
        device = given[0].device
    else:
        device = torch.device(asked) if asked is not None else next(iter(places), CPU)
    own = {id(tensor.here): tensor for tensor in given if isinstance(tensor, Elsewhere)}
    inner_args, inner_kwargs = tree_map(_here, (args, {**kwargs, "device": CPU} if asked is not None else kwargs))
    found = operation(*inner_args, **inner_kwargs)

    def put(value: Any) -> Any:
        if not isinstance(value, Tensor) or device == CPU:
            return value
        return own[id(value)] if id(value) in own else Elsewhere(value, device)  # in place: what was given

    return tree_map(put, found)


class _Everywhere(TorchDispatchMode):
    """For operations none of whose arguments is elsewhere: those that make or move tensors."""

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(operation, args, kwargs or {})


def _index(given: Any, device: torch.device) -> Any:
    """An index with its lists and arrays as tensors."""
    if isinstance(given, tuple):
        return tuple(_index(part, device) for part in given)
    return torch.tensor(given).to(device) if isinstance(given, list | np.ndarray) else given


class _Values(TorchFunctionMode):
    """Calls that would lose sight of values: of tensors made on a meta device, also as an index, or of others."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        device = kwargs.pop("device", None) if function is torch.tensor else None
        if function is Tensor.tolist:
            args = (args[0].cpu(),)
        if function in (Tensor.__getitem__, Tensor.__setitem__):
            args = (args[0], _index(args[1], args[0].device), *args[2:])
        made = function(*args, **kwargs)
        return made if device is None else made.to(device)


@contextmanager
def pretended_devices(count: int) -> Iterator[list[torch.device]]:
    """So many devices that do not exist. A parameter that moves there stays the same object, as on real ones."""
    before = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        with _Values(), _Everywhere():
            yield [torch.device("meta", number) for number in range(count)]
    finally:
        torch.__future__.set_swap_module_params_on_conversion(before)
