"""How much is computed at once: sized from free memory, halved when it runs out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from dkn.decoder.adapters import Adapter
from dkn.errors import UserError

SHARE = 0.4  # of the free memory
MOST_ROWS = 4096  # more branches at once are no faster


def free_memory(device: torch.device) -> int:
    """Free bytes on a device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def bytes_per_branch(adapter: Adapter) -> int:
    """What one branch of one token keeps for its backward pass, about: half the layers, all their intermediates."""
    element = torch.empty(0, dtype=adapter.model.dtype).element_size()
    per_layer = 12 * adapter.width + 5 * adapter.n_neurons
    return element * per_layer * (adapter.n_layers + 1) // 2


def _out_of_memory(error: RuntimeError) -> bool:
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in text or "allocate memory" in text


class RowBudget:
    """The number of branches computed at once; shared by all batches of a shard, so a lesson is learnt once.

    It also keeps the largest scratch tensor: fresh memory of that size costs as much time as computing what goes in.
    """

    def __init__(self, rows: int):
        self.rows = rows
        self._scratch = torch.empty(0)

    def scratch(self, rows: int, columns: int, device: torch.device) -> Tensor:
        """(rows, columns) float32 of undefined content, valid until the next call."""
        if self._scratch.device != device or self._scratch.numel() < rows * columns:
            self._scratch = torch.empty(rows * columns, device=device)
        return self._scratch[: rows * columns].view(rows, columns)

    @classmethod
    def for_model(cls, adapter: Adapter) -> RowBudget:
        """As many as a share of the free memory holds."""
        room = int(SHARE * min(map(free_memory, adapter.devices))) // bytes_per_branch(adapter)
        return cls(max(1, min(MOST_ROWS, room)))

    @contextmanager
    def attempt(self, smallest: int = 1) -> Iterator[int]:
        """Try a chunk of ``rows``; where memory runs out, halve them and let the caller try again.

        Args:
            smallest: a chunk that cannot be cut further; if that does not fit, the error is the user's to see.
        Raises:
            UserError: even the smallest chunk does not fit.
        """
        try:
            yield self.rows
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            if self.rows <= smallest:
                raise UserError(
                    f"out of memory with {self.rows} branches at once, the fewest there can be; lower compute.batch "
                    f"or use a device with more memory"
                ) from None
            self.rows = max(smallest, self.rows // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
