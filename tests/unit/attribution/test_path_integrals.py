"""Adaptive quadrature where arithmetic ends: models whose MLPs do nothing, types of few digits, pieces of no length."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast
from unittest.mock import patch

import numpy as np
import pytest
import torch

from dkn.attribution import integrated_gradients, path_integrals
from dkn.attribution.integrated_gradients import AttributionSettings, attribute, completeness_rows, score_rows
from dkn.attribution.path_gradients import Paths, Points, Values, evaluate
from dkn.attribution.path_integrals import integrate_adaptively
from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import adapt
from dkn.decoder.row_budget import RowBudget

MASK = 1
BASELINES = ("amig", "zero")
MakeFact = Callable[..., EncodedFact]


@pytest.mark.parametrize("quadrature", ["adaptive", "gauss-legendre"])
@pytest.mark.parametrize("baseline", BASELINES)
def test_mlps_that_do_nothing_end_at_once(
    own_adapter: Adapter, random_fact: MakeFact, baseline: str, quadrature: str
) -> None:
    """As in a control whose MLPs are ablated: nothing changes, so nothing is attributed and everything is complete."""
    for layer in range(own_adapter.n_layers):
        own_adapter.writing(layer)[:] = 0
    settings = AttributionSettings(baseline=baseline, quadrature=quadrature)
    (found,) = attribute(own_adapter, [random_fact(6, 2)], MASK, settings)
    assert (found.nodes == 3).all()
    assert not found.change.any()
    assert not found.error.any()
    assert not found.scores.any()
    assert score_rows(found, 0.05).empty
    assert completeness_rows(found, 1e-3)["converged"].all()


@pytest.mark.parametrize("baseline", BASELINES)
def test_mlps_that_do_almost_nothing_end(own_adapter: Adapter, random_fact: MakeFact, baseline: str) -> None:
    """Their changes are the noise of the arithmetic, which no node makes smaller."""
    for layer in range(own_adapter.n_layers):
        own_adapter.writing(layer)[:] *= 1e-9
    (found,) = attribute(own_adapter, [random_fact(6, 2)], MASK, AttributionSettings(baseline=baseline))
    assert found.nodes.max() <= 5
    assert np.isfinite(found.error).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_types_of_few_digits_cost_what_float32_costs(
    adapter: Adapter, random_fact: MakeFact, dtype: torch.dtype
) -> None:
    """Their tolerance is not below their noise; the recorded error is the true one all the same."""
    facts = [random_fact(length, 2, seed) for seed, length in enumerate((5, 8, 6))]
    short = adapt(copy.deepcopy(adapter.model).to(dtype))
    nodes = {}
    for name, own in (("float32", adapter), ("short", short)):
        found = attribute(own, facts, MASK, AttributionSettings())
        nodes[name] = np.mean([result.nodes.mean() for result in found])
        for result in found:
            largest = np.abs(result.change.sum(0)).max()
            assert np.allclose(result.error, np.abs(result.total - result.change) / largest, rtol=1e-6, atol=0)
    assert nodes["short"] < 2 * nodes["float32"]


def rounded_sigmoid(dtype: torch.dtype) -> Callable[..., Values]:
    """P along a path as a steep sigmoid of alpha whose log odds are off by a few roundings of ``dtype``."""

    def evaluate(_paths: Paths, points: Points) -> Values:
        prob = 1 / (1 + np.exp(-30 * (points.alpha - 0.5)))
        slope = prob * (1 - prob)
        noise = 8 * torch.finfo(dtype).eps * np.sin(1e4 * points.alpha)
        return Values(prob + slope * noise, 30 * slope, torch.zeros(len(points), 1))

    return evaluate


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_piece_is_not_halved_for_what_rounding_gives_it(dtype: torch.dtype) -> None:
    """However many pieces a path has: their roundings add up, and more pieces would have more."""
    upper, nodes = np.array([[1 / (1 + np.exp(-15))]]), {}
    for kind in (torch.float32, dtype):
        paths = SimpleNamespace(dtype=kind, still=lambda: np.zeros((1, 1, 1), dtype=bool))
        with patch.object(path_integrals, "evaluate", rounded_sigmoid(kind)):
            found = integrate_adaptively(cast(Paths, paths), (1, 1, 1), upper, 3, 1e-3, 10**4)
        nodes[kind] = int(found.nodes.max())
    assert nodes[dtype] <= 1.5 * nodes[torch.float32]


def test_pieces_whose_nodes_would_coincide_are_not_halved(adapter: Adapter, random_fact: MakeFact) -> None:
    """However many nodes an unreachable tolerance may spend."""
    settings = AttributionSettings(tolerance=0.0, max_nodes=10**6)
    with patch.object(path_integrals, "ROUNDINGS", 0), patch.object(path_integrals, "_rank_by_error", deepest_first):
        (found,) = attribute(adapter, [random_fact(4, 1)], MASK, settings)
    assert np.isfinite(found.total).all()


def deepest_first(path: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Ranks that let a path halve its last piece alone, so that pieces become as short as they can."""
    last = np.zeros(len(path))
    last[np.unique(path[::-1], return_index=True)[1] * -1 + len(path) - 1] = 1
    return np.where(last == 1, 0, 10**9)


def test_two_points_at_the_upper_end_of_a_path_are_both_computed(adapter: Adapter, random_fact: MakeFact) -> None:
    """One rides along with the model's own values, the other is a branch of its own."""
    fact = random_fact(4, 1)
    paths, _, prob = integrated_gradients._end_points(
        adapter, [fact], MASK, AttributionSettings(), RowBudget.for_model(adapter)
    )
    same = np.zeros(2, dtype=np.int64)
    values = evaluate(paths, Points(same, same, same, np.ones(2)))
    assert values.prob == pytest.approx([prob[0, 0]] * 2, rel=1e-5)
