"""Captions as HTML: the words of every figure, and the texts of facts as text."""

from __future__ import annotations

import html
import re
from pathlib import Path

import jinja2
import pytest

from dkn.pages.captions import lead, rendered, words
from dkn.plain_text import one_line
from dkn.stages import PACKAGE
from dkn.summaries.wording import bullets
from tests.unit.hostile_texts import CASES
from tests.workflow_rules import figure_names

REPORT = PACKAGE.parent / "report"
STUDY = {
    "models": [{"name": "a-nano_"}, {"name": "b__nano"}],
    "statistics": {"confidence": 0.95},
    "claims": {"alpha": 0.05, "margins": {"drop": 0.01, "f1": 0.02}, "minimum_subjects": 10},
    "seed": 0,
}


def said(markup: str) -> str:
    """The text of HTML."""
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


@pytest.mark.parametrize("name", sorted({*figure_names(), "table"}))
def test_the_words_of_every_caption_are_filled_in(name: str) -> None:
    given = {"params": {"title": "facts left", "note": "Counts."}, "wildcards": {"table": "funnel"}}
    text = words((REPORT / f"{name}.rst").read_text("utf-8"), STUDY, **given)
    assert "a-nano_, b__nano" in said(rendered(text))
    assert "system-message" not in rendered(text)
    assert lead(text), "the first words are in bold type; they are the image's alternative text"
    assert lead(text) in said(rendered(text)).replace("\n", " ")


def test_a_caption_that_names_what_is_not_there_is_refused() -> None:
    with pytest.raises(jinja2.UndefinedError):
        words("{{ snakemake.config.absent }}", STUDY)
    assert lead("Words without bold type.") == ""


@pytest.mark.parametrize("text", CASES)
def test_a_facts_text_is_text(text: str) -> None:
    found = rendered(bullets([f"a {text}"]))
    assert re.sub(r"\s+", " ", said(found)).strip() == one_line(f"a {text}").strip()
    assert set(re.findall(r"<(\w+)", found)) <= {"ul", "li", "p", "span"}


@pytest.mark.parametrize(
    "directive", [".. include:: {}", ".. raw:: html\n   :file: {}", ".. raw:: html\n\n   <i id=raw>"]
)
def test_a_caption_takes_in_no_file_and_no_html(directive: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a secret")
    found = rendered(directive.format(tmp_path / "secret"))
    assert "a secret" not in found
    assert "<i" not in found
