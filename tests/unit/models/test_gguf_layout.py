"""The places of tensors in GGUF files: whole files pass, and a header that does not fit its file is one line."""

from __future__ import annotations

import struct
from collections.abc import Callable
from math import prod
from pathlib import Path

import pytest

from dkn.errors import UserError
from dkn.models.gguf_files import whole_header
from dkn.models.gguf_layout import require_layout
from tests.unit.gguf_models import MODELS, random_model, write_gguf
from tests.unit.one_line import line_of


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A tiny LLaMA as a GGUF file."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(path, random_model("llama"))
    return path.read_bytes()


@pytest.mark.parametrize("architecture", MODELS)
def test_a_whole_file_passes(architecture: str, tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", random_model(architecture), architecture)
    require_layout(tmp_path / "tiny.gguf")


@pytest.mark.parametrize("kind", ["F16", "Q8_0"])
def test_tensors_take_the_bytes_of_their_types(kind: str, tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", random_model("llama"), kind=kind)
    require_layout(tmp_path / "tiny.gguf")


def test_splits_pass_each(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", random_model("llama"), split_max_tensors=8)
    splits = sorted(tmp_path.glob("*.gguf"))
    assert len(splits) > 1
    for split in splits:
        require_layout(split)


def entry(content: bytes, skipped: int) -> int:
    """The place of what follows the axes of the first tensor's entry, some bytes later."""
    place = content.index(b"token_embd.weight") + len("token_embd.weight")
    return place + 4 + 8 * struct.unpack_from("<I", content, place)[0] + skipped


def put(content: bytes, place: int, number: int, form: str) -> bytes:
    """The file with another number at a place."""
    changed = bytearray(content)
    struct.pack_into(f"<{form}", changed, place, number)
    return bytes(changed)


def fewer(content: bytes) -> bytes:
    """The file whose header counts one tensor less, so that all others would lie elsewhere."""
    return put(content, 8, struct.unpack_from("<Q", content, 8)[0] - 1, "Q")


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut off": (lambda whole: whole[:-1], "cut off: it has"),
    "half": (lambda whole: whole[: len(whole) // 2], "cut off: it has"),
    "longer": (lambda whole: whole + bytes(64), "longer than its tensors: it has"),
    "a tensor less": (fewer, "longer than its tensors: it has"),
    "an overlap": (lambda whole: put(whole, entry(whole, 4), 32, "Q"), "tensor token_embd.weight does not start"),
    "a place in front": (
        lambda whole: put(whole, entry(whole, 4), (1 << 64) - 32, "Q"),
        "tensor token_embd.weight does not start",
    ),
    "another type": (lambda whole: put(whole, entry(whole, 0), 1, "I"), "tensor blk.0.attn_q.weight does not start"),
    "an unknown type": (lambda whole: put(whole, entry(whole, 0), 99, "I"), "tensor token_embd.weight is of type 99"),
    "a type of blocks": (
        lambda whole: put(whole, entry(whole, 0), 16, "I"),
        "tensor token_embd.weight has rows of 32 numbers, its type IQ2_XXS takes multiples of 256",
    ),
    "a huge axis": (lambda whole: put(whole, entry(whole, -8), 1 << 62, "Q"), "tensor blk.0.attn_q.weight does not"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_header_that_does_not_fit_is_one_line(damage: str, content: bytes, tmp_path: Path) -> None:
    change, cause = DAMAGES[damage]
    path = tmp_path / "tiny.gguf"
    path.write_bytes(change(content))
    with pytest.raises(UserError) as caught:
        require_layout(path)
    assert line_of(caught).startswith(f"{path}: {cause}")


@pytest.mark.parametrize("alignment", [0, 33])
def test_an_alignment_is_a_power_of_two(alignment: int, tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny.gguf", random_model("llama"))
    whole = (tmp_path / "tiny.gguf").read_bytes()
    value = struct.pack("<Q", 17) + b"general.alignment" + struct.pack("<II", 4, alignment)
    count = struct.unpack_from("<Q", whole, 16)[0]
    (tmp_path / "tiny.gguf").write_bytes(whole[:16] + struct.pack("<Q", count + 1) + value + whole[24:])
    with pytest.raises(UserError, match=f"states general.alignment as {alignment}; allowed: powers of two"):
        require_layout(tmp_path / "tiny.gguf")


def test_a_header_says_what_tensors_there_are(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(content)
    _, tensors, size = whole_header(tmp_path / "tiny.gguf")
    assert (tensors[0].name, tensors[0].kind, tensors[0].offset) == ("token_embd.weight", 0, 0)
    assert 0 <= len(content) - size - sum(4 * prod(tensor.shape) for tensor in tensors) < 1000
