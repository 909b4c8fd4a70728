"""Files in the format GGUF: their headers, and the parts that a file may come in; the standard library only.

A large file comes in parts of one of two kinds. Byte pieces are one file that was cut anywhere, and are joined again.
Splits are what llama.cpp's ``gguf-split`` makes: each is a GGUF file with some of the tensors.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

from dkn.errors import UserError
from dkn.models.families import require_family
from dkn.models.weights import POINTER

MAGIC = b"GGUF"
VERSIONS = (2, 3)
# The architectures of GGUF whose settings and weights transformers reads, and the families that it makes of them.
FAMILIES = {
    "gpt2": "gpt2",
    "llama": "llama",  # or "mistral": Mistral's models have this architecture too
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "gemma2": "gemma2",
    "gemma3": "gemma3_text",
    "falcon": "falcon",
    "phi3": "phi3",
    "bloom": "bloom",
    "stablelm": "stablelm",
    "starcoder2": "starcoder2",
    "nemotron": "nemotron",
}
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MOST_AXES = 4  # of a tensor
_PIECE = 1 << 20  # bytes that are read at once


class Entries(int):
    """How many entries a list in a header has, in place of the list."""


@dataclass(frozen=True)
class TensorEntry:
    """A tensor as the header of its file describes it.

    Attributes:
        name: its name.
        shape: the size of every axis, that of a row first.
        kind: the number of its type.
        offset: where its bytes begin, counted from those of the first tensor.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


def _left(file: BinaryIO) -> int:
    """Return how many bytes of a file are still to be read. What a header says of sizes may be far more."""
    return os.fstat(file.fileno()).st_size - file.tell()


def _take(file: BinaryIO, form: str) -> Any:
    """Read one number; raise EOFError where the file ends before."""
    size = struct.calcsize(f"<{form}")
    content = file.read(size)
    if len(content) < size:
        raise EOFError
    return struct.unpack(f"<{form}", content)[0]


def _text(file: BinaryIO) -> str:
    """Read one string; raise EOFError where the file ends before."""
    length = _take(file, "Q")
    if length > _left(file):
        raise EOFError
    return file.read(length).decode("utf-8", errors="replace")


def _value(file: BinaryIO, kind: int) -> Any:
    """Read a value of metadata; of a list, which is skipped, the number of its entries.

    Raises:
        EOFError: the file ends before.
        KeyError: the value is of no known type, or a list of lists, which llama.cpp does not read either.
    """
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        return _take(file, _NUMBERS[kind])
    of, count = _take(file, "I"), _take(file, "Q")
    form = "Q" if of == _STRING else _NUMBERS[of]  # a string takes the bytes of its length at least
    size = count * struct.calcsize(f"<{form}")
    if size > _left(file):
        raise EOFError
    if of != _STRING:
        file.seek(size, 1)
    for _ in range(count if of == _STRING else 0):
        _text(file)
    return Entries(count)


def _tensor(file: BinaryIO, path: Path) -> TensorEntry:
    """Read the entry of one tensor; raise EOFError where the file ends before.

    Raises:
        UserError: it has no axes, or more than any tensor of the format.
    """
    name, axes = _text(file), _take(file, "I")
    if not 1 <= axes <= _MOST_AXES:
        raise UserError(f"{path}: its header cannot be read (tensor {name[:100]!r} with {axes} axes)")
    shape = tuple(_take(file, "Q") for _ in range(axes))
    return TensorEntry(name, shape, _take(file, "I"), _take(file, "Q"))


