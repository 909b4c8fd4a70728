"""Reading a model folder with transformers, so that whatever does not fit is one line of text.

The same steps serve twice: before a model is prepared no weight is read (the device ``meta``), and when a prepared
model is loaded all of them are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tokenizers.processors import TemplateProcessing
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from dkn.errors import UserError, lacks_memory
from dkn.families import FAMILIES, IMAGE_TENSORS, TEXT_PARTS, TEXT_TENSORS, family_of
from dkn.models.families import require_config
from dkn.models.weights import StoredTensor, all_tensors, is_buffer, listed

_DROPPED = re.compile(
    r"(attn|attention).(masked_)?bias|inv_freq|position_ids"
)  # what transformers leaves out without a word
_MOST_LETTERS = 300  # of another library's message


@contextmanager
def one_line(folder: Path, what: str) -> Iterator[None]:
    """Turn whatever a library raises in the block into an error of one line.

    Args:
        folder: the model's folder.
        what: what the block reads there, such as "the weights".
    Raises:
        UserError: for every other exception but an interrupt and a full GPU, which pass.
    """
    try:
        yield
    except (UserError, KeyboardInterrupt, SystemExit, torch.OutOfMemoryError):
        raise
    except BaseException as error:  # a panic in a library's Rust code is no Exception
        if lacks_memory(error):
            raise UserError(
                f"{folder}: not enough memory to load {what}; free some, allow the job more (ulimit -v, mem_mb), or "
                f"take a smaller model or dtype: bfloat16"
            ) from None
        reason = " ".join(str(error).split())[:_MOST_LETTERS] or type(error).__name__
        raise UserError(f"{folder}: {what} cannot be read: {reason}") from None


def _ids(tokenizer: PreTrainedTokenizerBase, *, special: bool) -> list[int]:
    """Return the token ids of a short text, with or without the special tokens around it."""
    return tokenizer("a a", add_special_tokens=special)["input_ids"]


def _around(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """Return the special tokens that a tokenizer puts before and after every text."""
    plain, whole = _ids(tokenizer, special=False), _ids(tokenizer, special=True)
    starts = range(len(whole) - len(plain) + 1)
    first = next((start for start in starts if whole[start : start + len(plain)] == plain), 0)
    return whole[:first], whole[first + len(plain) :]


def _append_nothing(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Keep a tokenizer from ending every text with a special token, since an answer has to follow the prompt.

    Raises:
        UserError: it goes on doing so.
    """
    before, after = _around(tokenizer)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if after and backend is not None:
        names = [(tokenizer.convert_ids_to_tokens(token), token) for token in dict.fromkeys(before)]
        start = [tokenizer.convert_ids_to_tokens(token) for token in before]
        backend.post_processor = TemplateProcessing(
            single=[*start, "$A"], pair=[*start, "$A", "$B:1"], special_tokens=names
        )
        before, after = _around(tokenizer)
    if after:
        ends = ", ".join(map(str, tokenizer.convert_ids_to_tokens(after)))
        raise UserError(
            f"{folder}: the tokenizer ends every text with {ends}, so that no answer can follow a prompt; set "
            f"add_eos_token to false in tokenizer_config.json"
        )


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Read a folder's tokenizer, which then ends no text with a special token.

    Raises:
        UserError: transformers cannot read it, or it cannot be kept from ending texts so.
    """
    with one_line(folder, "the tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        _append_nothing(tokenizer, folder)
    return tokenizer


def require_tokens_inside(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, folder: Path) -> None:
    """Raise unless every token of a tokenizer has its row in a model's embeddings.

    Raises:
        UserError: the line names the token with the highest id, and what it is for.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    vocabulary = tokenizer.get_vocab()
    if not vocabulary:
        raise UserError(f"{folder}: the tokenizer has no tokens")
    special = {
        f"{kind} token": getattr(tokenizer, f"{kind}_token_id")
        for kind in ("mask", "eos", "bos")
        if getattr(tokenizer, f"{kind}_token_id") is not None
    }
    highest = max(vocabulary, key=vocabulary.__getitem__)
    for what, token in {**special, f"token {highest!r}": vocabulary[highest]}.items():
        if not 0 <= token < rows:
            raise UserError(
                f"{folder}: the tokenizer's {what} has the id {token}, the embeddings have {rows} rows; the tokenizer "
                f"is not this model's"
            )


