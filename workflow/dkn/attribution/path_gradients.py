"""The answer's probability and its gradient along paths of neuron values (docs/method.md).

A path moves the neurons of one layer, at the position that predicts one answer token, in a straight line from a
baseline to their values. A point of a path is a branch of one token that starts at the output of its own layer's MLP:
layer j computes the branches of layers < j only. Two facts keep this cheap: the down-projection is affine, so a
branch needs only the MLP's two outputs at the path's ends; and gradients are taken with respect to the MLP's output,
from which the neurons' follow by one matrix at the very end. The paths' upper ends are the model's own values for every
layer, so one branch per answer token, which rides through the whole stack, gives the gradients at all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from dkn.decoder.adapters import Adapter
from dkn.decoder.answer_probabilities import log_odds_against, log_prob, odds_and_others
from dkn.decoder.branches import attend, visible_prefix
from dkn.decoder.prefix import Prefix
from dkn.decoder.row_budget import RowBudget

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

    def own_value(self, layer: int, middle: Tensor) -> Tensor:
        """What the model itself has where values are moved, (F, R, 1, size), for the stream before the MLP."""
        if self.site == "preactivation":
            return self.adapter.preactivation(layer, middle)
        return self.adapter.mlp_output(layer, self.adapter.neurons(layer, middle))

    def leave(self, layer: int, value: Tensor, middle: Tensor) -> Tensor:
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
def _log_prob_and_gradient(paths: Paths, normed: Tensor, answers: Tensor, differentiate: bool) -> tuple[Tensor, Tensor]:
    """log P of branches (F, R), float64, and its gradient with respect to the normed final stream (F, R, 1, width).

    Vocabulary-wide tensors live for one chunk only. Without ``differentiate`` the gradient is empty.
    """
    log_probs, gradients = [], []
    weight = paths.adapter.unembedding
    for part, answer in zip(normed.flatten(0, 2).split(LOGIT_ROWS), answers.flatten().split(LOGIT_ROWS), strict=True):
        whole = weight.dtype == torch.float32
        logits = paths.adapter.unembed(
            part, out=paths.budget.scratch(len(part), len(weight), part.device) if whole else None
        )
        if differentiate:
            odds, others = odds_and_others(logits, answer)
            own = odds.sigmoid()[:, None] * weight[answer].float()
            gradients.append((own - (others.to(weight.dtype) @ weight).float()).to(normed.dtype))
        else:
            odds = log_odds_against(logits, answer)
        log_probs.append(log_prob(odds.double()))
    gradient = torch.cat(gradients).view(normed.shape) if differentiate else normed[..., :0]
    return torch.cat(log_probs).view(answers.shape), gradient


def _through_the_stack(
    paths: Paths, tables: list[np.ndarray], riders: int, fact: Tensor, target: Tensor, alpha: Tensor
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Run one chunk's branches, (F, R) each, from their layers to the end; the first ``riders`` ride from layer 0.

    Returns:
        The normed final stream (F, R, 1, width), and per layer what gradients refer to: the moved values of its own
        branches, and the riders' values.
    """
    adapter, prefix = paths.adapter, paths.prefix
    position = prefix.positions[fact, target]
    visible = visible_prefix(prefix, position)
    rotation = adapter.rotation(position[..., None])
    hidden = prefix.middle[0][:, :riders, None]
    moved, ridden, done = [], [], riders
    for layer, table in enumerate(tables):
        hidden = adapter.enter(layer, hidden)
        if layer and done:
            turned = rotation and (rotation[0][:, :done], rotation[1][:, :done])
            hidden = attend(adapter, layer, prefix, hidden, visible[:, :done], turned)
        new = slice(done, done + table.shape[1])
        where = tuple(part[:, new].to(hidden.device) for part in (fact, target))
        way = alpha[:, new, None].to(hidden.device) * paths.delta[layer][where]
        value = paths.start[layer][where] + way.to(paths.start[layer])
        moved.append(value[:, :, None].requires_grad_())
        own, others = paths.own_value(layer, hidden).tensor_split((riders,), dim=1)
        ridden.append(own.requires_grad_())
        middle = torch.cat((hidden, prefix.middle[layer][where][:, :, None]), dim=1)
        hidden = paths.leave(layer, torch.cat((own, others, moved[-1]), dim=1), middle)
        done = new.stop
    return adapter.final_norm(hidden), moved, ridden


