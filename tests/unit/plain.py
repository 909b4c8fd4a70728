"""A second opinion on the numerical core: its definitions, computed the slow way on the Hugging Face model itself.

Forward hooks on the down-projections, one whole forward pass for everything, batches of one, nothing cached, and
nothing taken from the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import roots_jacobi, roots_sh_legendre
from torch import Tensor, nn
from transformers import PreTrainedModel

Neurons = Sequence[tuple[int, int]]  # (layer, neuron) pairs


def relative_difference(found: Tensor | np.ndarray, expected: Tensor | np.ndarray) -> float:
    """The largest difference, relative to the largest expected absolute value; NaN where anything is NaN."""
    found, expected = (torch.as_tensor(part).detach().double() for part in (found, expected))
    assert found.shape == expected.shape, (found.shape, expected.shape)
    return float((found - expected).abs().max() / expected.abs().max())


def rule(name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of a quadrature rule on [0, 1]."""
    if name == "gauss-legendre":
        return roots_sh_legendre(count)
    if name == "gauss-lobatto":  # both ends and the roots of a Jacobi polynomial; weights that integrate all powers
        nodes = np.array([0, *((roots_jacobi(count - 2, 1, 1)[0] + 1) / 2 if count > 2 else ()), 1])
        return nodes, np.linalg.solve(np.vander(nodes, increasing=True).T, 1 / (1 + np.arange(count)))
    shift = {"left-riemann": 0.0, "midpoint": 0.5}[name]
    return np.array([(place + shift) / count for place in range(count)]), np.array([1 / count] * count)


READING = ("mlp.c_fc", "gate_proj", "dense_h_to_4h", "fc_in", "fc1", "gate_up_proj")
WRITING = ("mlp.c_proj", "down_proj", "dense_4h_to_h", "fc_out", "fc2")


def down_projections(model: PreTrainedModel) -> list[nn.Module]:
    """The modules that the neurons enter, one per layer."""
    return [module for name, module in model.named_modules() if name.endswith(WRITING)]


def reading_projections(model: PreTrainedModel) -> list[nn.Module]:
    """The modules that make what enters the activation function, one per layer; some make more after it."""
    names = READING if any(name.endswith(READING) for name, _ in model.named_modules()) else "up_proj"
    return [module for name, module in model.named_modules() if name.endswith(names)]


