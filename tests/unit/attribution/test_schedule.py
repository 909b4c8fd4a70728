"""The triangular schedule does the work that is counted for it, and no more."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch.utils.flop_counter import FlopCounterMode

from dkn.attribution.integrated_gradients import AttributionSettings, attribute
from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.study.operations import attribution_flops, shape_of


@pytest.mark.parametrize("baseline", ["zero", "amig"])
@pytest.mark.parametrize("nodes", [2, 5])
def test_matrix_products_are_counted_exactly(
    adapter: Adapter,
    random_fact: Callable[..., EncodedFact],
    baseline: str,
    nodes: int,
) -> None:
    """Floating-point operations of all weight matrices, as PyTorch counts them while attribution runs."""
    fact, settings = random_fact(7, 3), AttributionSettings(baseline, "gauss-lobatto", nodes)
    with FlopCounterMode(display=False) as counter:
        attribute(adapter, [fact], 1, settings)
    kinds = counter.get_flop_counts()["Global"]
    found = sum(count for kind, count in kinds.items() if str(kind) in ("aten.mm", "aten.addmm"))
    assert found == attribution_flops(shape_of(adapter.model.config.to_dict()), 7, 3, nodes, baseline)