def _evaluate_chunk(
    paths: Paths, tables: list[np.ndarray], ends: np.ndarray, points: Points, differentiate: bool
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """One chunk: per layer the indices of its points, P, and the gradient of P with respect to what is moved.

    Args:
        tables: per layer (F, count) indices of points; -1 pads.
        ends: (F, T or 0, layers) the same for upper ends of paths.
    """
    device = paths.answers.device
    riders = ends.shape[1]
    index = torch.from_numpy(np.concatenate([np.zeros_like(ends[:, :, 0]), *tables], axis=1)).to(device).clamp(min=0)
    target = torch.from_numpy(points.target).to(device)[index]
    target[:, :riders] = torch.arange(riders, device=device)
    alpha = torch.from_numpy(points.alpha.astype(np.float32)).to(device)[index]
    fact = torch.arange(len(index), device=device)[:, None].expand_as(index)
    with torch.set_grad_enabled(differentiate):
        normed, moved, ridden = _through_the_stack(paths, tables, riders, fact, target, alpha)
        logs, towards = _log_prob_and_gradient(paths, normed.detach(), paths.answers[fact, target], differentiate)
        # The gradient of P is P times that of log P: the network carries numbers of order one, whatever P is.
        leaves = (*moved, *ridden) if riders else moved
        gradients = torch.autograd.grad(normed, leaves, towards) if differentiate else leaves
    probability, done = logs.exp(), riders
    for layer, table in enumerate(tables):
        for places, columns, gradient in (
            (table, slice(done, done + table.shape[1]), gradients[layer]),
            (ends[:, :, layer], slice(0, riders), gradients[layer - len(tables)]),
        ):
            known = torch.from_numpy(places).to(device)
            keep = known >= 0
            prob, towards = probability[:, columns][keep], gradient[:, : places.shape[1], 0].to(device)[keep]
            yield known[keep], prob, prob[:, None].float() * towards.float()
        done += table.shape[1]


@dataclass(frozen=True)
class Values:
    """P and its slope at points of paths.

    Attributes:
        prob: (n,) P, float64.
        derivative: (n,) dP/dalpha, float64.
        gradient: (n, size) float32, of P with respect to what is moved.
    """

    prob: np.ndarray
    derivative: np.ndarray
    gradient: Tensor


def evaluate(paths: Paths, points: Points, differentiate: bool = True) -> Values:
    """P at points of paths, its derivative along the path, and its gradient.

    Chunks of branches shrink when memory runs out, and stay that small. Without ``differentiate`` only P is computed
    and the others are empty.
    """
    device = paths.answers.device
    facts, targets = paths.answers.shape
    layers = paths.adapter.n_layers
    probability = torch.zeros(len(points), dtype=torch.float64, device=device)
    gradient = torch.zeros(len(points) if differentiate else 0, paths.delta[0].shape[-1], device=device)
    ends = np.full((facts, targets, layers), -1)
    upper = np.flatnonzero(points.alpha == 1)
    ends[points.fact[upper], points.target[upper], points.layer[upper]] = upper
    left = np.ones(len(points), dtype=bool)
    while left.any():
        with paths.budget.attempt(smallest=facts * (layers + targets)) as rows:
            riding = ends[:, : targets if left[upper].any() else 0]
            tables = _chunk(points, left & (points.alpha < 1), facts, layers, rows - facts * riding.shape[1])
            for index, prob, grad in _evaluate_chunk(paths, tables, riding, points, differentiate):
                probability[index] = prob
                if differentiate:
                    gradient[index] = grad
                left[index.cpu().numpy()] = False
    if not differentiate:
        return Values(probability.cpu().numpy(), np.zeros(0), gradient)
    delta = torch.stack([part.to(device) for part in paths.delta])  # (layers, F, T, size)
    layer, fact, target = (torch.from_numpy(part).to(device) for part in (points.layer, points.fact, points.target))
    derivative = torch.linalg.vecdot(delta[layer, fact, target].float(), gradient)
    return Values(probability.cpu().numpy(), derivative.double().cpu().numpy(), gradient)