def _read_header(path: Path, found: dict[str, Any], tensors: list[TensorEntry] | None) -> int:
    """Fill ``found`` with the metadata of a file, and ``tensors`` where it is a list; return the bytes that were read.

    Raises:
        EOFError: the file ends before; what stands before the end is filled in.
        UserError: as ``metadata`` raises it.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(POINTER))
            if start == POINTER:
                raise UserError(f"{path}: a pointer of Git LFS instead of the file; run `git lfs pull` there")
            if not start.startswith(MAGIC):
                raise UserError(f"{path}: not a GGUF file; the first part is the one that begins with GGUF")
            file.seek(len(MAGIC))
            version, held, count = _take(file, "I"), _take(file, "Q"), _take(file, "Q")
            if version not in VERSIONS:
                raise UserError(f"{path}: GGUF of version {version}; allowed: {', '.join(map(str, VERSIONS))}")
            for _ in range(count):
                if (key := _text(file)) in found:
                    raise UserError(f"{path}: its header cannot be read (key {key[:100]!r} stands twice in it)")
                found[key] = _value(file, _take(file, "I"))
            if tensors is not None:
                tensors.extend(_tensor(file, path) for _ in range(held))
            return file.tell()
    except KeyError as error:
        raise UserError(f"{path}: its header cannot be read (a value of type {error})") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def metadata(path: Path) -> dict[str, Any]:
    """Return the numbers and texts in the header of a GGUF file by their keys, and the lengths of its lists.

    Of a file that ends within its header, as the first of several byte pieces may, what stands before the end.

    Raises:
        UserError: the file cannot be read, is a pointer of Git LFS, or is no GGUF file of a known version.
    """
    found: dict[str, Any] = {}
    with suppress(EOFError):
        _read_header(path, found, None)
    return found


def whole_header(path: Path) -> tuple[dict[str, Any], list[TensorEntry], int]:
    """Return what ``metadata`` does, the entries of the tensors, and the number of bytes of the whole header.

    Raises:
        UserError: the file ends within its header, or as ``metadata`` raises it.
    """
    found: dict[str, Any] = {}
    tensors: list[TensorEntry] = []
    try:
        size = _read_header(path, found, tensors)
    except EOFError:
        raise UserError(
            f"{path}: cut off within its header ({path.stat().st_size} bytes), or damaged; fetch or copy it again"
        ) from None
    return found, tensors, size


def _is_split(path: Path) -> bool:
    """Tell whether a part that is not the first begins as a GGUF file does."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _require_order(paths: Sequence[Path]) -> None:
    """Raise where the names of parts differ in one number alone, which does not rise by one from each to the next.

    Raises:
        UserError: the line names the first two that do not follow each other.
    """
    if len({re.sub(r"\d+", "0", path.name) for path in paths}) > 1:
        return
    numbers = [tuple(map(int, re.findall(r"\d+", path.name))) for path in paths]
    for place, (one, other) in enumerate(pairwise(numbers)):
        steps = [b - a for a, b in zip(one, other, strict=True) if a != b]
        if steps != [1]:
            raise UserError(f"{paths[place + 1]}: does not follow {paths[place].name}; name every part, in order")


def require_architecture(path: Path) -> None:
    """Raise unless transformers reads the architecture of a GGUF file and the family that it becomes has an adapter.

    Raises:
        UserError: it does not, or the file is no GGUF file.
    """
    name = metadata(path).get("general.architecture")
    if name in FAMILIES:
        require_family(FAMILIES[name], f"{path}: ")
    elif name is not None:
        require_family(name, f"{path}: ")  # most others have no adapter either
        raise UserError(
            f"{path}: transformers reads no GGUF file of architecture {name!r}; allowed: {', '.join(FAMILIES)}, or the "
            f"model's safetensors by `source: folder` or `source: hub`"
        )


def require_gguf(paths: Sequence[Path]) -> None:
    """Raise before the first job what the names and first bytes of a GGUF file's parts show; no weight is read.

    Args:
        paths: the file, or its parts in order.
    Raises:
        UserError: a part is missing, they are not in order, or no adapter reads the model.
    """
    for path in paths:
        if not path.is_file():
            raise UserError(f"{path}: {'not a file' if path.exists() else 'no such file'}")
    _require_order(paths)
    require_architecture(paths[0])


def require_checksum(paths: Sequence[Path], checksum: str) -> None:
    """Raise unless files, read one after another, have a SHA-256 together.

    Args:
        paths: the files, in order.
        checksum: 64 hexadecimal digits.
    Raises:
        UserError: they have another one; the line states both.
    """
    found = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while content := file.read(_PIECE):
                found.update(content)
    if found.hexdigest() != checksum:
        what = f"{paths[0]}" + (f" and {len(paths) - 1} more parts" if len(paths) > 1 else "")
        raise UserError(f"{what}: sha256 is {found.hexdigest()}, expected {checksum}")


@contextmanager
def leaving_out(scratch: Path) -> Iterator[None]:
    """Leave a temporary folder out of the errors of the block, which is gone by the time that anyone reads them.

    Raises:
        UserError: as the block raises it, its files named without the folder.
    """
    try:
        yield
    except UserError as error:
        raise UserError(str(error).replace(f"{scratch}/joined/", "").replace(f"{scratch}/", "")) from None


def whole_files(paths: Sequence[Path], scratch: Path) -> list[Path]:
    """Return a model's GGUF files: the one there is, byte pieces joined to one in ``scratch``, or llama.cpp's splits.

    Args:
        paths: the file, or its parts in order.
        scratch: a folder for the joined file.
    Raises:
        UserError: parts are of both kinds, splits are not all there or not in order.
    """
    later = [_is_split(path) for path in paths[1:]]
    if any(later) and not all(later):
        raise UserError(f"{paths[0]}: of its parts, some are GGUF files and some are not; name the parts of one file")
    if later and not later[0]:
        joined = scratch / "joined" / (paths[0].name.partition(".gguf")[0] + ".gguf")
        joined.parent.mkdir()
        with joined.open("wb") as target:
            for path in paths:
                with path.open("rb") as source:
                    shutil.copyfileobj(source, target, _PIECE)
        return [joined]
    for number, path in enumerate(paths):
        header = metadata(path)
        found, count = header.get("split.no", 0), header.get("split.count") or 1
        if (found, count) != (number, len(paths)):
            raise UserError(f"{path}: is part {found + 1} of {count}, named as {number + 1} of {len(paths)}; name all")
    return list(paths)
