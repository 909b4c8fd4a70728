"""Integrals of the answer probability's gradient along paths, refined by completeness (docs/method.md).

Adaptive quadrature cuts paths into pieces with Gauss-Lobatto nodes. Both ends of a piece are among its nodes, so P is
known there and the piece's error is known exactly: the integral of dP/dalpha over it must be the difference.
Refinement halves the pieces that are too wrong; ends are shared with the neighbours, and the middle is a node already.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from dkn.attribution.path_gradients import Paths, Points, Values, evaluate
from dkn.attribution.quadrature import nodes_and_weights

Shape = tuple[int, int, int]  # facts, answer tokens, layers


@dataclass(frozen=True)
class Integral:
    """Integrals over whole paths, each array of shape (facts, answer tokens, layers).

    Attributes:
        prob_lower: P at the path's beginning.
        total: of dP/dalpha.
        gradient: (facts, answer tokens, layers, size) of the gradient with respect to what is moved.
        nodes: gradient evaluations spent.
    """

    prob_lower: np.ndarray
    total: np.ndarray
    gradient: Tensor
    nodes: np.ndarray


def _all_paths(shape: Shape) -> Points:
    """The beginnings of all paths."""
    fact, target, layer = (part.ravel() for part in np.indices(shape))
    return Points(fact, target, layer, np.zeros(fact.size))


def _along(paths: Points, alpha: np.ndarray) -> Points:
    """The (n, m) points ``alpha`` of n paths, flat."""
    fact, target, layer = (np.repeat(part, alpha.shape[1]) for part in (paths.fact, paths.target, paths.layer))
    return Points(fact, target, layer, alpha.ravel())


def _sum_by_path(gradient: Tensor, path: np.ndarray, weight: np.ndarray, shape: Shape) -> Tensor:
    """(n, size) gradients, weighted and added up by path: (*shape, size)."""
    device = gradient.device
    total = torch.zeros(int(np.prod(shape)), gradient.shape[1], device=device)
    total.index_add_(
        0,
        torch.from_numpy(path).to(device),
        gradient * torch.from_numpy(weight.astype(np.float32)).to(device)[:, None],
    )
    return total.view(*shape, -1)


def integrate(paths: Paths, shape: Shape, rule: str, count: int) -> Integral:
    """Apply a fixed rule with ``count`` nodes to every path."""
    nodes, weights = nodes_and_weights(rule, count)
    whole = _all_paths(shape)
    values = evaluate(paths, _along(whole, np.tile(nodes, (len(whole), 1))))
    starts = values.prob[::count] if nodes[0] == 0 else evaluate(paths, whole, differentiate=False).prob
    return Integral(
        prob_lower=starts.reshape(shape),
        total=(values.derivative.reshape(-1, count) @ weights).reshape(shape),
        gradient=_sum_by_path(
            values.gradient, np.repeat(np.arange(len(whole)), count), np.tile(weights, len(whole)), shape
        ),
        nodes=np.full(shape, count),
    )


@dataclass(frozen=True)
class Samples:
    """Evaluated points, and the path that each belongs to, (n,)."""

    points: Points
    values: Values
    path: np.ndarray

    def plus(self, other: Samples) -> Samples:
        """These, then the other's."""
        mine, yours = self.points, other.points
        return Samples(
            Points(*(np.concatenate((getattr(mine, f.name), getattr(yours, f.name))) for f in fields(Points))),
            Values(
                np.concatenate((self.values.prob, other.values.prob)),
                np.concatenate((self.values.derivative, other.values.derivative)),
                torch.cat((self.values.gradient, other.values.gradient)),
            ),
            np.concatenate((self.path, other.path)),
        )


def _sample(paths: Paths, whole: Points, path: np.ndarray, alpha: np.ndarray) -> Samples:
    """Evaluate (n, m) points, row by row of the given paths."""
    points = _along(whole.take(path), alpha)
    return Samples(points, evaluate(paths, points), np.repeat(path, alpha.shape[1]))


