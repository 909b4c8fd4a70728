"""Weights of a GGUF file as float32 safetensors, one tensor after the other, so that few of them are in memory at once.

The names, and what llama.cpp's converter did to tensors (rows that were exchanged, norms that are one larger), are
those of transformers 5.23 (``transformers.modeling_gguf_pytorch_utils``), whose own loader holds the model three times.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import gguf
import numpy as np
import torch
from transformers import AutoModelForCausalLM, PretrainedConfig
from transformers.modeling_gguf_pytorch_utils import (
    TENSOR_PROCESSORS,
    GGUFTensor,
    TensorProcessor,
    get_gguf_hf_weights_map,
)

from dkn.errors import UserError
from dkn.models.gguf_config import read_config
from dkn.models.gguf_files import metadata
from dkn.models.gguf_layout import require_layout
from dkn.models.gguf_rotation import FACTORS
from dkn.models.gguf_tokenizer import read_gguf_tokenizer
from dkn.models.opening import one_line, require_opens
from dkn.models.weights import WEIGHTS, listed

BLOCK = 1 << 22  # numbers that are dequantised at once
_ALIGNMENT = 8  # bytes; a header of safetensors ends at a multiple
# By a tensor's name in GGUF: of transformers' one tensor that it is, or of several whose stack it is, name and shape.
Places = Mapping[str, Mapping[str, tuple[int, ...]]]
# StableLM's norms, each of one head.
_NORMS = re.compile(r"model\.layers\.(\d+)\.self_attn\.([qk])_layernorm\.norms\.\d+\.weight")


class FalconProcessor(TensorProcessor):
    """Falcon's fused matrix as its model has it, which transformers 5.23 leaves as llama.cpp's converter wrote it."""

    def process(self, weights: np.ndarray, name: str, **kwargs: Any) -> GGUFTensor:
        """Return for each key-value head its queries, its key and its value, instead of first all queries.

        Args:
            weights: (queries + keys + values, width), each a head after the other, where the name is that matrix's.
        """
        if name.endswith("attn_qkv.weight"):
            heads, groups = self.config["num_attention_heads"], self.config["num_kv_heads"]
            size = self.config["hidden_size"] // heads
            parts = np.split(weights, [heads * size, (heads + groups) * size])
            weights = np.concatenate([part.reshape(groups, -1, weights.shape[1]) for part in parts], axis=1)
            weights = weights.reshape(-1, weights.shape[-1])
        return GGUFTensor(weights, name, {})


PROCESSORS = {**TENSOR_PROCESSORS, "falcon": FalconProcessor}


def _dequantised(path: Path, tensor: gguf.ReaderTensor) -> np.ndarray:
    """Return a tensor of a GGUF file in float32, with the shape that it has in the file.

    Raises:
        UserError: the ``gguf`` package does not read its type.
    """
    shape = tuple(int(size) for size in reversed(tensor.shape))
    rows = tensor.data.reshape(-1, tensor.data.shape[-1])
    whole = np.empty((len(rows), shape[-1]), dtype=np.float32)
    step = max(1, BLOCK // shape[-1])
    try:
        for start in range(0, len(rows), step):
            whole[start : start + step] = gguf.quants.dequantize(rows[start : start + step], tensor.tensor_type)
    except NotImplementedError:
        kind = tensor.tensor_type.name
        raise UserError(f"{path}: tensor {tensor.name} is of type {kind}, which is not read") from None
    return whole.reshape(shape)


def _places(path: Path, config: PretrainedConfig, processor: TensorProcessor, architecture: str) -> Places:
    """Return where each tensor of GGUF goes; raise UserError where the model has tensors without a name there."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    names = get_gguf_hf_weights_map(model, processor, model_type=architecture)
    shapes = {name: tuple(weight.shape) for name, weight in model.named_parameters()}
    places = {name: {place: shapes[place]} for name, place in names.items() if place in shapes}
    for place, shape in shapes.items():
        if norm := _NORMS.fullmatch(place):
            places.setdefault(f"blk.{norm[1]}.attn_{norm[2]}_norm.weight", {})[place] = shape
    if unnamed := sorted(shapes.keys() - {place for parts in places.values() for place in parts}):
        raise UserError(f"{path}: no tensor of a GGUF file is this model's {listed(unnamed)}")
    return places


