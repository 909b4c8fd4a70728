"""Integrals of the gradient of the answer's probability P along paths, refined until they are complete.

A *path* goes from alpha = 0 to alpha = 1, see ``dkn.attribution.path_gradients``. Adaptive quadrature cuts paths into
pieces and puts the same number of Gauss-Lobatto nodes on every piece. Both ends of a piece are nodes, so P is known
there and the error of the piece is known exactly: the integral of dP/dalpha over the piece must be the difference of P
between its ends. Refinement halves the pieces whose error is too large. The halves share their ends with their
neighbours, and the middle of a piece is a node already, so only inner nodes are evaluated.

Refinement has two limits beside the number of nodes, because no arithmetic is exact: an error that rounding alone gives
is not refined, and a piece is not halved where nodes of the halves would coincide in the model's own type of numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from dkn.attribution.path_gradients import Paths, Points, Values, evaluate
from dkn.attribution.quadrature import nodes_and_weights

Shape = tuple[int, int, int]  # facts, answer tokens, layers
ROUNDINGS = 16  # the log odds of P are known to about so many roundings of a one in the model's type of numbers


@dataclass(frozen=True)
class Integral:
    """Integrals over whole paths; arrays are of shape (facts, answer tokens, layers).

    Attributes:
        prob_lower: P at the path's beginning.
        total: the integral of dP/dalpha.
        gradient: (facts, answer tokens, layers, size), the integral of the gradient with respect to the moved values.
        nodes: the number of gradient evaluations.
    """

    prob_lower: np.ndarray
    total: np.ndarray
    gradient: Tensor
    nodes: np.ndarray


def _all_paths(shape: Shape) -> Points:
    """Return one point per path, its beginning, in the order of the flattened ``shape``."""
    fact, target, layer = (part.ravel() for part in np.indices(shape))
    return Points(fact, target, layer, np.zeros(fact.size))


def _along(paths: Points, alpha: np.ndarray) -> Points:
    """Return points of n paths, m of each, path after path.

    Args:
        paths: one point of each path.
        alpha: (n, m), the points' places on their paths.
    """
    fact, target, layer = (np.repeat(part, alpha.shape[1]) for part in (paths.fact, paths.target, paths.layer))
    return Points(fact, target, layer, alpha.ravel())


def _sum_by_path(gradient: Tensor, path: np.ndarray, weight: np.ndarray, shape: Shape) -> Tensor:
    """Return the weighted sums of gradients by path, (*shape, size).

    Args:
        gradient: (n, size), the gradients at n points.
        path: (n,), the index of each point's path in the flattened ``shape``.
        weight: (n,), the weight of each point.
    """
    device = gradient.device
    total = torch.zeros(int(np.prod(shape)), gradient.shape[1], device=device)
    total.index_add_(
        0,
        torch.from_numpy(path).to(device),
        gradient * torch.from_numpy(weight.astype(np.float32)).to(device)[:, None],
    )
    return total.view(*shape, -1)


def integrate(paths: Paths, shape: Shape, rule: str, count: int) -> Integral:
    """Integrate over every path by a fixed rule with ``count`` nodes.

    Raises:
        ValueError: the rule is unknown or needs more nodes.
        UserError: memory runs out.
    """
    nodes, weights = nodes_and_weights(rule, count)
    beginnings = _all_paths(shape)
    values = evaluate(paths, _along(beginnings, np.tile(nodes, (len(beginnings), 1))))
    prob_lower = values.prob[::count] if nodes[0] == 0 else evaluate(paths, beginnings, differentiate=False).prob
    path = np.repeat(np.arange(len(beginnings)), count)
    return Integral(
        prob_lower=prob_lower.reshape(shape),
        total=(values.derivative.reshape(-1, count) @ weights).reshape(shape),
        gradient=_sum_by_path(values.gradient, path, np.tile(weights, len(beginnings)), shape),
        nodes=np.full(shape, count),
    )


@dataclass(frozen=True)
class Samples:
    """Evaluated points, their values, and the index of the path that each belongs to, (n,)."""

    points: Points
    values: Values
    path: np.ndarray

    def plus(self, other: Samples) -> Samples:
        """Return these samples, followed by the other ones."""
        names = [field.name for field in fields(Points)]
        return Samples(
            Points(*(np.concatenate((getattr(self.points, name), getattr(other.points, name))) for name in names)),
            Values(
                np.concatenate((self.values.prob, other.values.prob)),
                np.concatenate((self.values.derivative, other.values.derivative)),
                torch.cat((self.values.gradient, other.values.gradient)),
            ),
            np.concatenate((self.path, other.path)),
        )


def _sample(paths: Paths, beginnings: Points, path: np.ndarray, alpha: np.ndarray) -> Samples:
    """Evaluate points of n paths, m of each, path after path.

    Args:
        beginnings: the beginnings of all paths.
        path: (n,), the indices of the n paths among them.
        alpha: (n, m), the points' places on their paths.
    """
    points = _along(beginnings.take(path), alpha)
    return Samples(points, evaluate(paths, points), np.repeat(path, alpha.shape[1]))


@dataclass(frozen=True)
class Rule:
    """An odd number of Gauss-Lobatto nodes on [0, 1] with their weights.

    Its methods take ``pieces`` of paths, (n, nodes) indices of the samples at each piece's nodes.
    """

    nodes: np.ndarray
    weights: np.ndarray

    @property
    def middle(self) -> int:
        """The index of the node in the middle."""
        return len(self.nodes) // 2

    def lengths(self, samples: Samples, pieces: np.ndarray) -> np.ndarray:
        """Return the lengths of pieces in alpha, (n,)."""
        alpha = samples.points.alpha
        return alpha[pieces[:, -1]] - alpha[pieces[:, 0]]

    def integrals(self, samples: Samples, pieces: np.ndarray) -> np.ndarray:
        """Return the integrals of dP/dalpha over pieces, (n,)."""
        return samples.values.derivative[pieces] @ self.weights * self.lengths(samples, pieces)

    def divisible(self, samples: Samples, pieces: np.ndarray, dtype: torch.dtype) -> np.ndarray:
        """Return which pieces can be halved, (n,): those whose halves' nodes all differ after rounding to ``dtype``."""
        lower, middle, upper = (samples.points.alpha[pieces[:, [node]]] for node in (0, self.middle, -1))
        places = np.concatenate(
            (lower + (middle - lower) * self.nodes[:-1], middle + (upper - middle) * self.nodes[:-1], upper), axis=1
        )
        rounded = torch.from_numpy(places).to(torch.float32).to(dtype).double().numpy()
        return np.asarray((np.diff(rounded) > 0).all(axis=1))

    def roundings(self, samples: Samples, pieces: np.ndarray, dtype: torch.dtype) -> np.ndarray:
        """Return the error that rounding alone may give pieces, (n,), in a model that computes in ``dtype``."""
        prob = samples.values.prob[pieces]
        return ROUNDINGS * torch.finfo(dtype).eps * (prob * (1 - prob)).max(1)

    def errors(self, samples: Samples, pieces: np.ndarray) -> np.ndarray:
        """Return how far pieces are from completeness, (n,): |integral of dP/dalpha - difference of P|."""
        prob = samples.values.prob
        return np.abs(self.integrals(samples, pieces) - (prob[pieces[:, -1]] - prob[pieces[:, 0]]))


