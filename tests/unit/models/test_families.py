"""The table of families: what it says about a model's config, and how a folder's is read."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from dkn.errors import UserError
from dkn.models.families import FAMILIES, OBSTACLES, SUPPORTED, has_gate, require_family


@pytest.mark.parametrize("family", SUPPORTED)
def test_a_gate_is_read_off_the_models_config(family: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family}))
    assert has_gate(tmp_path) is FAMILIES[family].gated


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


@pytest.mark.parametrize("family", OBSTACLES)
def test_an_obstacle_is_said_in_brackets(family: str) -> None:
    with pytest.raises(
        UserError, match=rf"^m: model family '{family}' has no adapter \(its? .*\); supported families: "
    ):
        require_family(family, "m: ")


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '"gpt2"', "[" * 100_000])
def test_a_folder_that_says_no_family_is_one_line(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"config\.json: says no family of models \(\w+\)$"):
        has_gate(tmp_path)
