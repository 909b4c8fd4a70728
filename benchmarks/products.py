"""How long the matrix products of a computation take without everything around them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dkn.study.operations import Product

RECORDED = ("aten.mm.", "aten.addmm.")


class _Recorder(TorchDispatchMode):
    """Keeps the two factors of every matrix product."""

    def __init__(self) -> None:
        super().__init__()
        self.factors: list[tuple[Tensor, Tensor]] = []

    def __torch_dispatch__(self, func: object, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        if str(func).startswith(RECORDED):
            self.factors.append((args[-2].detach(), args[-1].detach()))
        return func(*args, **(kwargs or {}))  # type: ignore[operator]


def in_order(compute: Callable[[], object]) -> Callable[[], None]:
    """Return a function that repeats the matrix products of a computation: the same tensors in the same order.

    Every weight is read from where the computation reads it: main memory, for a model larger than the caches.
    """
    with _Recorder() as recorder:
        compute()
    shapes = {(left.shape[0], right.shape[1]) for left, right in recorder.factors}
    results = {shape: torch.empty(shape, dtype=recorder.factors[0][0].dtype) for shape in shapes}

    def repeat() -> None:
        for left, right in recorder.factors:
            torch.mm(left, right, out=results[left.shape[0], right.shape[1]])

    return repeat


def operations(products: Sequence[Product]) -> int:
    """Return the floating-point operations of matrix products."""
    return sum(2 * m * k * n * often for m, k, n, often in products)


def cached(products: Sequence[Product], clock: Callable[[], float]) -> float:
    """Return the seconds of products whose matrices stay in the caches: the median of each shape, repeated alone."""
    total = 0.0
    for m, k, n, often in (product for product in products if product[-1]):
        left, right = torch.randn(m, k), torch.randn(k, n)
        total += often * taking_turns([lambda a=left, b=right: a @ b], 3, clock)[0]
    return total


def taking_turns(
    computations: Sequence[Callable[[], object]], rounds: int, clock: Callable[[], float] = time.process_time
) -> list[float]:
    """Return the median seconds of each of some computations that take turns, after one round that does not count.

    A neighbour on the same processor slows all of them alike, so that their ratios keep their meaning.
    """
    times = np.zeros((rounds + 1, len(computations)))
    for row in times:
        for number, compute in enumerate(computations):
            start = clock()
            compute()
            row[number] = clock() - start
    return [float(median) for median in np.median(times[1:], axis=0)]
