"""The table of families: what it says about members, and about models of which one part reads texts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from dkn.families import FAMILIES, OBSTACLES, SUPPORTED, TEXT_PARTS, family_of


def test_a_family_is_supported_or_refused() -> None:
    assert set(SUPPORTED) == set(FAMILIES)
    assert not set(SUPPORTED) & set(OBSTACLES)
    assert set(TEXT_PARTS.values()) <= set(SUPPORTED)


@pytest.mark.parametrize("given", ["gpt2", "gemma3", "t5", None, 3, ["gpt2"]])
def test_the_part_that_reads_texts_is_the_family(given: object) -> None:
    assert family_of(given) == ("gemma3_text" if given == "gemma3" else given)


def test_some_families_have_a_gate_and_some_have_none() -> None:
    assert {"llama", "phi3", "gemma2"} <= {family for family in SUPPORTED if FAMILIES[family].gated}
    assert {"gpt2", "gpt_neox", "opt", "arcee"} <= {family for family in SUPPORTED if not FAMILIES[family].gated}


def test_members_of_a_family_differ_by_their_config() -> None:
    falcon = FAMILIES["falcon"]
    seven = falcon.member(SimpleNamespace(parallel_attn=True, num_ln_in_parallel_attn=None, alibi=False))
    assert seven == falcon
    refined_web = falcon.member(SimpleNamespace(parallel_attn=False, num_ln_in_parallel_attn=None, alibi=True))
    assert (refined_web.parallel, refined_web.rotation, refined_web.slopes) == (False, None, "scaled")
    assert refined_web.before_mlp == "post_attention_layernorm"
