"""GGUF files and their parts: what a header says, which parts make a file, and what is refused without reading it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

from dkn.errors import UserError
from dkn.models.families import SUPPORTED
from dkn.models.gguf_files import (
    FAMILIES,
    metadata,
    require_architecture,
    require_checksum,
    require_gguf,
    whole_files,
    whole_header,
)
from tests.unit.gguf_models import ROWS, pieces, random_model, write_gguf
from tests.unit.one_line import line_of


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny LLaMA as a GGUF file. Read only."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(path, random_model("llama"))
    return path


def header(path: Path, architecture: str) -> Path:
    """A file that begins as one of this architecture does, and ends there."""
    write_gguf(path, random_model("llama"))
    content = path.read_bytes()
    place = content.index(b"llama")
    name = architecture.encode()
    length = len(name).to_bytes(8, "little")
    path.write_bytes(content[: place - 8] + length + name)
    return path


def test_a_header_says_numbers_and_texts_and_how_long_lists_are(gguf: Path) -> None:
    found = metadata(gguf)
    assert (found["general.architecture"], found["llama.block_count"], found["tokenizer.ggml.pre"]) == (
        *("llama", 2),
        "gpt-2",
    )
    assert found["llama.rope.freq_base"] == 10000.0
    assert found["tokenizer.ggml.tokens"] == ROWS


def test_a_header_that_is_cut_off_says_what_stands_before(gguf: Path, tmp_path: Path) -> None:
    whole = metadata(gguf)
    for size in (4, 20, 60, 200, 1000):
        (tmp_path / "cut").write_bytes(gguf.read_bytes()[:size])
        assert metadata(tmp_path / "cut").items() <= whole.items()


NO_FILES: dict[str, tuple[bytes, str]] = {
    "another format": (b"PK\x03\x04", "not a GGUF file"),
    "empty": (b"", "not a GGUF file"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
    "an old version": (b"GGUF\x01\0\0\0" + bytes(16), "GGUF of version 1; allowed: 2, 3"),
    "an unknown value": (
        b"GGUF\x03\0\0\0" + bytes(8) + b"\x01" + bytes(7) + b"\x01" + bytes(7) + b"a" + b"\x63\0\0\0",
        "its header cannot be read (a value of type 99)",
    ),
}


@pytest.mark.parametrize("kind", NO_FILES)
def test_a_file_that_is_no_gguf_is_one_line(kind: str, tmp_path: Path) -> None:
    content, cause = NO_FILES[kind]
    (tmp_path / "model.gguf").write_bytes(content)
    with pytest.raises(UserError) as caught:
        require_gguf([tmp_path / "model.gguf"])
    assert line_of(caught).startswith(f"{tmp_path / 'model.gguf'}: {cause}")


HEADER = b"GGUF\x03\0\0\0" + bytes(8) + b"\x01" + bytes(7)  # of no tensors and one value
KEY = b"\x01" + bytes(7) + b"a"
LIST = KEY + b"\x09\0\0\0"
MANY = ((1 << 64) - 1).to_bytes(8, "little")
LIES: dict[str, bytes] = {
    "a text of most bytes": HEADER + KEY + b"\x08\0\0\0" + MANY,
    "a list of most texts": HEADER + LIST + b"\x08\0\0\0" + MANY + bytes(1000),
    "a list of most bytes": HEADER + LIST + b"\0\0\0\0" + MANY + bytes(1000),
    "a list of most large numbers": HEADER + LIST + b"\x0a\0\0\0" + MANY + bytes(1000),
    "most tensors": HEADER[:8] + MANY + bytes(8),
    "most values": HEADER[:16] + MANY,
    "a cut": HEADER[:20],
}


@pytest.mark.parametrize("kind", LIES)
def test_a_header_that_lies_of_sizes_is_a_cut_off_one(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(LIES[kind])
    assert metadata(path) == {}
    with pytest.raises(UserError) as caught:
        whole_header(path)
    assert line_of(caught).startswith(f"{path}: cut off within its header ({len(LIES[kind])} bytes), or damaged")


DAMAGES: dict[str, tuple[bytes, str]] = {
    "lists of lists": (HEADER + LIST + (b"\x09\0\0\0\x01" + bytes(7)) * 5000, "(a value of type 9)"),
    "values of zeros": (HEADER[:16] + MANY + bytes(1000), "(key '' stands twice in it)"),
    "tensors of zeros": (HEADER[:8] + MANY + bytes(1000), "(tensor '' with 0 axes)"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_header_ends_at_once(kind: str, tmp_path: Path) -> None:
    content, cause = DAMAGES[kind]
    (tmp_path / "model.gguf").write_bytes(content)
    with pytest.raises(UserError) as caught:
        whole_header(tmp_path / "model.gguf")
    assert line_of(caught) == f"{tmp_path / 'model.gguf'}: its header cannot be read {cause}"


def test_a_folder_is_no_gguf_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not a file$"):
        require_gguf([tmp_path])


def test_a_long_text_hides_nothing_behind_it(tmp_path: Path) -> None:
    write_gguf(tmp_path / "long.gguf", random_model("llama"), title="a" * (2 << 20))
    assert metadata(tmp_path / "long.gguf")["llama.block_count"] == 2


# --- families -----------------------------------------------------------------------------------------------


def test_architectures_are_those_that_transformers_reads_and_adapters_know() -> None:
    """Where a later transformers reads more of the supported families, this fails."""
    of_gguf = {FAMILIES.get(name, name) for name in GGUF_SUPPORTED_ARCHITECTURES}
    assert set(FAMILIES.values()) == (of_gguf & set(SUPPORTED)) - {"mistral"}  # whose files are of architecture "llama"
    assert set(FAMILIES) <= set(GGUF_SUPPORTED_ARCHITECTURES)


def test_the_page_lists_the_architectures() -> None:
    page = (Path(__file__).parents[3] / "docs" / "models-and-facts.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `(\w+)` \| `(\w+)`(?: or `mistral`)? \|", page.split("### GGUF files")[1], flags=re.MULTILINE
    )
    assert dict(rows) == FAMILIES


@pytest.mark.parametrize(
    ("architecture", "cause"),
    [
        ("bert", "model family 'bert' has no adapter (it is no decoder"),
        ("mamba", "model family 'mamba' has no adapter (its layers carry"),
        ("lfm2", "model family 'lfm2' has no adapter; supported families: gpt2"),
        ("granite", "transformers reads no GGUF file of architecture 'granite'; allowed: gpt2, llama, "),
    ],
)
def test_a_family_that_cannot_be_read_is_one_line(architecture: str, cause: str, tmp_path: Path) -> None:
    path = header(tmp_path / "model.gguf", architecture)
    with pytest.raises(UserError) as caught:
        require_architecture(path)
    assert line_of(caught).startswith(f"{path}: {cause}")


def test_a_family_with_an_adapter_passes(gguf: Path) -> None:
    require_gguf([gguf])


# --- parts --------------------------------------------------------------------------------------------------


def test_byte_pieces_are_joined(gguf: Path, tmp_path: Path) -> None:
    (tmp_path / "whole.gguf").write_bytes(gguf.read_bytes())
    parts = pieces(tmp_path / "whole.gguf", 5)
    require_gguf(parts)
    (joined,) = whole_files(parts, tmp_path)
    assert joined.read_bytes() == gguf.read_bytes()


def test_one_file_and_splits_are_read_where_they_are(gguf: Path, tmp_path: Path) -> None:
    assert whole_files([gguf], tmp_path) == [gguf]
    write_gguf(tmp_path / "tiny.gguf", random_model("llama"), split_max_tensors=12)
    splits = sorted(tmp_path.glob("*.gguf"))
    require_gguf(splits)
    assert whole_files(splits, tmp_path) == splits
    for wrong in (splits[:1], splits[1:], splits[::-1]):
        with pytest.raises(UserError, match=r"is part \d of 2, named as 1 of [12]; name all"):
            whole_files(wrong, tmp_path)


def test_parts_of_both_kinds_are_one_line(gguf: Path, tmp_path: Path) -> None:
    (tmp_path / "piece").write_bytes(b"weights")
    with pytest.raises(UserError, match="some are GGUF files and some are not"):
        whole_files([gguf, gguf, tmp_path / "piece"], tmp_path)


@pytest.mark.parametrize(
    ("order", "place"),
    [((0, 2, 1, 3), 1), ((1, 0, 2, 3), 1), ((0, 1, 3), 2), ((0, 0, 1), 1), ((0, 1, 2, 3, 3), 4)],
    ids=str,
)
def test_numbered_parts_that_do_not_follow_each_other_are_named(
    order: tuple[int, ...], place: int, gguf: Path, tmp_path: Path
) -> None:
    (tmp_path / "whole.gguf").write_bytes(gguf.read_bytes())
    parts = pieces(tmp_path / "whole.gguf", 4)
    with pytest.raises(UserError) as caught:
        require_gguf([parts[number] for number in order])
    expected = f"{parts[order[place]]}: does not follow {parts[order[place - 1]].name}; name every part, in order"
    assert line_of(caught) == expected


def test_parts_without_numbers_are_taken_in_the_order_that_is_stated(gguf: Path, tmp_path: Path) -> None:
    (tmp_path / "whole.gguf").write_bytes(gguf.read_bytes())
    parts = [part.rename(tmp_path / name) for part, name in zip(pieces(tmp_path / "whole.gguf", 2), "ba", strict=True)]
    require_gguf(parts)
    assert whole_files(parts, tmp_path)[0].read_bytes() == gguf.read_bytes()


def test_a_missing_part_is_one_line(gguf: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        require_gguf([gguf, tmp_path / "absent"])
    assert line_of(caught) == f"{tmp_path / 'absent'}: no such file"


def test_a_checksum_is_that_of_all_parts_together(gguf: Path, tmp_path: Path) -> None:
    whole = hashlib.sha256(gguf.read_bytes()).hexdigest()
    (tmp_path / "whole.gguf").write_bytes(gguf.read_bytes())
    parts = pieces(tmp_path / "whole.gguf", 3)
    require_checksum([gguf], whole)
    require_checksum(parts, whole)
    with pytest.raises(UserError) as caught:
        require_checksum(parts, "0" * 64)
    assert line_of(caught) == f"{parts[0]} and 2 more parts: sha256 is {whole}, expected {'0' * 64}"
