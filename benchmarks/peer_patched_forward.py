"""Attribution as public codes compute it: whole forward passes with a patched MLP, layer by layer.

The score of neuron i in layer l is the integrated gradient of Dai et al. (2022), "Knowledge Neurons in Pretrained
Transformers" (https://arxiv.org/abs/2104.08696), summed over the answer's tokens y_t, each read after the true ones
before it:

    attr(l, i) = sum_t (a_i - b_i) * sum_k w_k * dP(y_t | prompt, y_<t) / dn_i   at  n = b + alpha_k (a - b)

n is what enters the layer's down-projection at the last position, a the model's own value, b the baseline. This is
this project's definition, so the scores must be those of ``dkn.attribution``; the *work* is that of the released codes
and of the PyPI package ``knowledge-neurons``:

- every (layer, answer token) starts anew: one forward pass for a, then the nodes in batches, each batch one forward
  and backward pass of copies of the whole prompt and the answer so far;
- baseline ``amig`` (Chen et al. 2024, "Journey to the Center of the Knowledge Neurons",
  https://arxiv.org/abs/2308.13198): b is the mean over the prompt's positions of the value with that position's token
  masked, one forward pass of one sequence per position, repeated for every layer and answer token.

Where the released codes are slower for no reason of method, this one is not: parameters are frozen, passes that need
no gradient record none, and no key-value cache is filled. All copies in a batch have the same length, so nothing is
padded; a last, smaller batch is not filled up. The released codes also differ in the numbers: the site is before the
activation function; the greedy continuation stands in place of y_<t, and AMIG's code masks its tokens too; AMIG's
factor is a instead of a - b. These cost next to nothing and are left out here, to compare like with like.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

BASELINES = ("amig", "zero")


@dataclass
class ForwardCount:
    """Forward passes of a model, and the sequences and tokens in them."""

    passes: int = 0
    sequences: int = 0
    tokens: int = 0


@contextmanager
def count_forwards(model: PreTrainedModel) -> Iterator[ForwardCount]:
    """Count a model's forward passes within the context."""
    count = ForwardCount()

    def note(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        count.passes += 1
        count.sequences += len(args[0])
        count.tokens += args[0].numel()

    handle = model.register_forward_pre_hook(note)
    try:
        yield count
    finally:
        handle.remove()


def expected_forward_passes(
    layers: int, prompt_tokens: int, answer_tokens: int, baseline: str, nodes: int, batch_size: int
) -> int:
    """How many forward passes ``patched_forward_scores`` makes; ``prompt_tokens`` counts those that are masked."""
    masked = prompt_tokens if baseline == "amig" else 0
    return layers * answer_tokens * (1 + masked + math.ceil(nodes / batch_size))


def down_projections(model: PreTrainedModel) -> list[nn.Module]:
    """The modules that the neurons enter, one per layer, of GPT-2 and of LLaMA and its relatives."""
    if model.config.model_type == "gpt2":
        return [block.mlp.c_proj for block in model.transformer.h]
    return [block.mlp.down_proj for block in model.model.layers]


@contextmanager
def _frozen(model: PreTrainedModel) -> Iterator[None]:
    """Within the context no parameter asks for gradients."""
    asking = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in asking:
            parameter.requires_grad_(True)


@contextmanager
def _entering(module: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Within the context, what enters a module is what ``change`` makes of it."""
    handle = module.register_forward_pre_hook(lambda _, args: (change(args[0]), *args[1:]))
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def _value(model: PreTrainedModel, module: nn.Module, tokens: Tensor) -> Tensor:
    """(neurons,): what enters a module at the last position, from one forward pass of one sequence."""
    seen: list[Tensor] = []

    def keep(value: Tensor) -> Tensor:
        seen.append(value[0, -1].clone())
        return value

    with _entering(module, keep):
        model(tokens[None], use_cache=False)
    return seen[0]


def _baseline(
    model: PreTrainedModel, module: nn.Module, tokens: Tensor, masked: range, mask_token: int | None
) -> Tensor:
    """(neurons,): the mean of the last position's value over copies in which one position each is masked."""
    assert mask_token is not None
    values = []
    for place in masked:
        copy = tokens.clone()
        copy[place] = mask_token
        values.append(_value(model, module, copy).float())
    return torch.stack(values).mean(0)


def _gradients(
    model: PreTrainedModel, module: nn.Module, tokens: Tensor, answer: int, vectors: Tensor, last_logits_only: bool
) -> Tensor:
    """(batch, neurons): the gradient of P(answer) at a batch of vectors, from one forward and one backward pass."""
    leaf = vectors.detach().requires_grad_()
    copies = tokens.expand(len(leaf), -1)
    with torch.enable_grad(), _entering(module, lambda value: torch.cat((value[:, :-1], leaf[:, None]), dim=1)):
        logits = model(copies, use_cache=False, logits_to_keep=int(last_logits_only)).logits[:, -1]
        probability = logits.float().softmax(-1)[:, answer]
        return torch.autograd.grad(probability.sum(), leaf)[0]


def patched_forward_scores(
    model: PreTrainedModel,
    prompt_ids: Sequence[int],
    answer_ids: Sequence[int],
    baseline: str,
    nodes: Sequence[float],
    weights: Sequence[float],
    batch_size: int,
    *,
    mask_token: int | None = None,
    special: int = 0,
    last_logits_only: bool = False,
) -> Tensor:
    """Integrated gradients of the answer's probability, by whole patched forward passes.

    Args:
        model: GPT-2, or LLaMA-shaped, in evaluation mode.
        prompt_ids: token ids.
        answer_ids: token ids, at least one.
        baseline: ``amig`` or ``zero``.
        nodes: places on [0, 1] at which the gradient is taken.
        weights: one per node.
        batch_size: nodes per forward pass.
        mask_token: what a masked token is replaced by; needed for ``amig``.
        special: leading prompt tokens that are never masked.
        last_logits_only: compute the last position's logits only; the public codes compute all positions'.
    Returns:
        (layers, neurons), summed over answer tokens, float32 on the CPU.
    Raises:
        ValueError: settings that make no sense.
    """
    if baseline not in BASELINES:
        raise ValueError(f"unknown baseline {baseline!r}; allowed: {', '.join(BASELINES)}")
    if baseline == "amig" and mask_token is None:
        raise ValueError("the amig baseline needs a mask token")
    if not answer_ids or len(prompt_ids) <= special or batch_size < 1:
        raise ValueError("an answer, a prompt beyond its special tokens and a batch size of at least one are needed")
    if model.training:
        raise ValueError("the model is in training mode; call its eval() first")
    pairs = list(zip(nodes, weights, strict=True))
    places = [pairs[first : first + batch_size] for first in range(0, len(pairs), batch_size)]
    masked = range(special, len(prompt_ids))

    scores = []
    with _frozen(model):
        for module in down_projections(model):
            total = torch.zeros(())
            for count, answer in enumerate(answer_ids):
                tokens = torch.tensor([*prompt_ids, *answer_ids[:count]], device=model.device)
                end = _value(model, module, tokens).float()
                if baseline == "zero":
                    start = torch.zeros_like(end)
                else:
                    start = _baseline(model, module, tokens, masked, mask_token)
                step, integral = end - start, torch.zeros_like(end)
                for batch in places:
                    alpha, weight = torch.tensor(batch, dtype=torch.float32, device=model.device).T
                    vectors = (start + alpha[:, None] * step).to(model.dtype)
                    integral += weight @ _gradients(model, module, tokens, answer, vectors, last_logits_only).float()
                total = total + (step * integral).cpu()
            scores.append(total)
    return torch.stack(scores)
