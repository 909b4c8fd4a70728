"""Prompts read once, and masked copies read with them, compared with whole forward passes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from dkn.decoder import prefix as reading
from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.prefix import read_prompts, read_with_masked
from dkn.decoder.row_budget import RowBudget
from dkn.errors import UserError
from tests.unit import plain, switches

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


@pytest.mark.parametrize("site", ["neurons", "preactivation"])
@pytest.mark.parametrize("rows", [10_000, 1])
def test_a_copy_counts_from_its_masked_position_on(
    adapter: Adapter, random_fact: MakeFact, rows: int, site: str
) -> None:
    """All positions are masked, and each queried position has a mean of its own number of copies."""
    prompts, positions = [random_fact(length, 1).prompt for length in (6, 9)], [[5, 1], [3, 8]]
    maskable = [range(0, 6), range(2, 9)]
    prefix, means = read_with_masked(adapter, prompts, positions, maskable, MASK, RowBudget(rows), site)
    alone = read_prompts(adapter, prompts, positions)
    for row, (prompt, places, queried) in enumerate(zip(prompts, maskable, positions, strict=True)):
        for query, last in enumerate(queried):
            tokens, copied = prompt[: last + 1], [place for place in places if place <= last]
            expected = switches.baseline_values(adapter.model, site, "amig", tokens, copied, MASK)
            for layer in range(adapter.n_layers):
                assert plain.relative_difference(means[layer][row, query], expected[layer]) < 1e-5
                assert plain.relative_difference(prefix.neurons[layer], alone.neurons[layer]) < 1e-5


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


def modules_by_part(adapter: Adapter) -> tuple[nn.Module, list[nn.Module], list[nn.Module]]:
    """The final norm, the norms in front of the MLPs and the down-projections."""
    model = adapter.model
    if model.config.model_type == "gpt2":
        return model.transformer.ln_f, [block.ln_2 for block in model.transformer.h], plain.down_projections(model)
    norms = [block.post_attention_layernorm for block in model.model.layers]
    return model.model.norm, norms, plain.down_projections(model)


def test_prefix_is_what_the_model_computes(adapter: Adapter, random_fact: MakeFact) -> None:
    """Residual streams, neurons, keys and values equal what the model's own modules see."""
    prompt, positions = random_fact(9, 1).prompt, [2, 8, 5]
    prefix = read_prompts(adapter, [prompt], [positions])
    final, norms, projections = modules_by_part(adapter)
    # In the order in which the modules run: per layer the MLP's norm and the down-projection, then the final norm.
    streams = plain.inputs_of(adapter.model, [final, *norms, *projections], prompt)
    middle, neurons = streams[:-1:2], streams[1:-1:2]
    assert plain.relative_difference(prefix.final[0], streams[-1][positions]) < 1e-5
    with torch.no_grad():
        cache = adapter.model(torch.tensor([prompt]), use_cache=True).past_key_values
    for layer in range(adapter.n_layers):
        assert plain.relative_difference(prefix.middle[layer][0], middle[layer][positions]) < 1e-5
        assert plain.relative_difference(prefix.neurons[layer][0], neurons[layer][positions]) < 1e-5
        assert plain.relative_difference(prefix.keys[layer], cache.layers[layer].keys) < 1e-5
        assert plain.relative_difference(prefix.values[layer], cache.layers[layer].values) < 1e-5
    assert prefix.keys[0].shape[1] == adapter.n_kv_heads


def test_right_padding_is_harmless(adapter: Adapter, random_fact: MakeFact) -> None:
    """Prompts of different lengths in one batch give what each gives alone."""
    prompts = [random_fact(length, 1).prompt for length in (4, 11, 1, 7)]
    positions = [[len(prompt) - 1, 0] for prompt in prompts]
    together = read_prompts(adapter, prompts, positions)
    for row, (prompt, queried) in enumerate(zip(prompts, positions, strict=True)):
        alone = read_prompts(adapter, [prompt], [queried])
        assert plain.relative_difference(together.final[row], alone.final[0]) < 1e-5
        for layer in range(adapter.n_layers):
            assert plain.relative_difference(together.neurons[layer][row], alone.neurons[layer][0]) < 1e-5
            assert plain.relative_difference(together.keys[layer][row, :, : len(prompt)], alone.keys[layer][0]) < 1e-5


def test_cache_is_optional(adapter: Adapter, random_fact: MakeFact) -> None:
    """Without the cache the rest is the same, bit for bit."""
    prompt = random_fact(6, 1).prompt
    with_cache, without = (read_prompts(adapter, [prompt], [[5]], cache=cache) for cache in (True, False))
    assert torch.equal(with_cache.final, without.final)
    assert (without.keys, without.values) == ([], [])


def test_too_long_a_prompt_is_named(adapter: Adapter) -> None:
    """The context's length is allowed, one token more is not."""
    read_prompts(adapter, [[5] * adapter.context], [[0]])
    with pytest.raises(UserError, match="33 tokens exceeds the model's context of 32"):
        read_prompts(adapter, [[5], [5] * (adapter.context + 1)], [[0], [0]])
