"""A second opinion on distances, clusters and the functional test as the released code has them.

Plain loops over the neurons of one fact, weights and hooks of the Hugging Face model, and nothing from the library.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np
from transformers import PreTrainedModel

from tests.unit import switches
from tests.unit.plain import Neurons

Step = Callable[[int, int], float]


def step_between(model: PreTrainedModel, neurons: Neurons) -> Step:
    """The distance from one of the neurons to another as if the second lay right above the first.

    It is the lower neuron's gate row times the upper one's down column, or where there is no gate what the lower one
    writes times what the upper one reads.
    """

    def step(lower: int, upper: int) -> float:
        (below, first), (above, second) = neurons[lower], neurons[upper]
        if model.config.model_type == "gpt2":
            blocks = model.transformer.h
            one, other = blocks[below].mlp.c_proj.weight[first], blocks[above].mlp.c_fc.weight[:, second]
        else:
            blocks = model.model.layers
            one, other = blocks[below].mlp.gate_proj.weight[first], blocks[above].mlp.down_proj.weight[:, second]
        inner = abs(sum(a * b for a, b in zip(one.tolist(), other.tolist(), strict=True)))
        return 1 / inner if inner else np.inf

    return step


def two_between(layers: Sequence[int], step: Step, max_span: int = 3) -> np.ndarray:
    """Try all pairs of neurons as the two between, and keep those that lie in the layers of the rule; (n, n)."""
    points = range(len(layers))
    matrix = np.full((len(layers), len(layers)), np.inf)
    np.fill_diagonal(matrix, 0)
    for low, high in permutations(points, 2):
        span = layers[high] - layers[low]
        lengths = [step(low, high)] if span == 1 else []
        if span in (2, 3) and span <= max_span:
            firsts = [point for point in points if layers[point] == layers[low] + 1]
            lasts = [point for point in points if layers[point] == layers[high] - 1]
            lengths = [
                step(low, first) + step(first, last) + step(last, high)
                for first in firsts
                for last in lasts
                if first != last
            ]
        if span > 0:
            matrix[low, high] = matrix[high, low] = min(lengths, default=np.inf)
    return matrix


def clusters(square: np.ndarray, quantile: float) -> set[tuple[frozenset[int], float, float]]:
    """Members, birth and death of the kept clusters: trees are joined below the root of the taller one."""
    points = range(len(square))
    pairs = [(float(square[a, b]), a, b) for a in points for b in points if a < b and square[a, b] < 100]
    limit = np.quantile([length for length, _, _ in pairs], quantile) if pairs else 0
    below = sorted((pair for pair in pairs if pair[0] < limit), key=lambda pair: pair[0])  # a stable sort
    children: dict[int, list[int]] = {point: [] for point in points}
    birth = dict.fromkeys(points, 0.0)

    def points_of(point: int) -> set[int]:
        return {point}.union(*(points_of(child) for child in children[point]))

    def height(point: int) -> int:
        return max((1 + height(child) for child in children[point]), default=0)

    roots = set(points)
    for length, a, b in below[: len(below) // 2]:
        [of_a], [of_b] = ([root for root in roots if end in points_of(root)] for end in (a, b))
        if of_a == of_b:
            continue
        for root in (of_a, of_b):
            if points_of(root) == {root}:
                birth[root] = length
        upper, lower = (of_b, of_a) if height(of_b) > height(of_a) else (of_a, of_b)
        children[upper].append(lower)
        roots.remove(lower)
    longest, median = below[-1][0] if below else 0.0, float(np.median(list(birth.values()) or [0]))
    return {
        (frozenset(points_of(root)), birth[root], longest)
        for root in roots
        if len(points_of(root)) >= 2 and longest - birth[root] > median
    }


def relative_drop(
    model: PreTrainedModel, prompt: Sequence[int], answer: Sequence[int], edit: Neurons, released: bool
) -> float:
    """The share of Prob that is lost when neurons are suppressed, as the text has it or as the released code does."""
    how = {"site": "preactivation", "positions": "last", "answer_path": "first-choice"} if released else {}
    before, after = (
        np.exp(switches.answer_log_probs(model, prompt, answer, neurons, 0.0, **how)[0].sum()) for neurons in ((), edit)
    )
    return float((before - after) / before)


def passing(groups: Sequence[Sequence[int]], drop: Callable[[Sequence[int]], float]) -> list[bool]:
    """Which groups of a fact's neurons are kept: there are two groups or more, of two neurons or more."""
    return [len(groups) >= 2 and len(group) >= 2 and drop(group) < 0.05 for group in groups]