def _require_same(path: Path, places: Places, tensors: Sequence[gguf.ReaderTensor]) -> None:
    """Raise unless the tensors of the files are those of the architecture."""
    names = [tensor.name for tensor in tensors]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f"{path}: holds {listed(twice)} twice")
    if missing := sorted(places.keys() - set(names)):
        raise UserError(f"{path}: lacks {len(missing)} of the model's tensors: {listed(missing)}")
    if surplus := sorted(set(names) - places.keys()):
        raise UserError(
            f"{path}: holds {len(surplus)} tensors for which the architecture has no place: {listed(surplus)}"
        )


def _header(shapes: Mapping[str, tuple[int, ...]]) -> bytes:
    """Return the beginning of a safetensors file with float32 tensors of these shapes, in this order."""
    entries: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + 4 * int(np.prod(shape, dtype=np.int64))
        entries[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def _weights(
    path: Path, tensors: Sequence[gguf.ReaderTensor], places: Places, processor: TensorProcessor
) -> Iterator[np.ndarray]:
    """Yield every tensor in float32 as transformers has it, in the order of ``tensors``.

    Raises:
        UserError: a tensor has another shape than the architecture gives it.
    """
    for tensor in tensors:
        apart: dict[str, torch.Tensor] = {}  # where processors put what they rename themselves
        made = processor.process(
            weights=_dequantised(path, tensor), name=tensor.name, parsed_parameters={"tensors": apart}
        )
        weight = made.weights if made.name else next(iter(apart.values())).numpy()
        shapes = list(places[tensor.name].values())
        shape = shapes[0] if len(shapes) == 1 else (len(shapes), *shapes[0])
        if weight.shape != shape:
            sizes = " by ".join(map(str, weight.shape)), " by ".join(map(str, shape))
            raise UserError(f"{path}: tensor {tensor.name} is {sizes[0]}, the architecture needs {sizes[1]}")
        yield np.ascontiguousarray(weight, dtype="<f4")


def _write(file: BinaryIO, shapes: Mapping[str, tuple[int, ...]], weights: Iterator[np.ndarray]) -> None:
    """Write a safetensors file of these shapes from weights in the same order."""
    file.write(_header(shapes))
    for weight in weights:
        file.write(weight.data.cast("B"))


def convert_gguf(paths: Sequence[Path], target: Path) -> None:
    """Fill the folder ``target`` with a model from a GGUF file: float32 safetensors, config.json and the tokenizer.

    At any time one tensor is in memory as float32, and a second time while its rows are exchanged.

    Args:
        paths: the file, or llama.cpp's splits of it in order.
    Raises:
        UserError: the model cannot be read, or it holds what transformers' model has no place for.
    """
    first = paths[0]
    for path in paths:
        require_layout(path)
    about = metadata(first)
    with one_line(first, "the weights"):
        tensors = [tensor for path in paths for tensor in gguf.GGUFReader(path).tensors]
        factors = {tensor.name: _dequantised(first, tensor).tolist() for tensor in tensors if tensor.name in FACTORS}
        tensors = [tensor for tensor in tensors if tensor.name not in FACTORS]
        config = read_config(first, about, {tensor.name for tensor in tensors}, factors)
        architecture = about["general.architecture"]
        processor = PROCESSORS.get(architecture, TensorProcessor)(config=config.to_dict())
        places = _places(first, config, processor, architecture)
        _require_same(first, places, tensors)
        with (target / WEIGHTS).open("wb") as file:
            shapes = {place: shape for tensor in tensors for place, shape in places[tensor.name].items()}
            _write(file, shapes, _weights(first, tensors, places, processor))
        config.save_pretrained(target)
    with one_line(first, "the tokenizer"):
        read_gguf_tokenizer(first, about).save_pretrained(target)
    require_opens(target)
