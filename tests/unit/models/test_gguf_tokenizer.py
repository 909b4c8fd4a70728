"""Tokenizers of GGUF files: how texts are split, the first space, and the beginning token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tokenizers import pre_tokenizers
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

from dkn.errors import UserError
from dkn.models.gguf_files import metadata
from dkn.models.gguf_tokenizer import AS_GPT2, OWN_WAYS, WITH_BEGINNING, read_gguf_tokenizer
from dkn.models.opening import read_tokenizer
from tests.unit.gguf_models import byte_level, random_model, sentence_pieces, write_gguf
from tests.unit.gguf_models import tokenizer_of as of_family
from tests.unit.model_folders import TEXT, bpe
from tests.unit.one_line import line_of


def tokenizer_of(tmp_path: Path, about: dict[str, Any], architecture: str = "llama") -> Any:
    """The tokenizer of a file with these keys, saved and read as a prepared model's is."""
    rows = len(about["ggml.tokens"])
    write_gguf(tmp_path / "tiny.gguf", random_model(architecture, vocab_size=rows), architecture, tokenizer=about)
    read_gguf_tokenizer(tmp_path / "tiny.gguf", metadata(tmp_path / "tiny.gguf")).save_pretrained(tmp_path / "saved")
    return read_tokenizer(tmp_path / "saved")


def pieces_of(tokenizer: Any, text: str) -> list[str]:
    """The tokens of a text, special ones too."""
    return tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])


# --- byte-level ---------------------------------------------------------------------------------------------


def test_a_byte_level_tokenizer_gives_the_tokens_it_was_written_from(tmp_path: Path) -> None:
    found = tokenizer_of(tmp_path, byte_level(bpe()))
    for text in (TEXT, f" {TEXT}", "In 2010, the  capital", "é☃"):
        assert found(text)["input_ids"] == bpe().encode(text).ids
    assert found.decode(found(TEXT)["input_ids"]) == TEXT


def test_digits_stand_alone_where_the_file_names_such_a_way(tmp_path: Path) -> None:
    about = {**byte_level(bpe()), "ggml.pre": "smollm"}
    found = tokenizer_of(tmp_path, about)
    original = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    text = "In 2010,   7 towns"
    split = found.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)
    assert split == original.pre_tokenize_str(text)
    assert [piece for piece, _ in split[1:6]] == ["Ġ", "2", "0", "1", "0"]


OWN: dict[str, list[str]] = {
    "falcon": ["It", "'", "s", "Ġ", "123", "45", ",", "Ġ", "(", "the", "Ġ", "Ġcapital", ")!?"],
    "bloom": ["It's", "Ġ12345", ",Ġ(", "the", "Ġ", "Ġcapital", ")!?"],
    "stablelm2": ["It", "'s", "Ġ", "1", "2", "3", "4", "5", ",", "Ġ(", "the", "Ġ", "Ġcapital", ")!?"],
}


@pytest.mark.parametrize("way", OWN)
def test_ways_that_transformers_does_not_know_are_their_models(way: str, tmp_path: Path) -> None:
    found = tokenizer_of(tmp_path, {**byte_level(bpe()), "ggml.pre": way})
    split = found.backend_tokenizer.pre_tokenizer.pre_tokenize_str("It's 12345, (the  capital)!?")
    assert [piece for piece, _ in split] == OWN[way]


def test_a_way_that_nobody_knows_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        tokenizer_of(tmp_path, {**byte_level(bpe()), "ggml.pre": "unheard-of"})
    assert line_of(caught).startswith(f"{tmp_path / 'tiny.gguf'}: its tokenizer splits texts as 'unheard-of', which is")


@pytest.mark.parametrize("stated", [None, False, True])
@pytest.mark.parametrize("way", ["llama-bpe", "qwen2"])
def test_the_beginning_is_added_as_llama_cpp_adds_it(way: str, stated: bool | None, tmp_path: Path) -> None:
    about = {**byte_level(bpe()), "ggml.pre": way, **({} if stated is None else {"ggml.add_bos_token": stated})}
    found = tokenizer_of(tmp_path, about)
    added = way == "llama-bpe" if stated is None else stated
    assert found(TEXT)["input_ids"][:1] == ([0] if added else found(TEXT, add_special_tokens=False)["input_ids"][:1])
    assert len(found(TEXT)["input_ids"]) - len(found(TEXT, add_special_tokens=False)["input_ids"]) == added


def test_no_way_is_named_twice() -> None:
    assert not set(AS_GPT2) & set(OWN_WAYS)
    assert not {*AS_GPT2, *OWN_WAYS} & set(GGUF_PRE_TOKENIZER_SPLITS)
    assert set(WITH_BEGINNING) <= set(GGUF_PRE_TOKENIZER_SPLITS)


# --- SentencePiece ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"add_space_prefix": True}, ["<bos>", "▁the", "▁capital"]),
        ({"add_space_prefix": None}, ["<bos>", "▁the", "▁capital"]),
        ({"add_space_prefix": False}, ["<bos>", "the", "▁capital"]),
        ({"add_space_prefix": False, "add_bos_token": False}, ["the", "▁capital"]),
        ({"add_space_prefix": True, "add_bos_token": None}, ["<bos>", "▁the", "▁capital"]),
    ],
    ids=str,
)
def test_the_first_space_is_what_the_file_says(changes: dict[str, Any], expected: list[str], tmp_path: Path) -> None:
    found = tokenizer_of(tmp_path, sentence_pieces(**changes))
    assert pieces_of(found, "the capital") == expected
    assert found.decode(found("the capital")["input_ids"], skip_special_tokens=True) == "the capital"


@pytest.mark.parametrize("architecture", ["phi3", "nemotron"])
@pytest.mark.parametrize("first", [True, False])
def test_a_first_space_of_other_families_too(architecture: str, first: bool, tmp_path: Path) -> None:
    found = tokenizer_of(tmp_path, {**of_family(architecture), "ggml.add_space_prefix": first}, architecture)
    assert pieces_of(found, "the capital") == ["<s>", "▁the" if first else "the", "▁capital"]
    assert found.decode(found("the capital")["input_ids"], skip_special_tokens=True) == "the capital"


def test_gemmas_tokenizer_has_its_mask_and_no_first_space(tmp_path: Path) -> None:
    found = tokenizer_of(tmp_path, sentence_pieces(), "gemma3")
    assert pieces_of(found, "the capital of France is Paris") == [
        *("<bos>", "the", "▁capital", "▁of", "▁France", "▁is", "▁Paris"),
    ]
    assert (found.mask_token_id, found.eos_token_id, found.bos_token_id) == (4, 1, 2)
    assert pieces_of(found, "é") == ["<bos>", "<0xC3>", "<0xA9>"]
