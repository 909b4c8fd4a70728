"""Products with large matrices whose rows are given, cut into blocks where that is faster."""

from __future__ import annotations

import torch
from torch import Tensor

BLOCK = 1024  # rows of a matrix that stay in a core's cache while they are used


def times_rows(left: Tensor, matrix: Tensor, out: Tensor | None = None) -> Tensor:
    """Return ``left @ matrix.T``, without a gradient.

    A CPU multiplies few float32 vectors by a matrix as tall as a vocabulary up to a third faster in blocks of its rows.
    A GPU gets the whole product at once.

    Args:
        left: (..., width).
        matrix: (rows, width).
        out: a contiguous tensor of the result's shape, (..., rows), to write into; None allocates one.
    """
    blocks = left.device.type == "cpu" and left.dtype == matrix.dtype == torch.float32 and len(matrix) > BLOCK
    with torch.no_grad():
        if not blocks or not matrix.is_contiguous():
            return torch.matmul(left, matrix.T, out=out)
        result = left.new_empty(*left.shape[:-1], len(matrix)) if out is None else out
        flat = left.reshape(-1, left.shape[-1])
        for part, columns in zip(matrix.split(BLOCK), result.view(len(flat), -1).split(BLOCK, dim=1), strict=True):
            torch.mm(flat, part.T, out=columns)
        return result
