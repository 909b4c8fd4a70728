"""Chunks of branches shrink when memory runs out, and only then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from dkn.attribution import path_gradients
from dkn.attribution.integrated_gradients import AttributionSettings, attribute
from dkn.decoder import row_budget
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
    monkeypatch.setattr("dkn.decoder.row_budget.free_memory", lambda device, weights: 10**6)
    assert 1 <= RowBudget.for_model(adapter).rows < 100


def test_a_cache_of_files_is_free_but_for_the_weights_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has read many files has hardly a page unused, and yet most of its memory is to be had."""
    cpu, unused = torch.device("cpu"), {"SC_AVPHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(row_budget.os, "sysconf", unused.__getitem__)
    monkeypatch.setattr(row_budget, "_reclaimable", lambda: 10**10)
    assert row_budget.free_memory(cpu) == 10**10
    assert row_budget.free_memory(cpu, weights=4 * 10**9) == 6 * 10**9
    assert row_budget.free_memory(cpu, weights=10**11) == 4_096_000, "what nobody uses is free in any case"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("MemTotal:       24000000 kB\nMemAvailable:   16483744 kB\n", 16_483_744 * 1024),
        ("MemTotal:       24000000 kB\n", 0),
        ("MemAvailable: lots\n", 0),
        ("no table", 0),
        (None, 0),
    ],
)
def test_what_linux_can_give_is_read_off_its_table(content: str | None, expected: int, tmp_path: Path) -> None:
    table = tmp_path / "meminfo"
    if content is not None:
        table.write_text(content)
    assert row_budget._reclaimable(table) == expected
