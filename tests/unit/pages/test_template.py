"""The explorer's page around its data: what cannot break it, and how it looks."""

from __future__ import annotations

import json
import re

import pytest

from dkn.pages.template import look, page, script_data
from tests.unit.explorer_study import HOSTILE
from tests.unit.hostile_texts import CASES


def test_text_cannot_end_the_datas_element_and_comes_back_unchanged() -> None:
    data = {"text": f"{HOSTILE} <!-- {{{{title}}}}"}
    filled = page("<p>{{title}}</p><script>{{data}}</script>", "a<b", "", "", "", data)
    assert filled.startswith("<p>a&lt;b</p>")
    inner = re.fullmatch(r".*<script>(.*?)</script>", filled, flags=re.DOTALL)
    assert inner
    assert "<" not in inner[1]
    assert json.loads(inner[1]) == data


@pytest.mark.parametrize("text", CASES)
def test_any_text_comes_back_from_the_data(text: str) -> None:
    written = script_data({"text": text, "half": "a\udc80"})
    assert "<" not in written
    assert json.loads(written) == {"text": text, "half": "a\udc80"}
    written.encode("utf-8")


@pytest.mark.parametrize("text", ["</script>", "</STYLE>", "<!--"])
def test_a_script_that_would_end_its_element_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="script"):
        page("{{script}}", "t", "", "", f"x = '{text}'", {})


def test_the_look_is_the_figures() -> None:
    found = look()
    assert len(found["colours"]) == len(found["symbols"]) == len(set(found["symbols"]))
    assert all(re.fullmatch(r"#[0-9a-fA-F]{6}", colour) for colour in [*found["colours"], found["grey"]])
