"""The answer's probability P and its gradient at points of the paths of integrated gradients.

A *path* moves the neurons of one layer, at the position that predicts one answer token, in a straight line from a
baseline (alpha = 0) to their own values (alpha = 1). A point of a path is a branch of one token that starts at the
output of its own layer's MLP, so layer j computes the branches of the layers below j only.

Three properties keep this cheap. The down-projection is affine, so a branch needs only the MLP's outputs at both ends
of the path. Gradients are taken with respect to the MLP's output, and one matrix at the very end turns them into those
with respect to the neurons. And at the upper end of a path every layer has the model's own values, so one branch per
answer token that runs through the whole stack, called a *rider*, gives the gradients at the upper ends for all layers.

Shapes name these axes: facts F, branches R, answer tokens T, vocabulary V.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from dkn.decoder.adapters import Adapter
from dkn.decoder.answer_probabilities import log_odds_against, log_prob, odds_and_others
from dkn.decoder.branches import Places, attend
from dkn.decoder.prefix import Prefix
from dkn.decoder.row_budget import RowBudget

LOGIT_ROWS = 512  # the most branches whose logits exist at the same time


@dataclass(frozen=True)
class Paths:
    """The paths of a batch of facts.

    Attributes:
        prefix: the prefix of the facts' prompts, queried at the positions that predict the answer tokens.
        start: (F, T, size) per layer, the values at which paths begin.
        delta: (F, T, size) per layer, the difference from there to the model's own values.
        answers: (F, T), the answer tokens' ids.
        budget: how many branches are computed at once.
        site: which values are moved. ``output`` is the MLP's output, of which the neurons' path is the image under the
            down-projection; its size is the model's width. ``preactivation`` is what enters the activation function;
            its size is the number of neurons of a layer.
    """

    adapter: Adapter
    prefix: Prefix
    start: list[Tensor]
    delta: list[Tensor]
    answers: Tensor
    budget: RowBudget
    site: str = "output"

    @property
    def dtype(self) -> torch.dtype:
        """The type of numbers in which the values at the site are computed."""
        return self.start[0].dtype

    def still(self) -> np.ndarray:
        """Return which paths end where they begin, (F, T, layers), as all do in a model whose MLPs do nothing."""
        moving = torch.stack([delta.any(-1).to(self.answers.device) for delta in self.delta], dim=-1)
        return ~moving.cpu().numpy()

    def own_value(self, layer: int, middle: Tensor) -> Tensor:
        """Return the model's own values at the site, (F, R, 1, size), for the stream after attention."""
        if self.site == "preactivation":
            return self.adapter.preactivation(layer, middle)
        return self.adapter.mlp_output(layer, self.adapter.neurons(layer, middle))

    def stream_after(self, layer: int, value: Tensor, middle: Tensor) -> Tensor:
        """Return the residual stream after a layer, (F, R, 1, width).

        Args:
            value: (F, R, 1, size), the values at the site.
            middle: (F, R, 1, width), the stream after the layer's attention.
        """
        if self.site == "preactivation":
            value = self.adapter.mlp_output(layer, self.adapter.activate(layer, value, middle))
        return self.adapter.add_mlp(layer, middle, value)


@dataclass(frozen=True)
class Points:
    """Points of paths, as arrays of one length: the indices of fact, answer token and layer, and alpha in [0, 1]."""

    fact: np.ndarray
    target: np.ndarray
    layer: np.ndarray
    alpha: np.ndarray

    def __len__(self) -> int:
        return len(self.fact)

    def take(self, chosen: np.ndarray) -> Points:
        """Return the points that an array of indices or a mask chooses."""
        return Points(*(getattr(self, field.name)[chosen] for field in fields(self)))


