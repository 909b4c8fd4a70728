"""The weights of a model folder as their files describe them: names, types, shapes and places, from headers alone.

No weight is read here, and nothing but the standard library is imported, because the check runs before the first job.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, TypeGuard

from dkn.errors import UserError

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
FLOATS = ("F64", "F32", "F16", "BF16")
MOST_HEADER = 100_000_000  # bytes; the safetensors library takes no longer header either
POINTER = b"version https://git-lfs"
# What older checkpoints hold beside their weights: the causal mask of GPT-2, the frequencies of rotary positions.
_MASK = re.compile(r"(^|\.)(attn|attention)\.(masked_)?bias$")
_FREQUENCIES = re.compile(r"(^|\.)rotary_emb\.inv_freq$")
_LAYER = re.compile(r"(?:^|\.)(?:h|layers)\.(\d+)\.")
_EMBEDDINGS = ("wte.weight", "embed_tokens.weight", "embed_in.weight", "word_embeddings.weight")


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as the header of its file describes it.

    Attributes:
        dtype: the type as safetensors names it, such as F32.
        shape: the size of every axis.
        start, end: the bytes that hold it, counted from the end of the header.
    """

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def json_object(path: Path) -> dict[str, Any]:
    """Read a JSON object of a model's folder.

    Raises:
        UserError: the file is a pointer of Git LFS, or it holds no JSON object.
    """
    text = path.read_bytes()
    _refuse_pointer(path, text)
    try:
        content = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise UserError(f"{path}: no JSON object; fetch or copy the file again")
    return content


def _refuse_pointer(path: Path, start: bytes) -> None:
    """Raise where a file starts as what Git leaves in place of a large file."""
    if len(start) >= 8 and POINTER.startswith(start[: len(POINTER)]):
        raise UserError(f"{path}: a pointer of Git LFS instead of the file; run `git lfs pull` where it was cloned")


def _counts(values: Any) -> TypeGuard[list[int]]:
    """Tell whether a value of a header is a list of whole numbers that are not negative."""
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _stored(name: str, entry: Any) -> StoredTensor:
    """Read one entry of a header; raise ValueError where it is no tensor's."""
    if not isinstance(entry, dict):
        raise ValueError(f"its entry for {name} is no tensor's")
    dtype, shape, place = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or not _counts(shape) or not _counts(place) or len(place) != 2:
        raise ValueError(f"its entry for {name} is no tensor's")
    tensor = StoredTensor(dtype, tuple(shape), *place)
    if dtype in BYTES and tensor.end - tensor.start != prod(shape) * BYTES[dtype]:
        raise ValueError(f"{name} has {tensor.end - tensor.start} bytes, its type and shape need another number")
    return tensor


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of JSON a dictionary; raise ValueError where a name stands twice."""
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a name stands twice in it")
    return content


def stored_tensors(path: Path) -> dict[str, StoredTensor]:
    """Return the tensors of a safetensors file by name, and compare the header with the file's size.

    Raises:
        UserError: the file is a pointer of Git LFS, is cut off, or is no safetensors file; or its tensors overlap.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        _refuse_pointer(path, start)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or not 2 <= length <= MOST_HEADER:
            raise UserError(f"{path}: not a safetensors file")
        header = file.read(length)
    if len(header) < length:
        raise UserError(f"{path}: cut off within its header ({size} bytes); fetch or copy it again")
    try:
        entries = json.loads(header.decode("utf-8"), object_pairs_hook=_unique)
        tensors = {name: _stored(name, entry) for name, entry in entries.items() if name != "__metadata__"}
    except (ValueError, AttributeError, RecursionError) as error:
        reason = f": {error}" if type(error) is ValueError else ""
        raise UserError(f"{path}: not a safetensors file, its header cannot be read{reason}") from None
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)):
        if tensor.start != end:
            raise UserError(f"{path}: tensor {name} does not start where the one before it ends; the file is damaged")
        end = tensor.end
    if 8 + length + end != size:
        fault = "cut off" if size < 8 + length + end else "longer than its tensors"
        raise UserError(f"{path}: {fault}: it has {size} bytes, its header says {8 + length + end}")
    return tensors


