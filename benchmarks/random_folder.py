"""Model folders with random weights, of any size: written shard by shard, so that memory stays small.

Every matrix has a standard deviation of one over the root of its inputs, and embeddings one of 4 / sqrt(width), so that
what a model says depends on what it reads and is neither certain nor a matter of all tokens alike. The tokenizer is the
project's own: a token for each word of some texts and as many made-up words as the vocabulary has room for, so that
whatever the model says is text that reads as the same tokens again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
)

from dkn.models.weights import INDEX
from dkn.randomness import generator
from dkn.study.inputs import Shape

END, UNKNOWN = "<|endoftext|>", "<|unknown|>"
SPACE = "▁"  # how a token writes the space before it
MADE_UP = f"{SPACE}word"
SHARD = 1_000_000_000  # bytes


def config_of(shape: Shape) -> PretrainedConfig:
    """The configuration of a GPT-2 or a LLaMA of some sizes."""
    ends = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": None}
    if shape.architecture == "gpt2":
        return GPT2Config(
            n_embd=shape.width,
            n_layer=shape.layers,
            n_head=shape.heads,
            n_inner=shape.neurons,
            n_positions=shape.context,
            vocab_size=shape.vocabulary,
            **ends,
        )
    return LlamaConfig(
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        intermediate_size=shape.neurons,
        max_position_embeddings=shape.context,
        vocab_size=shape.vocabulary,
        tie_word_embeddings=shape.tied,
        **ends,
    )


def tokenizer_of(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A tokenizer of so many tokens that knows every word and every punctuation mark of the texts."""
    splitting = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(SPACE), pre_tokenizers.Punctuation("isolated")])
    found = dict.fromkeys(piece for text in texts for piece, _ in splitting.pre_tokenize_str(text))
    words = [END, UNKNOWN, *found][:vocabulary]
    words += [f"{MADE_UP}{number}" for number in range(vocabulary - len(words))]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer, tokenizer.decoder = splitting, decoders.Metaspace(SPACE)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, unk_token=UNKNOWN)


def _drawn(name: str, module: nn.Module, parameter: nn.Parameter, seed: int) -> Tensor:
    """The weights of one parameter, which its name and the seed decide; norms are ones and biases zeros."""
    if parameter.ndim == 1:
        return torch.zeros(parameter.shape) if name.endswith("bias") else torch.ones(parameter.shape)
    dice = torch.Generator().manual_seed(int(generator(seed, "random weights", name).integers(2**62)))
    rows, columns = parameter.shape
    of_tokens = isinstance(module, nn.Embedding) or name.endswith("lm_head.weight")
    inputs = columns / 16 if of_tokens else columns if isinstance(module, nn.Linear) else rows
    return torch.randn(parameter.shape, generator=dice) * inputs**-0.5


def _shards(model: nn.Module, dtype: torch.dtype, seed: int) -> Iterator[dict[str, Tensor]]:
    """The weights of a model whose parameters are on the device ``meta``, about a gigabyte at a time."""
    shard: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        shard[name] = _drawn(name, model.get_submodule(name.rpartition(".")[0]), parameter, seed).to(dtype)
        if sum(tensor.nbytes for tensor in shard.values()) >= SHARD:
            yield shard
            shard = {}
    if shard:
        yield shard


def write_folder(folder: Path, shape: Shape, texts: Iterable[str], dtype: torch.dtype, seed: int) -> None:
    """Write a model folder in Hugging Face's layout: config, tokenizer, weights in shards, and their index.

    Args:
        folder: the folder, which is made.
        shape: the model's sizes; the architecture is ``gpt2`` or ``llama``.
        texts: what the tokenizer has words for.
        dtype: the type of the weights.
        seed: decides the weights.
    """
    folder.mkdir(parents=True)
    config = config_of(shape)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.config.save_pretrained(folder)
    tokenizer_of(texts, shape.vocabulary).save_pretrained(folder)
    places: dict[str, str] = {}
    size = 0
    for number, shard in enumerate(_shards(model, dtype, seed), 1):
        file = folder / f"model-{number:05}.safetensors"
        save_file(shard, file, metadata={"format": "pt"})
        places |= dict.fromkeys(shard, file.name)
        size += sum(tensor.nbytes for tensor in shard.values())
    index = {"metadata": {"total_size": size}, "weight_map": places}
    (folder / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")