@contextmanager
def entering(module: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Within the context, what enters a module is what ``change`` makes of it; a batch of one may come without axis."""

    def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        entered = inputs[0]
        changed = change(entered if entered.ndim == 3 else entered[None])
        return changed.view_as(entered), *inputs[1:]

    handle = module.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def inputs_of(model: PreTrainedModel, modules: Sequence[nn.Module], tokens: Sequence[int]) -> list[Tensor]:
    """What enters each of some modules, (length, size), when the model reads the tokens."""
    seen: list[Tensor] = []

    def keep(value: Tensor) -> Tensor:
        seen.append(value[0].detach().clone())
        return value

    with torch.no_grad(), ExitStack() as stack:
        for module in modules:
            stack.enter_context(entering(module, keep))
        logits(model, tokens)
    assert len(seen) == len(modules)
    return seen


def logits(model: PreTrainedModel, tokens: Sequence[int]) -> Tensor:
    """(length, vocabulary) of one full forward pass."""
    return model(torch.tensor([list(tokens)]), use_cache=False).logits[0]


def last_neurons(model: PreTrainedModel, tokens: Sequence[int]) -> list[Tensor]:
    """Per layer the neurons at the last position."""
    return [part[-1] for part in inputs_of(model, down_projections(model), tokens)]


def probability(model: PreTrainedModel, tokens: Sequence[int], answer: int) -> Tensor:
    """The softmax probability of the answer as the next token."""
    return logits(model, tokens)[-1].double().softmax(-1)[answer]


def patched_probability(
    model: PreTrainedModel, tokens: Sequence[int], answer: int, layer: int, vector: Tensor
) -> Tensor:
    """The same with one layer's neurons at the last position replaced by a vector."""

    def patch(value: Tensor) -> Tensor:
        return torch.cat((value[:, :-1], vector[None, None]), dim=1)

    with entering(down_projections(model)[layer], patch):
        return probability(model, tokens, answer)


def baseline_neurons(
    model: PreTrainedModel, prompt: Sequence[int], given: Sequence[int], special: int, baseline: str, mask_token: int
) -> list[Tensor]:
    """Per layer the baseline of the last position of ``prompt + given``."""
    tokens = [*prompt, *given]
    if baseline == "zero":
        return [torch.zeros_like(part) for part in last_neurons(model, tokens)]
    assert baseline == "amig"
    found = []
    for place in range(special, len(prompt)):
        found.append(last_neurons(model, [*tokens[:place], mask_token, *tokens[place + 1 :]]))
    return [torch.stack(parts).mean(0) for parts in zip(*found, strict=True)]


@dataclass(frozen=True)
class PlainAttribution:
    """scores (layers, neurons); prob (T,); change and total (T, layers), all float64."""

    scores: Tensor
    prob: np.ndarray
    change: np.ndarray
    total: np.ndarray


def attribution(
    model: PreTrainedModel,
    prompt: Sequence[int],
    answer: Sequence[int],
    special: int,
    baseline: str,
    mask_token: int,
    nodes: Sequence[float],
    weights: Sequence[float],
) -> PlainAttribution:
    """Integrated gradients of the answer tokens' probabilities: one patched pass per token, layer and node."""
    layers = range(len(down_projections(model)))
    prob, change = np.zeros(len(answer)), np.zeros((len(answer), len(layers)))
    attributed = []
    for place, token in enumerate(answer):
        tokens = [*prompt, *answer[:place]]
        prob[place] = float(probability(model, tokens, token))
        a = last_neurons(model, tokens)
        b = baseline_neurons(model, prompt, answer[:place], special, baseline, mask_token)
        per_layer = []
        for layer in layers:
            change[place, layer] = prob[place] - float(patched_probability(model, tokens, token, layer, b[layer]))
            integral = torch.zeros_like(a[layer])
            for node, weight in zip(nodes, weights, strict=True):
                n = (b[layer] + float(node) * (a[layer] - b[layer])).requires_grad_()
                moved = patched_probability(model, tokens, token, layer, n)
                integral += float(weight) * torch.autograd.grad(moved, n)[0]
            per_layer.append(((a[layer] - b[layer]) * integral).double())
        attributed.append(torch.stack(per_layer))
    by_token = torch.stack(attributed)
    return PlainAttribution(by_token.sum(0), prob, change, by_token.sum(-1).numpy())


def multiplied(model: PreTrainedModel, edit: Neurons, factor: float, first: int) -> ExitStack:
    """Hooks that multiply neurons by a factor at all positions from ``first`` on."""
    stack = ExitStack()
    for layer, module in enumerate(down_projections(model)):
        chosen = [neuron for place, neuron in edit if place == layer]

        def multiply(value: Tensor, chosen: list[int] = chosen) -> Tensor:
            value = value.clone()
            for neuron in chosen:
                value[:, first:, neuron] = value[:, first:, neuron] * factor
            return value

        stack.enter_context(entering(module, multiply))
    return stack


@torch.no_grad()
def answer_log_probs(
    model: PreTrainedModel, prompt: Sequence[int], answer: Sequence[int], edit: Neurons = (), factor: float = 1.0
) -> np.ndarray:
    """(T,) teacher-forced log-probabilities in one pass, neurons multiplied where answer tokens are predicted."""
    first = len(prompt) - 1
    with multiplied(model, edit, factor, first):
        found = logits(model, [*prompt, *answer[:-1]]).double().log_softmax(-1)
    return np.array([float(found[first + place, token]) for place, token in enumerate(answer)])


@torch.no_grad()
def answer_log_probs_token_by_token(
    model: PreTrainedModel, prompt: Sequence[int], answer: Sequence[int], edit: Neurons = (), factor: float = 1.0
) -> np.ndarray:
    """The same with one pass per answer token, each reading only what stands before that token."""
    found = []
    for place, token in enumerate(answer):
        with multiplied(model, edit, factor, len(prompt) - 1):
            found.append(float(logits(model, [*prompt, *answer[:place]])[-1].double().log_softmax(-1)[token]))
    return np.array(found)
