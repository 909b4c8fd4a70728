"""How many branches are computed at once: a number from the free memory, halved whenever memory runs out.

A *branch* (``dkn.decoder.branches``) is one variant of a prompt's last tokens; it is one row of a batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from dkn.decoder.adapters import Adapter
from dkn.errors import UserError

SHARE = 0.4  # the share of the free memory that the branches may take
MOST_ROWS = 4096  # more branches at once are no faster


def _reclaimable(table: Path = Path("/proc/meminfo")) -> int:
    """Return the bytes of main memory that Linux gives to who asks, its cache of files among them; 0 elsewhere."""
    try:
        lines = dict(line.split(":", 1) for line in table.read_text(encoding="ascii").splitlines())
        return 1024 * int(lines["MemAvailable"].split()[0])
    except (OSError, ValueError, KeyError, IndexError):
        return 0


def free_memory(device: torch.device, weights: int = 0) -> int:
    """Return the number of bytes on a device that a job can still take.

    In main memory the cache of files counts as free, but for as much as the weights take: where they are mapped from
    their files they are in that cache, and must stay there.

    Args:
        weights: the bytes of the model's weights on the device.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    unused = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(unused, _reclaimable() - weights)


def bytes_per_branch(adapter: Adapter) -> int:
    """Return about how many bytes a branch of one token keeps for its backward pass.

    It keeps the intermediates of the layers above its own, which are half of all layers on average.
    """
    element = torch.empty(0, dtype=adapter.model.dtype).element_size()
    per_layer = 12 * adapter.width + 5 * adapter.n_neurons
    return element * per_layer * (adapter.n_layers + 1) // 2


def _out_of_memory(error: RuntimeError) -> bool:
    """Tell whether an error says that memory ran out; on the CPU PyTorch raises a plain RuntimeError for that."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in text or "allocate memory" in text


class RowBudget:
    """The number of branches that are computed at once.

    All batches of a shard share one budget, so that memory runs out for the first of them only. The budget also keeps
    one scratch tensor, because fresh memory of its size costs as much time as computing its content.
    """

    def __init__(self, rows: int):
        self.rows = rows
        self._scratch = torch.empty(0)

    def scratch(self, rows: int, columns: int, device: torch.device) -> Tensor:
        """Return a (rows, columns) float32 tensor of undefined content, which is valid until the next call."""
        if self._scratch.device != device or self._scratch.numel() < rows * columns:
            self._scratch = torch.empty(rows * columns, device=device)
        return self._scratch[: rows * columns].view(rows, columns)

    @classmethod
    def for_model(cls, adapter: Adapter) -> RowBudget:
        """Return a budget of as many branches as a share of the free memory of the fullest device holds."""
        weights = sum(parameter.nbytes for parameter in adapter.model.parameters())
        free = min(free_memory(device, weights) for device in adapter.devices)
        room = int(SHARE * free) // bytes_per_branch(adapter)
        return cls(max(1, min(MOST_ROWS, room)))

    @contextmanager
    def attempt(self, smallest: int = 1) -> Iterator[int]:
        """Give the number of rows to compute; where memory runs out in the block, halve it for the next attempt.

        The caller repeats the block until it completes.

        Args:
            smallest: the fewest rows that the caller can compute at once.
        Raises:
            UserError: memory runs out although no more than ``smallest`` rows were computed.
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
