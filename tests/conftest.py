"""Tiny random models, and facts for them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import settings
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import LanguageModel, adapt

settings.register_profile("no wall time", deadline=None)  # a busy machine is no failure
settings.load_profile("no wall time")

VOCABULARY = 100
CONTEXT = 32
END = "<|endoftext|>"
KINDS = ("gpt2", "llama-grouped", "llama-biased")


def _tiny(kind: str) -> PreTrainedModel:
    """A random model far from linear; biases and norm gains are random too, so that none can be forgotten."""
    torch.manual_seed(len(kind))
    model: PreTrainedModel
    if kind == "gpt2":
        model = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=VOCABULARY,
                n_positions=CONTEXT,
                n_embd=32,
                n_layer=4,
                n_head=4,
                initializer_range=0.3,
                bos_token_id=0,
                eos_token_id=0,
                attn_implementation="eager",
            )
        )
    else:
        grouped = kind == "llama-grouped"
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=VOCABULARY,
                max_position_embeddings=CONTEXT,
                hidden_size=32,
                intermediate_size=80,
                num_hidden_layers=3,
                num_attention_heads=4,
                num_key_value_heads=2 if grouped else 4,
                attention_bias=not grouped,
                mlp_bias=not grouped,
                tie_word_embeddings=not grouped,
                initializer_range=0.3,
                bos_token_id=0,
                eos_token_id=0,
                attn_implementation="eager",
            )
        )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter += 0.2 * torch.randn_like(parameter)
        if kind == "gpt2":  # undo the small initial weights of what GPT-2 adds to the residual stream
            for block in model.transformer.h:
                block.attn.c_proj.weight *= 8**0.5
                block.mlp.c_proj.weight *= 8**0.5
    return model


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Models this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session", params=KINDS)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """Each tiny model in turn, in float32. Tests leave its weights as they are."""
    return adapt(_tiny(request.param))


@pytest.fixture(scope="session")
def model64(adapter: Adapter) -> PreTrainedModel:
    """The same model in float64, for the reference."""
    return copy.deepcopy(adapter.model).double()


@pytest.fixture
def own_adapter(adapter: Adapter) -> Adapter:
    """A copy that a test may spoil."""
    return adapt(copy.deepcopy(adapter.model))


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """100 pieces in byte-level writing: words with their leading space, bare letters and digits, punctuation."""
    pieces = [f"Ġw{place}" for place in range(40)] + [f"{letter}{place}" for letter in "abcde" for place in range(9)]
    pieces = [END, *pieces, *"0123456789", *".,!-"]
    assert len(pieces) == VOCABULARY
    inner = Tokenizer(models.WordLevel({piece: place for place, piece in enumerate(pieces)}, unk_token=END))
    inner.normalizer = normalizers.Replace(" ", "Ġ")
    inner.pre_tokenizer = pre_tokenizers.Split(Regex(r"Ġ?\w\d+|[.,!-]"), "isolated")
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=END, clean_up_tokenization_spaces=False)


@pytest.fixture(scope="session")
def language_model(adapter: Adapter, tokenizer: PreTrainedTokenizerFast) -> LanguageModel:
    return LanguageModel(adapter, tokenizer)


@pytest.fixture(scope="session")
def random_fact() -> Callable[..., EncodedFact]:
    """Make a fact of random tokens (never 0, which pads and leads)."""

    def make(length: int, answer: int, seed: int = 0, special: int = 0) -> EncodedFact:
        generator = torch.Generator().manual_seed(1000 * seed + 10 * length + answer)
        tokens = torch.randint(2, VOCABULARY, (length + answer,), generator=generator).tolist()
        prompt = [0] * special + tokens[special:length]
        return EncodedFact(f"fact-{length}-{answer}-{seed}", prompt, tokens[length:], special)

    return make
