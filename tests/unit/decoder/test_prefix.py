"""Masked copies of prompts, read together with the prompts, compared with whole forward passes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from dkn.decoder import prefix as reading
from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.prefix import read_prompts, read_with_masked
from dkn.decoder.row_budget import RowBudget
from tests.unit import plain

MakeFact = Callable[..., EncodedFact]
MASK = 1
PLACES = (range(0, 4), range(2, 9), range(5, 6))
POSITIONS = ([4, 5], [10, 8], [7, 5])


@pytest.mark.parametrize("rows", [10_000, 20, 1])
def test_masked_means_equal_whole_passes(
    adapter: Adapter, random_fact: MakeFact, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """Prompts of three lengths with different positions to mask, in one reading or in several."""
    prompts = [random_fact(length, 1).prompt for length in (6, 11, 8)]
    readings = []
    original = reading._read
    monkeypatch.setattr(reading, "_read", lambda *given: readings.append(1) or original(*given))
    prefix, means = read_with_masked(adapter, prompts, POSITIONS, PLACES, MASK, RowBudget(rows))
    assert len(readings) == {10_000: 1, 20: 7, 1: 7}[rows]
    alone = read_prompts(adapter, prompts, POSITIONS)
    assert plain.relative_difference(prefix.final, alone.final) < 1e-5
    modules = plain.down_projections(adapter.model)
    for row, (prompt, places, positions) in enumerate(zip(prompts, PLACES, POSITIONS, strict=True)):
        copies = [[*prompt[:place], MASK, *prompt[place + 1 :]] for place in places]
        passes = [plain.inputs_of(adapter.model, modules, copy) for copy in copies]
        for layer in range(adapter.n_layers):
            expected = torch.stack([neurons[layer][positions] for neurons in passes]).mean(0)
            assert plain.relative_difference(means[layer][row], expected) < 1e-5
            assert plain.relative_difference(prefix.keys[layer], alone.keys[layer]) < 1e-5


def test_only_what_the_mask_can_change_is_computed(
    adapter: Adapter, random_fact: MakeFact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens of a masked copy begin at its masked position; nothing is padded."""
    prompts = [random_fact(length, 1).prompt for length in (6, 11)]
    seen = []
    original = adapter.embed
    monkeypatch.setattr(adapter, "embed", lambda tokens, places: seen.append(tokens) or original(tokens, places))
    read_with_masked(adapter, prompts, [[5], [10]], [range(6), range(9, 11)], MASK, RowBudget(10_000))
    (tokens,) = seen
    assert tokens.shape == (6 + (6 + 5 + 4 + 3 + 2 + 1) + 11 + (2 + 1),)
