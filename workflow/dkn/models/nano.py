"""Training of a nano model, a very small language model that learns the study's facts and nothing else.

It takes minutes on one core, so that the study runs on any machine. The models are ``GPT2LMHeadModel`` and
``LlamaForCausalLM`` instances with a byte-level BPE tokenizer of their own. The loss is taken on the answer and on the
end of the sentence; a model does not learn to give the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tokenizers import ByteLevelBPETokenizer
from torch import Tensor, nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from dkn.errors import UserError
from dkn.facts.schema import TRAINED_PARAPHRASES, Fact
from dkn.models.answer_loss import IGNORED, Sentence, answer_loss, padded
from dkn.progress import progress
from dkn.randomness import generator

END = "<|endoftext|>"


@dataclass(frozen=True)
class TrainingSettings:
    """The shape of a nano model and the schedule of its training.

    Attributes:
        architecture: ``gpt2`` or ``llama``.
        layers: the number of decoder layers.
        width: the number of coordinates of the residual stream.
        heads: the number of attention heads per layer.
        kv_heads: the number of heads of keys and values per layer; ``gpt2`` has as many as ``heads``.
        neurons: the number of MLP neurons per layer.
        vocabulary: the most tokens of the tokenizer.
        dropout: the dropout rate, from 0 to 1, of what every layer's attention and MLP add to the residual stream.
        epochs: the number of passes over the facts.
        batch: the number of facts per step.
        learning_rate: the learning rate at its peak.
        weight_decay: AdamW's weight decay per step, relative to the learning rate.
        label_smoothing: the share of a label, from 0 to 1, that is spread evenly over the vocabulary, so that the
            model is never quite sure.
        target: the share of facts, from 0 to 1, that the trained model must answer.
    """

    architecture: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    neurons: int
    vocabulary: int
    dropout: float
    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    label_smoothing: float
    target: float


def wordings(fact: Fact) -> tuple[str, ...]:
    """Return the prompts that a nano model is trained on: left-to-right, some of the paraphrases, the complex one."""
    return (fact.prompt, *fact.paraphrases[:TRAINED_PARAPHRASES], fact.complex)


def train_tokenizer(facts: Sequence[Fact], vocabulary: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer of at most ``vocabulary`` tokens on all sentences of the facts."""
    bpe = ByteLevelBPETokenizer()
    corpus = [f"{text} {fact.answers[0]}." for fact in facts for text in wordings(fact)]
    bpe.train_from_iterator(corpus, vocab_size=vocabulary, min_frequency=2, special_tokens=[END], show_progress=False)
    return PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token=END, pad_token=END)


def build_model(settings: TrainingSettings, vocabulary: int, context: int = 128) -> PreTrainedModel:
    """Return a model with random weights.

    Their standard deviation is 0.8 / sqrt(width), because the usual 0.02 is too small for a small width.

    Args:
        vocabulary: the number of tokens.
        context: the most tokens of an input.
    """
    common: dict[str, Any] = {
        "vocab_size": vocabulary,
        "initializer_range": 0.8 / settings.width**0.5,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 0,
    }
    if settings.architecture == "gpt2":
        return GPT2LMHeadModel(
            GPT2Config(
                n_positions=context,
                n_embd=settings.width,
                n_layer=settings.layers,
                n_head=settings.heads,
                n_inner=settings.neurons,
                resid_pdrop=settings.dropout,
                embd_pdrop=settings.dropout,
                attn_pdrop=settings.dropout,
                **common,
            )
        )
    return LlamaForCausalLM(
        LlamaConfig(
            max_position_embeddings=context,
            hidden_size=settings.width,
            intermediate_size=settings.neurons,
            num_hidden_layers=settings.layers,
            num_attention_heads=settings.heads,
            num_key_value_heads=settings.kv_heads,
            attention_dropout=settings.dropout,
            tie_word_embeddings=True,
            **common,
        )
    )