def _halves(
    paths: Paths, beginnings: Points, samples: Samples, pieces: np.ndarray, rule: Rule
) -> tuple[Samples, np.ndarray]:
    """Halve pieces.

    Returns:
        The samples, followed by those at the inner nodes of the halves; and the halves, (2 n, nodes) indices of
        samples.
    """
    alpha, middle = samples.points.alpha, pieces[:, rule.middle]
    ends = np.concatenate((np.stack((pieces[:, 0], middle), 1), np.stack((middle, pieces[:, -1]), 1)))
    length = alpha[ends[:, 1]] - alpha[ends[:, 0]]
    inner = alpha[ends[:, :1]] + length[:, None] * rule.nodes[1:-1]
    inner_indices = len(alpha) + np.arange(inner.size).reshape(inner.shape)
    extended = samples.plus(_sample(paths, beginnings, samples.path[ends[:, 0]], inner))
    return extended, np.concatenate((ends[:, :1], inner_indices, ends[:, 1:]), axis=1)


def _rank_by_error(path: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return the rank of each piece within its path, (n,), from 0 for the largest error."""
    order = np.lexsort((-error, path))
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order)) - np.searchsorted(path[order], path[order])
    return ranks


def integrate_adaptively(
    paths: Paths, shape: Shape, prob_upper: np.ndarray, count: int, tolerance: float, max_nodes: int
) -> Integral:
    """Integrate over every path, halving its pieces until the path is complete or has used up its nodes.

    Args:
        prob_upper: (facts, answer tokens), P at the paths' upper ends.
        count: the number of Gauss-Lobatto nodes of a piece, odd and at least 3.
        tolerance: the largest error of a fact's layer, summed over the answer tokens, relative to the fact's largest
            layer change: the largest change of P over all layers between the ends of a layer's paths, summed over the
            answer tokens.
        max_nodes: the most nodes for one path; the pieces with the largest errors get them first.
    Returns:
        The integrals. An error that is below the rounding of P counts as complete here, whatever the tolerance; where
        a path's two ends are the same point, P is the same at both.
    Raises:
        UserError: memory runs out.
    """
    rule = Rule(*nodes_and_weights("gauss-lobatto", count))
    beginnings = _all_paths(shape)
    size, cost = len(beginnings), 2 * (count - 2)  # paths; new nodes that halving one piece takes
    samples = _sample(paths, beginnings, np.arange(size), np.tile(rule.nodes, (size, 1)))
    # The P that riders give at upper ends differs from the recorded P by rounding; errors are judged by the recorded.
    samples.values.prob[count - 1 :: count] = np.broadcast_to(prob_upper[:, :, None], shape).ravel()
    pieces = np.arange(size * count).reshape(size, count)
    prob_lower = np.where(paths.still(), prob_upper[:, :, None], samples.values.prob[::count].reshape(shape))
    samples.values.prob[::count] = prob_lower.ravel()
    scale = np.abs((prob_upper[:, :, None] - prob_lower).sum(1)).max(-1)
    rounding = rule.roundings(samples, pieces, paths.dtype).reshape(shape)
    allowed = np.maximum((tolerance * scale / shape[1])[:, None, None], rounding).ravel()
    nodes = np.full(size, count)
    while True:
        path, error = samples.path[pieces[:, 0]], rule.errors(samples, pieces)
        total = np.bincount(path, error, minlength=size)
        share = allowed / np.bincount(path, minlength=size)
        split = (total > allowed)[path] & (
            error > np.maximum(share[path], rule.roundings(samples, pieces, paths.dtype))
        )
        split[split] = rule.divisible(samples, pieces[split], paths.dtype)
        split &= _rank_by_error(path, error) < ((max_nodes - nodes) // cost)[path]
        if not split.any():
            break
        nodes += cost * np.bincount(path[split], minlength=size)
        samples, halves = _halves(paths, beginnings, samples, pieces[split], rule)
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