def _chunk(points: Points, left: np.ndarray, facts: int, layers: int, rows: int) -> list[np.ndarray]:
    """Choose the points of the next chunk: per layer a (F, count) table of indices into ``points``; -1 pads.

    Args:
        left: (points,), which points are still to be computed.
        rows: the number of branches that may be computed at once; each fact and layer has at least one.
    """
    remaining = np.flatnonzero(left)
    order = remaining[np.lexsort((points.fact[remaining], points.layer[remaining]))]
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
    """Return log P of branches, (F, R) float64, and its gradient with respect to the normed final residual stream.

    Tensors as wide as the vocabulary exist for ``LOGIT_ROWS`` branches at a time.

    Args:
        normed: (F, R, 1, width), the branches' final residual stream after the last norm.
        answers: (F, R), the token id whose probability is asked for.
        differentiate: whether the gradient, (F, R, 1, width), is computed; it is empty otherwise.
    """
    log_probs, gradients = [], []
    weight = paths.adapter.unembedding  # (V, width)
    for rows, answer in zip(normed.flatten(0, 2).split(LOGIT_ROWS), answers.flatten().split(LOGIT_ROWS), strict=True):
        scratch = weight.dtype == torch.float32  # the logits of other weights are made in the weights' type first
        logits = paths.adapter.unembed(
            rows, out=paths.budget.scratch(len(rows), len(weight), rows.device) if scratch else None
        )
        if differentiate:
            slope = paths.adapter.logits_slope(logits)
            odds, others = odds_and_others(logits, answer)
            towards = odds.sigmoid()[:, None]
            if slope is not None:
                towards, others = towards * slope.gather(1, answer[:, None]), others.mul_(slope)
            own = towards * weight[answer].float()
            gradients.append((own - (others.to(weight.dtype) @ weight).float()).to(normed.dtype))
        else:
            odds = log_odds_against(logits, answer)
        log_probs.append(log_prob(odds.double()))
    gradient = torch.cat(gradients).view(normed.shape) if differentiate else normed[..., :0]
    return torch.cat(log_probs).view(answers.shape), gradient


