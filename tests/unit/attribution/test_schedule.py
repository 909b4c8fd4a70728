"""The triangular schedule does the work that is counted for it, no more, and waits for no device in between."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from dkn.attribution import path_integrals
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


class Waits(TorchDispatchMode):
    """Notes every operation for which a program would wait for its GPU: masks, and numbers read off tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: object, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        name = str(func)
        masks = args[1] if name.startswith(("aten.index.", "aten.index_put")) else ()
        by_mask = any(part is not None and part.dtype == torch.bool for part in masks)
        if by_mask or name.startswith(("aten.nonzero", "aten._local_scalar_dense", "aten.masked_select", "aten.equal")):
            self.found.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("settings", [AttributionSettings(), AttributionSettings("zero", "midpoint", 2)])
def test_points_are_evaluated_without_waiting_for_a_device(
    adapter: Adapter,
    random_fact: Callable[..., EncodedFact],
    settings: AttributionSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits, evaluate = Waits(), path_integrals.evaluate

    def watched(*inputs: object, **named: object) -> object:
        with waits:
            return evaluate(*inputs, **named)

    monkeypatch.setattr(path_integrals, "evaluate", watched)
    attribute(adapter, [random_fact(5, 2), random_fact(7, 2)], 1, settings)
    assert waits.found == []
    with waits:
        torch.ones(3)[torch.ones(3) > 0].sum().item()
    assert len(waits.found) == 2