def _sharded(folder: Path) -> dict[str, list[str]]:
    """Return the names of tensors by the shard that the index says holds them.

    Raises:
        UserError: the index is no index, or names a file outside the folder.
    """
    places = json_object(folder / INDEX).get("weight_map")
    shards: dict[str, list[str]] = {}
    for name, shard in places.items() if isinstance(places, dict) else ():
        if not isinstance(shard, str) or Path(shard).name != shard or not shard.endswith(".safetensors"):
            raise UserError(
                f"{folder / INDEX}: tensor {name} lies in {shard!r}, which is no .safetensors file beside it"
            )
        shards.setdefault(shard, []).append(name)
    if not shards:
        raise UserError(f"{folder / INDEX}: names no weights (weight_map is missing or empty)")
    return shards


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold a folder's weights: model.safetensors, or else the shards that an index names.

    Raises:
        UserError: the folder has neither, or the index is damaged.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        return [folder / shard for shard in sorted(_sharded(folder))]
    others = sorted(path.name for path in folder.glob("*.safetensors"))
    if others:
        raise UserError(f"{folder}: neither {WEIGHTS} nor {INDEX}, which says what {', '.join(others[:3])} hold")
    raise UserError(f"{folder}: no .safetensors weights here; other formats are not read, since they can run code")


def all_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Return all tensors of a folder's weights by name.

    Raises:
        UserError: a shard is missing or damaged, lacks what the index places in it, or repeats a tensor.
    """
    files = weight_files(folder)
    placed = {} if files == [folder / WEIGHTS] else _sharded(folder)
    tensors: dict[str, StoredTensor] = {}
    for path in files:
        if not path.is_file():
            raise UserError(f"{folder}: {path.name} is missing, which {INDEX} names; fetch or copy it again")
        found = stored_tensors(path)
        if absent := sorted(set(placed.get(path.name, ())) - found.keys()):
            raise UserError(f"{path}: lacks {listed(absent)}, which {INDEX} places in it")
        if twice := sorted(found.keys() & tensors.keys()):
            raise UserError(f"{path}: holds {listed(twice)} a second time; another shard has it too")
        tensors |= found
    return tensors


def listed(names: list[str], most: int = 4) -> str:
    """Return names as a list for a message, cut after some."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def is_buffer(name: str, shape: tuple[int, ...]) -> bool:
    """Tell whether a tensor is one of the buffers, no weights, that older checkpoints hold."""
    if _MASK.search(name):
        return not shape or (len(shape) == 4 and shape[:2] == (1, 1) and shape[2] == shape[3])
    return bool(_FREQUENCIES.search(name)) and len(shape) == 1


def embedding_rows(tensors: Mapping[str, StoredTensor]) -> int | None:
    """Return the number of rows of the token embeddings, or None where no tensor has their name."""
    return next((tensor.shape[0] for name, tensor in tensors.items() if name.endswith(_EMBEDDINGS)), None)


def _size(config: Mapping[str, Any], *names: str) -> int | None:
    """Return the first of several settings that a config states as a number, or None."""
    return next((config[name] for name in names if type(config.get(name)) is int), None)


def _mismatches(tensors: Mapping[str, StoredTensor], config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what in the weights contradicts the sizes that a config states."""
    layers = {int(found[1]) for name in tensors if (found := _LAYER.search(name))}
    stated = _size(config, "num_hidden_layers", "n_layer", "num_layers")
    if stated is not None and (len(layers) != stated or max(layers, default=-1) != stated - 1):
        yield f"config.json says {stated} layers, the weights have {len(layers)}"
    expected = [_size(config, "vocab_size"), _size(config, "word_embed_proj_dim", "hidden_size", "n_embd")]
    for name, tensor in tensors.items():
        if name.endswith(_EMBEDDINGS):
            fits = len(tensor.shape) == 2 and all(
                size in (None, found) for size, found in zip(expected, tensor.shape, strict=True)
            )
            if not fits:
                sizes = " by ".join("?" if size is None else str(size) for size in expected)
                yield f"config.json says embeddings of {sizes}, tensor {name} is {' by '.join(map(str, tensor.shape))}"


def require_weights(folder: Path, config: Mapping[str, Any]) -> dict[str, StoredTensor]:
    """Return a folder's tensors, and raise unless they are whole, of floating point, and of the sizes of a config.

    Whether they are those of the architecture is compared where transformers is at hand (``dkn.models.opening``).

    Raises:
        UserError: the line names the file or the tensor.
    """
    tensors = all_tensors(folder)
    for name, tensor in tensors.items():
        if tensor.dtype not in FLOATS and not is_buffer(name, tensor.shape):
            raise UserError(
                f"{folder}: tensor {name} is of type {tensor.dtype}, as quantised weights are; allowed: weights in "
                f"{', '.join(FLOATS)}"
            )
    for problem in _mismatches(tensors, config):
        raise UserError(f"{folder}: {problem}")
    return tensors