def _add_dropout(model: PreTrainedModel, rate: float) -> list[Any]:
    """Add hooks that give LLaMA the dropout of attention and MLP outputs that it lacks; return the hooks' handles."""

    def drop(module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        return nn.functional.dropout(output, rate, module.training)

    if model.config.model_type != "llama":
        return []
    return [
        module.register_forward_hook(drop)
        for layer in model.model.layers
        for module in (layer.self_attn.o_proj, layer.mlp.down_proj)
    ]


def _encode(tokenizer: PreTrainedTokenizerFast, text: str, answer: str) -> Sentence:
    """Return a prompt with its answer, a full stop and the end-of-text token."""
    start = len(tokenizer(text)["input_ids"])
    return Sentence([*tokenizer(f"{text} {answer}.")["input_ids"], tokenizer.eos_token_id], start)


def _epoch(lengths: list[list[int]], size: int, draw: np.random.Generator) -> list[list[tuple[int, int]]]:
    """Draw one pass over the facts, each in one wording: about half left-to-right, the others in any other wording.

    Args:
        lengths: for each fact the number of tokens of each wording.
        size: the number of facts of a batch.
    Returns:
        Batches of (fact, wording) in random order; the sentences of a batch have similar lengths.
    """
    facts = len(lengths)
    chosen = np.where(draw.random(facts) < 0.5, 0, draw.integers(1, len(lengths[0]), facts))
    keys = [lengths[fact][wording] + 4 * draw.random() for fact, wording in enumerate(chosen)]
    order = np.argsort(keys)
    batches = [order[first : first + size] for first in range(0, facts, size)]
    return [[(int(fact), int(chosen[fact])) for fact in batches[index]] for index in draw.permutation(len(batches))]


@torch.no_grad()
def greedy_accuracy(model: PreTrainedModel, sentences: Sequence[Sentence]) -> float:
    """Return the share of sentences whose answer and end are the model's first choice at every token, from 0 to 1."""
    model.eval()
    right = 0
    for first in range(0, len(sentences), 128):
        tokens, labels = padded(sentences[first : first + 128])
        choice = model(tokens).logits[:, :-1].argmax(-1)
        right += int(((choice == labels[:, 1:]) | (labels[:, 1:] == IGNORED)).all(-1).sum())
    return right / len(sentences)


def _step(
    model: PreTrainedModel, optimiser: torch.optim.Optimizer, sentences: Sequence[Sentence], smoothing: float
) -> float:
    """Take one training step and return the loss before it."""
    loss = answer_loss(model, sentences, smoothing)
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def train(
    facts: Sequence[Fact], settings: TrainingSettings, seed: int
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast, dict[str, Any]]:
    """Train a nano model on all wordings of the facts but the unseen paraphrases.

    Returns:
        The model, its tokenizer, and a report of the greedy accuracies on dated (temporal) and other (static) facts.
    Raises:
        UserError: the model answers fewer than ``settings.target`` of the dated facts (of all facts, where none has a
            date) by greedy decoding from the left-to-right wording.
    """
    torch.manual_seed(int(generator(seed, "weights", settings.architecture).integers(2**31)))
    tokenizer = train_tokenizer(facts, settings.vocabulary)
    model = build_model(settings, len(tokenizer))
    sentences = [[_encode(tokenizer, text, fact.answers[0]) for text in wordings(fact)] for fact in facts]
    lengths = [[len(sentence.tokens) for sentence in of_fact] for of_fact in sentences]
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=settings.weight_decay
    )
    steps = settings.epochs * -(-len(facts) // settings.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min(1.0, (step + 1) / 50) * max(0.02, 1 - step / steps)
    )
    draw = generator(seed, "epochs", settings.architecture)
    handles = _add_dropout(model, settings.dropout)
    bar = progress(range(settings.epochs), f"training {settings.architecture}", unit="epoch")
    for _ in bar:
        model.train()
        losses = []
        for batch in _epoch(lengths, settings.batch, draw):
            chosen = [sentences[fact][wording] for fact, wording in batch]
            losses.append(_step(model, optimiser, chosen, settings.label_smoothing))
            schedule.step()
        bar.set_postfix(loss=f"{np.mean(losses):.3f}")
    for handle in handles:
        handle.remove()
    model.generation_config.pad_token_id = tokenizer.pad_token_id

    dated = [of_fact for fact, of_fact in zip(facts, sentences, strict=True) if fact.date]
    static = [of_fact for fact, of_fact in zip(facts, sentences, strict=True) if not fact.date]
    report = {
        f"greedy_accuracy_{name}": {
            "left_to_right": greedy_accuracy(model, [of_fact[0] for of_fact in of_kind]),
            "complex": greedy_accuracy(model, [of_fact[-1] for of_fact in of_kind]),
            "facts": len(of_kind),
        }
        for name, of_kind in (("temporal", dated), ("static", static))
        if of_kind
    }
    reached = next(iter(report.values()))["left_to_right"]
    if reached < settings.target:
        raise UserError(
            f"training reached {reached:.1%} of the facts, below the target of {settings.target:.0%}: "
            f"raise epochs (now {settings.epochs}) or the model's size"
        )
    return model, tokenizer, report
