"""A second opinion on attribution and interventions under all their settings, on the Hugging Face model itself.

Forward hooks, one whole forward pass for everything, batches of one, nothing cached, and nothing from the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tests.unit.plain import Neurons, PlainAttribution, down_projections, entering, logits, probability

Change = Callable[[Tensor], Tensor]


def reading_modules(model: PreTrainedModel) -> list[nn.Module]:
    """The modules whose outputs enter the activation function, one per layer."""
    if model.config.model_type == "gpt2":
        return [block.mlp.c_fc for block in model.transformer.h]
    return [block.mlp.gate_proj for block in model.model.layers]


@contextmanager
def at_site(model: PreTrainedModel, site: str, layer: int, change: Change) -> Iterator[None]:
    """Within the context, a layer's values at the site, (1, length, neurons), are what ``change`` makes of them."""
    if site == "neurons":
        with entering(down_projections(model)[layer], change):
            yield
        return
    assert site == "preactivation"
    handle = reading_modules(model)[layer].register_forward_hook(lambda _module, _inputs, output: change(output))
    try:
        yield
    finally:
        handle.remove()


def last_values(model: PreTrainedModel, site: str, tokens: Sequence[int]) -> list[Tensor]:
    """Per layer the values at the site and the last position."""
    seen: list[Tensor] = []

    def keep(values: Tensor) -> Tensor:
        seen.append(values[0, -1].detach().clone())
        return values

    with torch.no_grad(), ExitStack() as stack:
        for layer in range(len(down_projections(model))):
            stack.enter_context(at_site(model, site, layer, keep))
        logits(model, tokens)
    return seen


def baseline_values(
    model: PreTrainedModel, site: str, baseline: str, tokens: Sequence[int], places: Sequence[int], mask_token: int
) -> list[Tensor]:
    """Per layer the baseline at the last position: zeros, or the mean over copies that are masked at one place each."""
    if baseline == "zero":
        return [torch.zeros_like(values) for values in last_values(model, site, tokens)]
    assert baseline == "amig"
    copies = [last_values(model, site, [*tokens[:place], mask_token, *tokens[place + 1 :]]) for place in places]
    return [torch.stack(values).mean(0) for values in zip(*copies, strict=True)]


def attribution(
    model: PreTrainedModel,
    prompt: Sequence[int],
    answer: Sequence[int],
    special: int,
    mask_token: int,
    nodes: Sequence[float],
    weights: Sequence[float],
    *,
    baseline: str = "amig",
    site: str = "neurons",
    multiplier: str = "difference",
    masked: str = "prompt",
    answer_path: str = "answer",
) -> PlainAttribution:
    """Integrated gradients of the answer tokens' probabilities: one patched pass per token, layer and node."""
    layers = range(len(down_projections(model)))
    first = last_values(model, site, prompt)
    choice = int(logits(model, prompt)[-1].argmax())
    scores = torch.zeros(len(layers), len(first[0]), dtype=torch.float64)
    prob, change, total = np.zeros(len(answer)), *np.zeros((2, len(answer), len(layers)))
    for place, token in enumerate(answer):
        tokens = [*prompt, *(answer[:place] if answer_path == "answer" else [choice] * place)]
        places = range(special, len(prompt if masked == "prompt" else tokens))
        own = last_values(model, site, tokens)
        lowest = baseline_values(model, site, baseline, tokens, places, mask_token)
        prob[place] = float(probability(model, tokens, token))
        for layer in layers:

            def moved(values: Tensor, layer: int = layer, tokens: Sequence[int] = tokens, token: int = token) -> Tensor:
                """P with one layer's values at the last position replaced."""
                with at_site(model, site, layer, lambda given: torch.cat((given[:, :-1], values[None, None]), dim=1)):
                    return probability(model, tokens, token)

            difference = own[layer] - lowest[layer]
            mean = torch.zeros_like(difference)
            for node, weight in zip(nodes, weights, strict=True):
                values = (lowest[layer] + float(node) * difference).requires_grad_()
                mean += float(weight) * torch.autograd.grad(moved(values), values)[0]
            scores[layer] += (first[layer] if multiplier == "value" else difference) * mean
            total[place, layer] = float((difference * mean).sum())
            change[place, layer] = prob[place] - float(moved(lowest[layer]))
    return PlainAttribution(scores, prob, change, total)


@torch.no_grad()
def answer_log_probs(
    model: PreTrainedModel,
    prompt: Sequence[int],
    answer: Sequence[int],
    edit: Neurons,
    factor: float,
    *,
    site: str = "neurons",
    positions: str = "answer",
    answer_path: str = "answer",
) -> tuple[np.ndarray, bool]:
    """Log-probabilities (T,) with neurons multiplied, and whether each answer token is the first choice at its step.

    One pass per answer token, over what stands before it.
    """
    tokens, found, chosen = list(prompt), [], []
    for token in answer:
        from_position = len(tokens) - 1 if positions == "last" else len(prompt) - 1
        with ExitStack() as stack:
            for layer in range(len(down_projections(model))):
                own = [neuron for other, neuron in edit if other == layer]

                def multiply(values: Tensor, own: list[int] = own, first: int = from_position) -> Tensor:
                    values = values.clone()
                    for neuron in own:
                        values[:, first:, neuron] = values[:, first:, neuron] * factor
                    return values

                stack.enter_context(at_site(model, site, layer, multiply))
            scores = logits(model, tokens)[-1].double()
        found.append(float(scores.log_softmax(-1)[token]))
        chosen.append(int(scores.argmax()))
        tokens.append(token if answer_path == "answer" else chosen[-1])
    return np.array(found), chosen == list(answer)
