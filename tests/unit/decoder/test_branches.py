"""Branches against prompts that are read once, compared with whole forward passes of the Hugging Face model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from dkn.decoder.adapters import Adapter
from dkn.decoder.branches import Places, attend
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.prefix import Prefix, read_prompts
from tests.unit import plain

MakeFact = Callable[..., EncodedFact]


def embed(adapter: Adapter, tokens: Sequence[int]) -> Tensor:
    """(1, length, width): what enters layer 0."""
    return adapter.embed(torch.tensor([tokens]), torch.arange(len(tokens)))


def read_branches(adapter: Adapter, prefix: Prefix, branches: Sequence[Sequence[Sequence[int]]], tokens: int) -> Tensor:
    """Logits (F, R, T, vocabulary) of branches: whole token sequences whose last T tokens enter at layer 0."""
    starts = torch.tensor([[len(row) - tokens for row in rows] for rows in branches])
    hidden = torch.stack([torch.cat([embed(adapter, row)[:, -tokens:] for row in r]) for r in branches])
    places = Places.of(adapter, prefix, starts[..., None] + torch.arange(tokens))
    for layer in range(adapter.n_layers):
        hidden = attend(adapter, layer, prefix, hidden, places)
        hidden = adapter.add_mlp(layer, hidden, adapter.mlp_output(layer, adapter.neurons(layer, hidden)))
    return adapter.unembed(adapter.final_norm(hidden))


def variants(prompt: Sequence[int], tokens: int) -> list[list[int]]:
    """A sequence and three others that differ from it within the last ``tokens`` tokens."""
    last = [*prompt[:-1], 17]
    first = [*prompt]
    first[-tokens] = 23
    every = [*prompt[:-tokens], *range(31, 31 + tokens)]
    return [list(prompt), last, first, every]


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
