"""The model families: whether an MLP has a gate is said by a model's config.json as by its adapter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dkn.decoder.adapters import FAMILIES
from dkn.errors import UserError
from dkn.models.families import SUPPORTED, has_gate


@pytest.mark.parametrize("family", SUPPORTED)
def test_a_gate_is_where_the_adapter_has_one(family: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family}))
    assert has_gate(tmp_path) is FAMILIES[family].gated


def test_every_supported_family_has_an_adapter() -> None:
    assert set(SUPPORTED) == set(FAMILIES)
    assert {FAMILIES[family].gated for family in SUPPORTED} == {False, True}


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '"gpt2"', "[" * 100_000])
def test_a_folder_that_says_no_family_is_one_line(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"config\.json: says no family of models \(\w+\)$"):
        has_gate(tmp_path)
