"""Training a nano model on the facts, in minutes on one core, so that the study runs anywhere.

The models are real ``GPT2LMHeadModel`` and ``LlamaForCausalLM`` instances with a byte-level BPE of their own. They
learn only to answer: the loss is taken on the answer and the end of the sentence.
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
    """Shape and schedule of a nano model; ``neurons`` is the MLP's width, ``dropout`` acts on every residual branch."""

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
    target: float


def wordings(fact: Fact) -> tuple[str, ...]:
    """The prompts a nano model is trained on: left-to-right first, two of the paraphrases, the complex one."""
    return (fact.prompt, *fact.paraphrases[:TRAINED_PARAPHRASES], fact.complex)


def train_tokenizer(facts: Sequence[Fact], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE learnt from all sentences of the facts."""
    bpe = ByteLevelBPETokenizer()
    corpus = [f"{text} {fact.answers[0]}." for fact in facts for text in wordings(fact)]
    bpe.train_from_iterator(corpus, vocab_size=vocabulary, min_frequency=2, special_tokens=[END], show_progress=False)
    return PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token=END, pad_token=END)


def build_model(settings: TrainingSettings, vocabulary: int, context: int = 128) -> PreTrainedModel:
    """A model with random weights. Weights start at 0.8 / sqrt(width): the usual 0.02 is too small at this width."""
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
    """LLaMA has no dropout on its residual branches: hooks add it for training. Returns the hooks' handles."""

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
    start = len(tokenizer(text)["input_ids"])
    return Sentence([*tokenizer(f"{text} {answer}.")["input_ids"], tokenizer.eos_token_id], start)


def _epoch(lengths: list[list[int]], size: int, draw: np.random.Generator) -> list[list[tuple[int, int]]]:
    """One pass over the facts as batches of (fact, wording): half left-to-right, half others, by similar lengths."""
    facts = len(lengths)
    chosen = np.where(draw.random(facts) < 0.5, 0, draw.integers(1, len(lengths[0]), facts))
    keys = [lengths[fact][wording] + 4 * draw.random() for fact, wording in enumerate(chosen)]
    order = np.argsort(keys)
    batches = [order[first : first + size] for first in range(0, facts, size)]
    return [[(int(fact), int(chosen[fact])) for fact in batches[place]] for place in draw.permutation(len(batches))]


@torch.no_grad()
def greedy_accuracy(model: PreTrainedModel, sentences: Sequence[Sentence]) -> float:
    """Share of sentences whose answer and full stop are the model's first choice at every token."""
    model.eval()
    right = 0
    for first in range(0, len(sentences), 128):
        tokens, labels = padded(sentences[first : first + 128])
        choice = model(tokens).logits[:, :-1].argmax(-1)
        right += int(((choice == labels[:, 1:]) | (labels[:, 1:] == IGNORED)).all(-1).sum())
    return right / len(sentences)


def _step(model: PreTrainedModel, optimiser: torch.optim.Optimizer, sentences: Sequence[Sentence]) -> float:
    loss = answer_loss(model, sentences)
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def train(
    facts: Sequence[Fact], settings: TrainingSettings, seed: int
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast, dict[str, Any]]:
    """Train on all wordings but the unseen paraphrases.

    Returns:
        The model, its tokenizer, and a report with the greedy accuracies reached.
    Raises:
        UserError: fewer than ``target`` of the dated facts (of all facts, if none has a date) are answered greedily
            from the left-to-right wording.
    """
    torch.manual_seed(int(generator(seed, "weights", settings.architecture).integers(2**31)))
    tokenizer = train_tokenizer(facts, settings.vocabulary)
    model = build_model(settings, len(tokenizer))
    sentences = [[_encode(tokenizer, text, fact.answers[0]) for text in wordings(fact)] for fact in facts]
    lengths = [[len(sentence.tokens) for sentence in row] for row in sentences]
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
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
            losses.append(_step(model, optimiser, [sentences[fact][wording] for fact, wording in batch]))
            schedule.step()
        bar.set_postfix(loss=f"{np.mean(losses):.3f}")
    for handle in handles:
        handle.remove()
    model.generation_config.pad_token_id = tokenizer.pad_token_id

    dated = [row for fact, row in zip(facts, sentences, strict=True) if fact.date]
    static = [row for fact, row in zip(facts, sentences, strict=True) if not fact.date]
    report = {
        f"greedy_accuracy_{name}": {
            "left_to_right": greedy_accuracy(model, [row[0] for row in rows]),
            "complex": greedy_accuracy(model, [row[-1] for row in rows]),
            "facts": len(rows),
        }
        for name, rows in (("temporal", dated), ("static", static))
        if rows
    }
    reached = next(iter(report.values()))["left_to_right"]
    if reached < settings.target:
        raise UserError(
            f"training reached {reached:.1%} of the facts, below the target of {settings.target:.0%}: "
            f"raise epochs (now {settings.epochs}) or the model's size"
        )
    return model, tokenizer, report
