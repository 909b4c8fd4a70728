"""The tokenizer in a GGUF file: as transformers makes it of the file's tokens, and what it leaves out.

A file names the way in which its model splits texts, and does not describe it. A name that transformers does not know
it takes for GPT-2's way, which would give other tokens; here such a file is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import Regex, decoders, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast
from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

from dkn.errors import UserError

AS_GPT2 = ("default", "gpt-2", "olmo", "phi-2", "mpt", "trillion", "granite-docling")
SINGLE_DIGITS = ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b")  # then as GPT-2
_SPLIT_OF_BLOOM = " ?[^(\\s|.,!?…。，、।۔،)]+"
# Ways that transformers does not know, as the tokenizer.json of the models that they are called after states them.
OWN_WAYS: dict[str, pre_tokenizers.PreTokenizer] = {
    "falcon": pre_tokenizers.Sequence(
        [
            pre_tokenizers.Punctuation(behavior="contiguous"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
            pre_tokenizers.Digits(individual_digits=False),
            pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), behavior="isolated"),
        ]
    ),
    "bloom": pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT_OF_BLOOM), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    ),
    "stablelm2": pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(GGUF_PRE_TOKENIZER_SPLITS["qwen2"]), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    ),
    **dict.fromkeys(
        SINGLE_DIGITS,
        pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        ),
    ),
}
# llama.cpp begins every text of these with the beginning token, whether or not the file says so.
WITH_BEGINNING = ("llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2")
_SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token", "mask_token")


def _split_as_stated(path: Path, tokenizer: PreTrainedTokenizerBase, metadata: Mapping[str, Any]) -> None:
    """Make a byte-level tokenizer split texts in the way that its file names.

    Raises:
        UserError: nobody here knows that way.
    """
    way = metadata.get("tokenizer.ggml.pre", "default")
    if way in OWN_WAYS:
        tokenizer.backend_tokenizer.pre_tokenizer = OWN_WAYS[way]
    elif way not in AS_GPT2 and way not in GGUF_PRE_TOKENIZER_SPLITS:
        known = ", ".join(sorted({*AS_GPT2, *OWN_WAYS, *GGUF_PRE_TOKENIZER_SPLITS}))
        raise UserError(f"{path}: its tokenizer splits texts as {way!r}, which is not known; allowed: {known}")


def _without_first_space(tokenizer: PreTrainedTokenizerBase) -> None:
    """Keep a tokenizer with SentencePiece's pieces from putting a space before every text."""
    backend = tokenizer.backend_tokenizer
    if isinstance(backend.pre_tokenizer, pre_tokenizers.Metaspace):
        backend.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="never", split=False)
    elif backend.pre_tokenizer is None:  # Phi-3's
        backend.normalizer = normalizers.Replace(" ", "▁")
    if backend.pre_tokenizer is None or isinstance(backend.pre_tokenizer, pre_tokenizers.Metaspace):
        backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])


def read_gguf_tokenizer(path: Path, metadata: Mapping[str, Any]) -> PreTrainedTokenizerBase:
    """Return the tokenizer in a GGUF file; what it does is all in its tokenizer.json when it is saved.

    Args:
        path: the file; the first where there are several.
        metadata: the numbers and texts of its header.
    Raises:
        UserError: texts are split in a way that is not known. Other errors are transformers'.
    """
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name, local_files_only=True)
    kind, way = metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre")
    if kind == "gpt2":
        _split_as_stated(path, tokenizer, metadata)
        if way in WITH_BEGINNING and "tokenizer.ggml.add_bos_token" not in metadata:
            tokenizer.add_bos_token = True
    elif kind == "llama" and metadata.get("tokenizer.ggml.add_space_prefix") is False:
        _without_first_space(tokenizer)
    special = {name: getattr(tokenizer, name) for name in _SPECIAL if getattr(tokenizer, name) is not None}
    plain = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, **special)
    plain.chat_template = tokenizer.chat_template
    return plain
