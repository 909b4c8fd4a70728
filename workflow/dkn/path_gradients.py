"""The answer's probability and its gradient along paths of neuron values (docs/method.md).

A path moves the neurons of one layer, at the position that predicts one answer token, in a straight line from a
baseline to their values. A point of a path is a branch of one token that starts at the output of its own layer's MLP:
layer j computes the branches of layers < j only. Two facts keep this cheap: the down-projection is affine, so a
branch needs only the MLP's two outputs at the path's ends; and gradients are taken with respect to the MLP's output,
from which the neurons' follow by one matrix at the very end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from dkn.branches import Prefix, attend, visible_prefix
from dkn.language_models import Adapter
from dkn.memory import RowBudget
from dkn.probabilities import log_odds_against, log_prob, odds_and_others

LOGIT_ROWS = 512  # branches whose logits exist at the same time


@dataclass(frozen=True)
class Paths:
    """The paths of a batch of facts.

    Attributes:
        prefix: what reading the prompts left behind, queried at the answer-predicting positions.
        start, delta: per layer (F, T, size): where paths begin, and the way from there to the model's own values.
        site: what is moved. ``output``: the MLP's output (size is the width), which is the neurons seen through the
            affine down-projection; ``preactivation``: what enters the activation function (size is n_neurons).
        answers: (F, T) token ids.
        budget: how many branches are computed at once.
    """

    adapter: Adapter
    prefix: Prefix
    start: list[Tensor]
    delta: list[Tensor]
    answers: Tensor
    budget: RowBudget
    site: str = "output"

    def enter(self, layer: int, value: Tensor, middle: Tensor) -> Tensor:
        """The residual stream after a layer's MLP, (F, R, 1, width), from the moved value and the stream before it."""
        if self.site == "preactivation":
            value = self.adapter.mlp_output(layer, self.adapter.activate(layer, value, middle))
        return self.adapter.add_mlp(layer, middle, value)


@dataclass(frozen=True)
class Points:
    """Points of paths, as flat arrays of one length: which fact, answer token and layer, and where on the path."""

    fact: np.ndarray
    target: np.ndarray
    layer: np.ndarray
    alpha: np.ndarray

    def __len__(self) -> int:
        return len(self.fact)

    def take(self, chosen: np.ndarray) -> Points:
        """Some of the points."""
        return Points(*(getattr(self, field.name)[chosen] for field in fields(self)))


