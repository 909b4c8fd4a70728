"""What a model's config.json says about its family, and how a family without an adapter is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dkn.errors import UserError
from dkn.families import FAMILIES, OBSTACLES, SUPPORTED
from dkn.models.families import has_gate, require_family


@pytest.mark.parametrize("family", SUPPORTED)
def test_a_gate_is_read_off_the_models_config(family: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family}))
    assert has_gate(tmp_path) is FAMILIES[family].gated


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
