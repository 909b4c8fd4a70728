"""Prompts read once, and branches against them, compared with whole forward passes of the Hugging Face model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn

from dkn.decoder.adapters import Adapter
from dkn.decoder.branches import attend, visible_prefix
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.prefix import Prefix, read_prompts
from dkn.errors import UserError
from tests.unit import plain

MakeFact = Callable[..., EncodedFact]


def modules_by_part(adapter: Adapter) -> tuple[nn.Module, list[nn.Module], list[nn.Module]]:
    """The final norm, the norms in front of the MLPs and the down-projections."""
    model = adapter.model
    if model.config.model_type == "gpt2":
        return model.transformer.ln_f, [block.ln_2 for block in model.transformer.h], plain.down_projections(model)
    norms = [block.post_attention_layernorm for block in model.model.layers]
    return model.model.norm, norms, plain.down_projections(model)


def embed(adapter: Adapter, tokens: Sequence[int]) -> Tensor:
    """(1, length, width): what enters layer 0."""
    return adapter.embed(torch.tensor([tokens]), torch.arange(len(tokens)))


def read_branches(adapter: Adapter, prefix: Prefix, branches: Sequence[Sequence[Sequence[int]]], tokens: int) -> Tensor:
    """Logits (F, R, T, vocabulary) of branches: whole token sequences whose last T tokens enter at layer 0."""
    starts = torch.tensor([[len(row) - tokens for row in rows] for rows in branches])
    hidden = torch.stack([torch.cat([embed(adapter, row)[:, -tokens:] for row in r]) for r in branches])
    visible = visible_prefix(prefix, starts)
    rotation = adapter.rotation(starts[..., None] + torch.arange(tokens))
    for layer in range(adapter.n_layers):
        hidden = attend(adapter, layer, prefix, hidden, visible, rotation)
        hidden = adapter.add_mlp(layer, hidden, adapter.mlp_output(layer, adapter.neurons(layer, hidden)))
    return adapter.unembed(adapter.final_norm(hidden))


def variants(prompt: Sequence[int], tokens: int) -> list[list[int]]:
    """A sequence and three others that differ from it within the last ``tokens`` tokens."""
    last = [*prompt[:-1], 17]
    first = [*prompt]
    first[-tokens] = 23
    every = [*prompt[:-tokens], *range(31, 31 + tokens)]
    return [list(prompt), last, first, every]


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


@pytest.mark.parametrize("tokens", [1, 3])
@torch.no_grad()
def test_branches_equal_whole_passes(adapter: Adapter, random_fact: MakeFact, tokens: int) -> None:
    """Altered last tokens that enter at layer 0 give the logits of a full pass over the altered sequence."""
    prompts = [random_fact(length, 1).prompt for length in (5, 10, 3)]
    prefix = read_prompts(adapter, prompts, [[0]] * 3)
    branches = [variants(prompt, tokens) for prompt in prompts]
    found = read_branches(adapter, prefix, branches, tokens)
    for row, sequences in enumerate(branches):
        for branch, sequence in enumerate(sequences):
            expected = plain.logits(adapter.model, sequence)[-tokens:]
            assert plain.relative_difference(found[row, branch], expected) < 1e-5


@torch.no_grad()
def test_branches_begin_wherever_they_like(adapter: Adapter, random_fact: MakeFact) -> None:
    """Branches of one fact at different positions each see the prefix before themselves only."""
    prompt = random_fact(9, 1).prompt
    prefix = read_prompts(adapter, [prompt], [[0]])
    sequences = [[*prompt[:place], 17] for place in (1, 4, 8)]
    found = read_branches(adapter, prefix, [sequences], 1)
    for branch, sequence in enumerate(sequences):
        expected = plain.logits(adapter.model, sequence)[-1:]
        assert plain.relative_difference(found[0, branch], expected) < 1e-5


@torch.no_grad()
def test_tokens_of_a_branch_are_causal(adapter: Adapter, random_fact: MakeFact) -> None:
    """A branch's tokens feel earlier ones of the same branch, and neither later ones nor other branches."""
    prompt = random_fact(8, 1).prompt
    prefix = read_prompts(adapter, [prompt], [[0]])
    plain_branch, last, first, every = variants(prompt, 3)
    found = read_branches(adapter, prefix, [[plain_branch, last, first]], 3)[0]
    assert plain.relative_difference(found[1, :2], found[0, :2]) < 1e-6
    assert plain.relative_difference(found[1, 2], found[0, 2]) > 1e-2
    for place in range(3):
        assert plain.relative_difference(found[2, place], found[0, place]) > 1e-2
    neighbour = read_branches(adapter, prefix, [[plain_branch, every, first]], 3)[0]
    assert plain.relative_difference(neighbour[[0, 2]], found[[0, 2]]) < 1e-6


def test_visible_prefix_by_hand(adapter: Adapter) -> None:
    """A branch sees the positions before its first token."""
    prefix = read_prompts(adapter, [[5, 6, 7], [8, 9]], [[0], [0]])
    visible = visible_prefix(prefix, torch.tensor([[2, 0], [1, 1]]))
    assert visible.int().tolist() == [[[1, 1, 0], [0, 0, 0]], [[1, 0, 0], [1, 0, 0]]]


def test_too_long_a_prompt_is_named(adapter: Adapter) -> None:
    """The context's length is allowed, one token more is not."""
    read_prompts(adapter, [[5] * adapter.context], [[0]])
    with pytest.raises(UserError, match="33 tokens exceeds the model's context of 32"):
        read_prompts(adapter, [[5], [5] * (adapter.context + 1)], [[0], [0]])
