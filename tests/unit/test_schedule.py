"""The triangular schedule does the work that the benchmark counts for it, and no more."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from torch.utils.flop_counter import FlopCounterMode

from dkn.attribution import AttributionSettings, attribute
from dkn.encoding import EncodedFact
from dkn.language_models import Adapter

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("baseline", ["zero", "amig"])
@pytest.mark.parametrize("nodes", [2, 5])
def test_matrix_products_are_counted_exactly(
    adapter: Adapter,
    random_fact: Callable[..., EncodedFact],
    monkeypatch: pytest.MonkeyPatch,
    baseline: str,
    nodes: int,
) -> None:
    """Floating-point operations of all weight matrices, as PyTorch counts them while attribution runs."""
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    benchmark = importlib.import_module("attribution")
    fact, settings = random_fact(7, 3), AttributionSettings(baseline, "gauss-lobatto", nodes)
    with FlopCounterMode(display=False) as counter:
        attribute(adapter, [fact], 1, settings)
    kinds = counter.get_flop_counts()["Global"]
    found = sum(count for kind, count in kinds.items() if str(kind) in ("aten.mm", "aten.addmm"))
    products = benchmark.matrix_products(adapter, 7, 3, nodes, baseline)
    assert found == sum(2 * m * k * n * often for m, k, n, often in products)
