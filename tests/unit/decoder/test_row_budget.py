"""Chunks of branches shrink when memory runs out, and only then."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from dkn.attribution import path_gradients
from dkn.attribution.integrated_gradients import AttributionSettings, attribute
from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.row_budget import MOST_ROWS, RowBudget
from dkn.errors import UserError

MakeFact = Callable[..., EncodedFact]
MESSAGES = ("CUDA out of memory.", "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate")


def fail_above(monkeypatch: pytest.MonkeyPatch, rows: int, error: Exception) -> list[int]:
    """Let chunks of more than ``rows`` branches fail; returns the list that sizes of all tries are added to."""
    tried = []
    original = path_gradients._through_the_stack

    def limited(paths, tables, riders, fact, target, alpha):  # type: ignore[no-untyped-def]
        tried.append(fact.numel())
        if fact.numel() > rows:
            raise error
        return original(paths, tables, riders, fact, target, alpha)

    monkeypatch.setattr(path_gradients, "_through_the_stack", limited)
    return tried


@pytest.mark.parametrize("error", [torch.OutOfMemoryError(MESSAGES[0]), RuntimeError(MESSAGES[1])])
def test_running_out_of_memory_halves_the_chunk_for_good(
    adapter: Adapter, random_fact: MakeFact, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    facts = [random_fact(5, 2)]
    settings = AttributionSettings(quadrature="midpoint", nodes=6)
    (whole,) = attribute(adapter, facts, 1, settings)
    budget = RowBudget(4096)
    limit = 4 * adapter.n_layers
    tried = fail_above(monkeypatch, limit, error)
    (parts,) = attribute(adapter, facts, 1, settings, budget)
    torch.testing.assert_close(parts.scores, whole.scores, rtol=1e-4, atol=1e-6 * float(whole.scores.abs().max()))
    assert max(tried) > limit
    assert adapter.n_layers <= budget.rows < 2 * limit
    tried.clear()
    attribute(adapter, facts, 1, settings, budget)
    assert max(tried) <= limit, "the next batch starts from what was learnt"


def test_the_smallest_chunk_that_does_not_fit_is_the_users_to_see(
    adapter: Adapter, random_fact: MakeFact, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_above(monkeypatch, 0, torch.OutOfMemoryError(MESSAGES[0]))
    with pytest.raises(UserError, match=r"lower compute\.batch"):
        attribute(adapter, [random_fact(5, 1)], 1, AttributionSettings())


def test_other_errors_are_not_taken_for_lack_of_memory(
    adapter: Adapter, random_fact: MakeFact, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_above(monkeypatch, 0, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        attribute(adapter, [random_fact(5, 1)], 1, AttributionSettings())


def test_the_first_size_comes_from_free_memory(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    assert RowBudget.for_model(adapter).rows == MOST_ROWS
    monkeypatch.setattr("dkn.decoder.row_budget.free_memory", lambda device: 10**6)
    assert 1 <= RowBudget.for_model(adapter).rows < 100