def _through_the_stack(
    paths: Paths, tables: list[np.ndarray], riders: int, fact: Tensor, target: Tensor, alpha: Tensor
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Run one chunk's branches from the MLPs of their layers to the end.

    Args:
        tables: per layer the (F, count) indices of the points whose branches start at this layer.
        riders: the number of riders of each fact, which are its first branches.
        fact, target, alpha: (F, R), each branch's fact, answer token and place on its path.
    Returns:
        The final residual stream after the last norm, (F, R, 1, width); per layer the moved values of the branches that
        start there, (F, count, 1, size); and per layer the riders' values at the site, (F, riders, 1, size).
    """
    adapter, prefix = paths.adapter, paths.prefix
    places = Places.of(adapter, prefix, prefix.positions[fact, target][..., None])
    hidden = prefix.middle[0][:, :riders, None]
    moved, ridden, done = [], [], riders
    for layer, table in enumerate(tables):
        hidden = adapter.enter(layer, hidden)
        if not done:  # there are no rows yet; only the size becomes that of a middle
            hidden = hidden.repeat(1, 1, 1, prefix.middle[layer].shape[-1] // hidden.shape[-1])
        elif layer:
            hidden = attend(adapter, layer, prefix, hidden, places.first(done))
        new = slice(done, done + table.shape[1])
        fact_and_target = tuple(index[:, new].to(hidden.device) for index in (fact, target))
        step = alpha[:, new, None].to(hidden.device) * paths.delta[layer][fact_and_target]
        value = paths.start[layer][fact_and_target] + step.to(paths.start[layer])
        moved.append(value[:, :, None].requires_grad_())
        of_riders, of_others = paths.own_value(layer, hidden).tensor_split((riders,), dim=1)
        ridden.append(of_riders.requires_grad_())
        middle = torch.cat((hidden, prefix.middle[layer][fact_and_target][:, :, None]), dim=1)
        hidden = paths.stream_after(layer, torch.cat((of_riders, of_others, moved[-1]), dim=1), middle)
        done = new.stop
    return adapter.final_norm(hidden), moved, ridden


def _evaluate_chunk(
    paths: Paths, tables: list[np.ndarray], ends: np.ndarray, points: Points, differentiate: bool
) -> Iterator[tuple[np.ndarray, Tensor, Tensor, Tensor]]:
    """Compute one chunk of points.

    Args:
        tables: per layer the (F, count) indices of the chunk's points; -1 pads.
        ends: (F, riders, layers), the indices of the points at upper ends of paths, which riders give; -1 pads. There
            is one rider per answer token, or none in a chunk without upper ends.
    Yields:
        Twice per layer, for the points of the table and for those of the riders: the points' indices (n,), the same on
        the device, P (n,), and the gradient of P with respect to the moved values (n, size).
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
        log_probs, towards = _log_prob_and_gradient(paths, normed.detach(), paths.answers[fact, target], differentiate)
        # The gradient of P is P times that of log P, and the backward pass carries that of log P: its numbers are of
        # order one, whatever P is.
        leaves = (*moved, *ridden) if riders else moved
        gradients = torch.autograd.grad(normed, leaves, towards) if differentiate else leaves
    probability, done, given = log_probs.exp(), riders, []
    for layer, table in enumerate(tables):
        given += [(table, done, gradients[layer]), (ends[:, :, layer], 0, gradients[layer - len(tables)])]
        done += table.shape[1]
    # Which branches count is known here. To ask a GPU for it, by a mask, would wait for all it has to do, each time.
    kept = [np.nonzero(point_table >= 0) for point_table, _, _ in given]
    chosen = [point_table[pair] for pair, (point_table, _, _) in zip(kept, given, strict=True)]
    indices = np.concatenate([np.stack((*pair, found)) for pair, found in zip(kept, chosen, strict=True)], axis=1)
    parts = torch.from_numpy(indices).to(device).split([len(found) for found in chosen], dim=1)
    for (_, first, gradient), found, (row, column, index) in zip(given, chosen, parts, strict=True):
        prob, of_log = probability[row, column + first], gradient.to(device)[row, column, 0]
        yield found, index, prob, prob[:, None].float() * of_log.float()


@dataclass(frozen=True)
class Values:
    """P and its slope at n points of paths.

    Attributes:
        prob: (n,) float64, P.
        derivative: (n,) float64, dP/dalpha along the path; empty where only P was computed.
        gradient: (n, size) float32, the gradient of P with respect to the moved values; empty where only P was
            computed.
    """

    prob: np.ndarray
    derivative: np.ndarray
    gradient: Tensor


def evaluate(paths: Paths, points: Points, differentiate: bool = True) -> Values:
    """Compute P at points of paths, its derivative along the path, and its gradient.

    Chunks of branches shrink when memory runs out, and stay small for all later calls with the same budget.

    Args:
        differentiate: whether derivatives and gradients are computed, and not only P.
    Raises:
        UserError: one branch per fact and layer does not fit into memory.
    """
    device = paths.answers.device
    facts, targets = paths.answers.shape
    layers = paths.adapter.n_layers
    probability = torch.zeros(len(points), dtype=torch.float64, device=device)
    gradient = torch.zeros(len(points) if differentiate else 0, paths.delta[0].shape[-1], device=device)
    ends = np.full((facts, targets, layers), -1)  # the index of the point at each path's upper end
    upper = np.flatnonzero(points.alpha == 1)
    ends[points.fact[upper], points.target[upper], points.layer[upper]] = upper
    ridden = np.zeros(len(points), dtype=bool)
    ridden[ends[ends >= 0]] = True
    left = np.ones(len(points), dtype=bool)
    while left.any():
        with paths.budget.attempt(smallest=facts * (layers + targets)) as rows:
            chunk_ends = ends[:, : targets if left[upper].any() else 0]
            tables = _chunk(points, left & ~ridden, facts, layers, rows - facts * chunk_ends.shape[1])
            for found, index, prob, prob_gradient in _evaluate_chunk(paths, tables, chunk_ends, points, differentiate):
                probability[index] = prob
                if differentiate:
                    gradient[index] = prob_gradient
                left[found] = False
    if not differentiate:
        return Values(probability.cpu().numpy(), np.zeros(0), gradient)
    delta = torch.stack([layer_delta.to(device) for layer_delta in paths.delta])  # (layers, F, T, size)
    layer, fact, target = (torch.from_numpy(part).to(device) for part in (points.layer, points.fact, points.target))
    derivative = torch.linalg.vecdot(delta[layer, fact, target].float(), gradient)
    return Values(probability.cpu().numpy(), derivative.double().cpu().numpy(), gradient)
