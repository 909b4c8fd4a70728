"""Where the tensors of a GGUF file lie: what its header says of them, compared with the file's size.

The ``gguf`` package takes the bytes at whatever place a header names, so that a file that is cut off or damaged there
would give other weights, or an error that names no cause.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

from dkn.errors import UserError
from dkn.models.gguf_files import TensorEntry, whole_header

_ALIGNMENT = 32  # bytes, where a file states none
_KINDS = {kind.value: sizes for kind, sizes in GGML_QUANT_SIZES.items()}


def _alignment(path: Path, metadata: dict[str, Any]) -> int:
    """Return the number of bytes of which every tensor begins at a multiple.

    Raises:
        UserError: it is no power of two.
    """
    stated = metadata.get("general.alignment", _ALIGNMENT)
    if type(stated) is not int or stated < 1 or stated & (stated - 1):
        raise UserError(f"{path}: states general.alignment as {stated!r}; allowed: powers of two")
    return stated


def _bytes(path: Path, tensor: TensorEntry) -> int:
    """Return how many bytes hold a tensor.

    Raises:
        UserError: its type is not known, or its rows are no whole number of blocks of the type.
    """
    if tensor.kind not in _KINDS:
        raise UserError(f"{path}: tensor {tensor.name} is of type {tensor.kind}, which is not read")
    block, size = _KINDS[tensor.kind]
    if tensor.shape[0] % block:
        kind = GGMLQuantizationType(tensor.kind).name
        raise UserError(
            f"{path}: tensor {tensor.name} has rows of {tensor.shape[0]} numbers, its type {kind} takes multiples of "
            f"{block}"
        )
    return prod(tensor.shape) // block * size


def require_layout(path: Path) -> None:
    """Raise unless the tensors of a GGUF file follow one another, as llama.cpp requires, up to the end of the file.

    Args:
        path: the file, whole or one of llama.cpp's splits.
    Raises:
        UserError: the file is cut off, longer than its tensors or damaged, or has a tensor of an unknown type.
    """
    metadata, tensors, header = whole_header(path)
    alignment = _alignment(path, metadata)
    start, end, padded = header + -header % alignment, 0, 0
    for tensor in tensors:
        if tensor.offset != padded:
            raise UserError(
                f"{path}: tensor {tensor.name} does not start where the one before it ends; the file is damaged"
            )
        end = padded + _bytes(path, tensor)
        padded = end + -end % alignment
    size = path.stat().st_size
    if tensors and not start + end <= size <= start + padded:
        fault = "cut off" if size < start + end else "longer than its tensors"
        raise UserError(f"{path}: {fault}: it has {size} bytes, its header says {start + end}")
