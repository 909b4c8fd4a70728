"""Integrals of the answer probability's gradient along paths, refined by completeness (docs/method.md).

P is known at both ends of every piece of a path, so a piece's error is known exactly: the integral of dP/dalpha over it
must be the difference. Refinement halves the pieces that are too wrong; a piece's middle is one of its nodes, so no
further evaluation of P is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from dkn.path_gradients import Paths, Points, evaluate
from dkn.quadrature import nodes_and_weights

Shape = tuple[int, int, int]  # facts, answer tokens, layers
FEW = 128  # branches


@dataclass(frozen=True)
class Pieces:
    """Pieces of paths, one each entry, with what a rule made of them.

    Attributes:
        points: the lower ends.
        upper: (n,) where the pieces end.
        prob_lower, prob_upper, prob_middle: (n,) P there.
        integral: (n,) of dP/dalpha over the piece.
        gradient: (n, size) of the gradient with respect to what is moved, integrated over the piece.
    """

    points: Points
    upper: np.ndarray
    prob_lower: np.ndarray
    prob_upper: np.ndarray
    prob_middle: np.ndarray
    integral: np.ndarray
    gradient: Tensor

    @property
    def error(self) -> np.ndarray:
        """(n,) how far each piece is from completeness."""
        return np.abs(self.integral - (self.prob_upper - self.prob_lower))

    def group(self, shape: Shape) -> np.ndarray:
        """(n,) the flat index of each piece's (fact, token, layer)."""
        return np.ravel_multi_index((self.points.fact, self.points.target, self.points.layer), shape)

    def take(self, chosen: np.ndarray) -> Pieces:
        """Some of the pieces."""
        arrays = {field.name: getattr(self, field.name)[chosen] for field in fields(self)[1:-1]}
        gradient = self.gradient[torch.from_numpy(chosen).to(self.gradient.device)]
        return Pieces(points=self.points.take(chosen), gradient=gradient, **arrays)


def _join(parts: list[Pieces]) -> Pieces:
    """All pieces of several."""
    points = Points(*(np.concatenate([getattr(part.points, f.name) for part in parts]) for f in fields(Points)))
    arrays = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Pieces)[1:-1]}
    return Pieces(points=points, gradient=torch.cat([part.gradient for part in parts]), **arrays)


def _with_lower_ends(
    paths: Paths, lower: Points, inner: Points
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, Tensor]]:
    """P at lower ends, and what ``evaluate`` gives for inner points.

    Few branches leave the processor waiting for weights: then one pass for both is faster, although it differentiates
    the lower ends in vain.
    """
    if len(inner) > FEW:
        return evaluate(paths, lower, differentiate=False)[0], evaluate(paths, inner)
    both = Points(*(np.concatenate((getattr(lower, f.name), getattr(inner, f.name))) for f in fields(Points)))
    probability, derivative, gradient = evaluate(paths, both)
    count = len(lower)
    return probability[:count], (probability[count:], derivative[count:], gradient[count:])


def integrate(
    paths: Paths,
    points: Points,
    upper: np.ndarray,
    prob_lower: np.ndarray | None,
    prob_upper: np.ndarray,
    rule: str,
    count: int,
) -> Pieces:
    """Apply a rule with ``count`` nodes to every piece from ``points`` to ``upper``.

    P at the upper ends is known; at the lower ends it is evaluated if it is not.
    """
    nodes, weights = nodes_and_weights(rule, count)
    length = upper - points.alpha
    fact, target, layer = (np.repeat(part, count) for part in (points.fact, points.target, points.layer))
    alpha = points.alpha[:, None] + length[:, None] * nodes
    inner = Points(fact, target, layer, alpha.ravel())
    if prob_lower is None:
        prob_lower, (probability, derivative, gradient) = _with_lower_ends(paths, points, inner)
    else:
        probability, derivative, gradient = evaluate(paths, inner)
    scaled = torch.from_numpy((length[:, None] * weights).astype(np.float32)).to(gradient.device)
    return Pieces(
        points=points,
        upper=upper,
        prob_lower=prob_lower,
        prob_upper=prob_upper,
        prob_middle=probability.reshape(-1, count)[:, count // 2],
        integral=(derivative.reshape(-1, count) * weights).sum(1) * length,
        gradient=torch.einsum("ij,ijw->iw", scaled, gradient.view(len(upper), count, -1)),
    )


def _rank_by_error(group: np.ndarray, error: np.ndarray) -> np.ndarray:
    """(n,) place of each piece within its group, the largest error first."""
    order = np.lexsort((-error, group))
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order)) - np.searchsorted(group[order], group[order])
    return ranks


def refine(
    paths: Paths, pieces: Pieces, shape: Shape, limit: np.ndarray, count: int, max_nodes: int
) -> tuple[Pieces, np.ndarray]:
    """Halve pieces until every (fact, token, layer) is complete, or its nodes run out.

    Args:
        pieces: the whole paths, integrated with ``count`` Gauss nodes, an odd number.
        limit: (facts,) the error allowed for each (token, layer) of a fact.
        max_nodes: the most nodes for one (fact, token, layer); the worst pieces get them first.
    Returns:
        The pieces, and the nodes spent, of the given shape.
    """
    size, cost = int(np.prod(shape)), 2 * count
    nodes = np.full(size, count)
    allowed = np.broadcast_to(limit[:, None, None], shape).ravel()
    while True:
        group, error = pieces.group(shape), pieces.error
        total = np.bincount(group, error, minlength=size)
        share = allowed / np.maximum(np.bincount(group, minlength=size), 1)
        split = (total > allowed)[group] & (error > share[group])
        split &= _rank_by_error(group, error) < ((max_nodes - nodes) // cost)[group]
        if not split.any():
            return pieces, nodes.reshape(shape)
        nodes += cost * np.bincount(group[split], minlength=size)
        halved, kept = pieces.take(np.flatnonzero(split)), pieces.take(np.flatnonzero(~split))
        pieces = _join([kept, _halves(paths, halved, count)])


def _halves(paths: Paths, pieces: Pieces, count: int) -> Pieces:
    """Both halves of every piece, integrated anew in one go."""
    middle = (pieces.points.alpha + pieces.upper) / 2
    double = np.tile(np.arange(len(middle)), 2)
    points = replace(pieces.points.take(double), alpha=np.concatenate((pieces.points.alpha, middle)))
    upper = np.concatenate((middle, pieces.upper))
    lower_ends = np.concatenate((pieces.prob_lower, pieces.prob_middle))
    upper_ends = np.concatenate((pieces.prob_middle, pieces.prob_upper))
    return integrate(paths, points, upper, lower_ends, upper_ends, "gauss-legendre", count)