@dataclass(frozen=True)
class Rule:
    """Gauss-Lobatto nodes and weights on [0, 1], an odd number of them."""

    nodes: np.ndarray
    weights: np.ndarray

    @property
    def middle(self) -> int:
        return len(self.nodes) // 2

    def lengths(self, samples: Samples, pieces: np.ndarray) -> np.ndarray:
        """(n,) lengths of pieces, which are (n, count) indices of samples."""
        alpha = samples.points.alpha
        return alpha[pieces[:, -1]] - alpha[pieces[:, 0]]

    def integrals(self, samples: Samples, pieces: np.ndarray) -> np.ndarray:
        """(n,) of dP/dalpha over each piece."""
        return samples.values.derivative[pieces] @ self.weights * self.lengths(samples, pieces)

    def errors(self, samples: Samples, pieces: np.ndarray) -> np.ndarray:
        """(n,) how far each piece is from completeness."""
        prob = samples.values.prob
        return np.abs(self.integrals(samples, pieces) - (prob[pieces[:, -1]] - prob[pieces[:, 0]]))


def _halves(
    paths: Paths, whole: Points, samples: Samples, pieces: np.ndarray, rule: Rule
) -> tuple[Samples, np.ndarray]:
    """The samples with the inner nodes of both halves of some pieces, and the halves."""
    alpha, middle = samples.points.alpha, pieces[:, rule.middle]
    ends = np.concatenate((np.stack((pieces[:, 0], middle), 1), np.stack((middle, pieces[:, -1]), 1)))
    length = alpha[ends[:, 1]] - alpha[ends[:, 0]]
    inner = alpha[ends[:, :1]] + length[:, None] * rule.nodes[1:-1]
    fresh = len(alpha) + np.arange(inner.size).reshape(inner.shape)
    more = samples.plus(_sample(paths, whole, samples.path[ends[:, 0]], inner))
    return more, np.concatenate((ends[:, :1], fresh, ends[:, 1:]), axis=1)


def _rank_by_error(path: np.ndarray, error: np.ndarray) -> np.ndarray:
    """(n,) place of each piece within its path, the largest error first."""
    order = np.lexsort((-error, path))
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order)) - np.searchsorted(path[order], path[order])
    return ranks


def integrate_adaptively(
    paths: Paths, shape: Shape, prob_upper: np.ndarray, count: int, tolerance: float, max_nodes: int
) -> Integral:
    """Halve pieces until every (fact, token, layer) is complete, or its nodes run out.

    Args:
        prob_upper: (facts, answer tokens) P at the paths' ends.
        count: Gauss-Lobatto nodes of a piece, odd.
        tolerance: error allowed for a fact's layer, answer tokens summed, relative to its largest layer change.
        max_nodes: the most nodes for one (fact, token, layer); the worst pieces get them first.
    """
    rule = Rule(*nodes_and_weights("gauss-lobatto", count))
    whole = _all_paths(shape)
    size, cost = len(whole), 2 * (count - 2)
    samples = _sample(paths, whole, np.arange(size), np.tile(rule.nodes, (size, 1)))
    # What riders say differs from the reading's P by rounding; errors are judged by the P that is recorded.
    samples.values.prob[count - 1 :: count] = np.broadcast_to(prob_upper[:, :, None], shape).ravel()
    pieces = np.arange(size * count).reshape(size, count)
    prob_lower = samples.values.prob[::count].reshape(shape)
    scale = np.abs((prob_upper[:, :, None] - prob_lower).sum(1)).max(-1)
    allowed = np.broadcast_to((tolerance * scale / shape[1])[:, None, None], shape).ravel()
    nodes = np.full(size, count)
    while True:
        path, error = samples.path[pieces[:, 0]], rule.errors(samples, pieces)
        total = np.bincount(path, error, minlength=size)
        share = allowed / np.bincount(path, minlength=size)
        split = (total > allowed)[path] & (error > share[path])
        split &= _rank_by_error(path, error) < ((max_nodes - nodes) // cost)[path]
        if not split.any():
            break
        nodes += cost * np.bincount(path[split], minlength=size)
        samples, halves = _halves(paths, whole, samples, pieces[split], rule)
        pieces = np.concatenate((pieces[~split], halves))
    weight = np.bincount(
        pieces.ravel(),
        (rule.lengths(samples, pieces)[:, None] * rule.weights).ravel(),
        minlength=len(samples.path),
    )
    return Integral(
        prob_lower=prob_lower,
        total=np.bincount(path, rule.integrals(samples, pieces), minlength=size).reshape(shape),
        gradient=_sum_by_path(samples.values.gradient, samples.path, weight, shape),
        nodes=nodes.reshape(shape),
    )