def _surplus(
    model: PreTrainedModel, stored: Mapping[str, StoredTensor], unexpected: Mapping[str, None] | set[str]
) -> list[str]:
    """Return the stored tensors that the architecture has no place for, the buffers of older checkpoints excepted."""
    prefix = f"{model.base_model_prefix}."
    places = model.state_dict().keys()
    taken: dict[str, str] = {}
    surplus = set(unexpected)
    for name in sorted(stored):
        place = next((one for one in (name, prefix + name, name.removeprefix(prefix)) if one in places), None)
        if (place is None and _DROPPED.search(name)) or (place is not None and place in taken):
            surplus.add(name)
        taken[place or name] = name
    return sorted(name for name in surplus if name not in stored or not is_buffer(name, stored[name].shape))


def _text_name(name: str) -> str:
    """Return the name that a tensor of a model of texts and images has in its text part alone."""
    for pattern, place in TEXT_TENSORS.items():
        if re.match(pattern, name):
            return re.sub(pattern, place, name)
    return name


def _require_fit(model: PreTrainedModel, report: Mapping[str, Any], folder: Path, text_part: bool) -> None:
    """Raise unless the stored tensors are exactly those of a model's architecture.

    Args:
        report: what ``from_pretrained`` says about the keys that it found and missed.
        text_part: whether the model is a part of what is stored.
    Raises:
        UserError: tensors are missing (tied ones excepted), have another shape, or have no place; the line names them.
    """
    if missing := sorted(report["missing_keys"]):
        raise UserError(f"{folder}: the weights lack {len(missing)} of the model's tensors: {listed(missing)}")
    for name, found, expected in sorted(report["mismatched_keys"]):
        shapes = " by ".join(map(str, found)), " by ".join(map(str, expected))
        raise UserError(f"{folder}: tensor {name} is {shapes[0]}, the architecture of config.json needs {shapes[1]}")
    stored, unexpected = all_tensors(folder), report["unexpected_keys"]
    if text_part:
        stored = {_text_name(name): tensor for name, tensor in stored.items() if not re.match(IMAGE_TENSORS, name)}
        unexpected = {_text_name(name) for name in unexpected if not re.match(IMAGE_TENSORS, name)}
    if surplus := _surplus(model, stored, unexpected):
        raise UserError(
            f"{folder}: the weights hold {len(surplus)} tensors for which the architecture has no place: "
            f"{listed(surplus)}"
        )
    if report["error_msgs"]:
        raise UserError(f"{folder}: {' '.join(' '.join(report['error_msgs']).split())[:_MOST_LETTERS]}")


def read_model(folder: Path, dtype: torch.dtype | None = None, device: str | None = None) -> PreTrainedModel:
    """Read a folder's model with all its weights; no code in the folder is executed.

    Of a model of texts and images only the part that reads texts is read.

    Args:
        dtype: the type that the weights are converted to; None keeps that of the config.
        device: ``meta`` reads no weight and compares names and shapes all the same; None is the CPU.
    Raises:
        UserError: transformers cannot read it, the memory does not suffice, or the tensors are not the architecture's.
    """
    model_type = require_config(folder / "config.json", str(folder))["model_type"]
    part: dict[str, Any] = {}
    with one_line(folder, "the weights"):
        if model_type in TEXT_PARTS:
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            part = {"config": config.get_text_config(), "key_mapping": TEXT_TENSORS}
        model, report = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype or "auto",
            device_map=device,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            attn_implementation=FAMILIES[family_of(model_type)].implementation,
            ignore_mismatched_sizes=True,  # so that the report has them
            output_loading_info=True,
            **part,
        )
        _require_fit(model, report, folder, bool(part))
    return model


def require_opens(folder: Path) -> None:
    """Raise unless a folder's weights fit the architecture of its config and its tokenizer fits both; reads no weight.

    Raises:
        UserError: the line names the tensors or the token.
    """
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model = read_model(folder, device="meta")
        require_tokens_inside(read_tokenizer(folder), model, folder)
    finally:
        if shown:
            logging.enable_progress_bar()