def _chunk(points: Points, left: np.ndarray, facts: int, layers: int, rows: int) -> list[np.ndarray]:
    """Per layer a (facts, count) table of indices into ``points``, at most ``rows`` in all; -1 pads.

    Args:
        left: (n,) which points are still to be computed.
    """
    todo = np.flatnonzero(left)
    order = todo[np.lexsort((points.fact[todo], points.layer[todo]))]
    group = points.layer[order] * facts + points.fact[order]
    rank = np.arange(len(order)) - np.searchsorted(group, group)
    per_group = max(1, rows // (facts * layers))
    tables = []
    for layer in range(layers):
        chosen = (points.layer[order] == layer) & (rank < per_group)
        table = np.full((facts, int(rank[chosen].max()) + 1 if chosen.any() else 0), -1)
        table[points.fact[order][chosen], rank[chosen]] = order[chosen]
        tables.append(table)
    return tables


@torch.no_grad()
def _log_prob_and_gradient(
    adapter: Adapter, normed: Tensor, answers: Tensor, differentiate: bool
) -> tuple[Tensor, Tensor]:
    """log P of branches (F, R), float64, and its gradient with respect to the normed final stream (F, R, 1, width).

    Vocabulary-wide tensors live for one chunk only. Without ``differentiate`` the gradient is empty.
    """
    log_probs, gradients = [], []
    for part, answer in zip(normed.flatten(0, 2).split(LOGIT_ROWS), answers.flatten().split(LOGIT_ROWS), strict=True):
        logits = adapter.unembed(part)
        if differentiate:
            odds, others = odds_and_others(logits, answer)
            weight = adapter.unembedding
            own = odds.sigmoid()[:, None] * weight[answer].float()
            gradients.append((own - (others.to(weight.dtype) @ weight).float()).to(normed.dtype))
        else:
            odds = log_odds_against(logits, answer)
        log_probs.append(log_prob(odds.double()))
    gradient = torch.cat(gradients).view(normed.shape) if differentiate else normed[..., :0]
    return torch.cat(log_probs).view(answers.shape), gradient


def _through_the_stack(
    paths: Paths, tables: list[np.ndarray], fact: Tensor, target: Tensor, alpha: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Run one chunk's branches, (F, R) each, from their layers to the end.

    Returns:
        The normed final stream (F, R, 1, width), and per layer with branches the leaf that gradients refer to.
    """
    adapter, prefix = paths.adapter, paths.prefix
    position = prefix.positions[fact, target]
    visible = visible_prefix(prefix, position)
    rotation = adapter.rotation(position[..., None])
    hidden: Tensor | None = None
    leaves, done = [], 0
    for layer, table in enumerate(tables):
        if hidden is not None:
            turned = rotation and (rotation[0][:, :done], rotation[1][:, :done])
            hidden = attend(adapter, layer, prefix, hidden, visible[:, :done], turned)
            hidden = adapter.add_mlp(layer, hidden, adapter.mlp_output(layer, adapter.neurons(layer, hidden)))
        if not table.shape[1]:
            continue
        new = slice(done, done + table.shape[1])
        where = fact[:, new], target[:, new]
        value = paths.start[layer][where] + (alpha[:, new, None] * paths.delta[layer][where]).to(paths.start[layer])
        leaves.append(value[:, :, None].requires_grad_())
        entering = paths.enter(layer, leaves[-1], prefix.middle[layer][where][:, :, None])
        hidden = entering if hidden is None else torch.cat((hidden, entering), dim=1)
        done = new.stop
    assert hidden is not None
    return adapter.final_norm(hidden), leaves


def _evaluate_chunk(
    paths: Paths, points: Points, tables: list[np.ndarray], differentiate: bool
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """One chunk: per layer the indices of its points, P, and the gradient of P with respect to what is moved."""
    device = paths.answers.device
    index = torch.from_numpy(np.concatenate(tables, axis=1)).to(device)
    real = index >= 0
    index = index.clamp(min=0)
    target = torch.from_numpy(points.target).to(device)[index]
    alpha = torch.from_numpy(points.alpha.astype(np.float32)).to(device)[index]
    fact = torch.arange(len(index), device=device)[:, None].expand_as(index)
    with torch.set_grad_enabled(differentiate):
        normed, leaves = _through_the_stack(paths, tables, fact, target, alpha)
        logs, towards = _log_prob_and_gradient(
            paths.adapter, normed.detach(), paths.answers[fact, target], differentiate
        )
        # The gradient of P is P times that of log P: the network carries numbers of order one, whatever P is.
        gradients = torch.autograd.grad(normed, leaves, towards) if differentiate else leaves
    probability = logs.exp()
    done = 0
    for part in gradients:
        new = slice(done, done + part.shape[1])
        keep = real[:, new]
        prob = probability[:, new][keep]
        yield index[:, new][keep], prob, prob[:, None].float() * part[:, :, 0][keep].float()
        done = new.stop


def evaluate(paths: Paths, points: Points, differentiate: bool = True) -> tuple[np.ndarray, np.ndarray, Tensor]:
    """P at points of paths, its derivative along the path, and its gradient.

    Chunks of branches shrink when memory runs out, and stay that small.

    Returns:
        P (n,) and dP/dalpha (n,) in float64, and (n, size) float32 the gradient of P with respect to what is
        moved. Without ``differentiate`` only P is computed and the others are empty.
    """
    device = paths.answers.device
    probability = torch.zeros(len(points), dtype=torch.float64, device=device)
    gradient = torch.zeros(len(points) if differentiate else 0, paths.delta[0].shape[-1], device=device)
    left = np.ones(len(points), dtype=bool)
    facts, layers = len(paths.answers), paths.adapter.n_layers
    while left.any():
        with paths.budget.attempt(smallest=facts * layers) as rows:
            tables = _chunk(points, left, facts, layers, rows)
            for index, prob, grad in _evaluate_chunk(paths, points, tables, differentiate):
                probability[index] = prob
                if differentiate:
                    gradient[index] = grad
                left[index.cpu().numpy()] = False
    if not differentiate:
        return probability.cpu().numpy(), np.zeros(0), gradient
    delta = torch.stack(paths.delta)  # (layers, F, T, width)
    layer, fact, target = (torch.from_numpy(part).to(device) for part in (points.layer, points.fact, points.target))
    derivative = torch.linalg.vecdot(delta[layer, fact, target].float(), gradient)
    return probability.cpu().numpy(), derivative.double().cpu().numpy(), gradient
