"""The words of captions (workflow/report): they are there for every figure, and render without error."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import pytest

from dkn.stages import PACKAGE
from tests.unit.captions import rendered
from tests.workflow_rules import figure_names

ROOT = PACKAGE.parents[1]


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "workflow" / "report").glob("*.rst")))
def test_the_words_of_every_caption_are_sound(name: str, tmp_path: Path) -> None:
    """They render without error for any study, and a figure's state intervals and models and take in its numbers."""
    numbers = tmp_path / f"{name}.rst"
    numbers.write_text("- the numbers, as in {{ 1 }}\n")
    config = {
        "models": [{"name": "a-nano_"}, {"name": "b__nano"}],
        "statistics": {"confidence": "0.95"},
        "claims": {"alpha": 0.05, "margin": 0.05, "minimum_subjects": 10},
        "seed": 0,
    }
    given = {
        "config": config,
        "params": {"title": "facts left", "note": "Counts."},
        "wildcards": {"table": "funnel"},
    }
    options = {"trim_blocks": True, "lstrip_blocks": True, "undefined": jinja2.StrictUndefined}
    template = jinja2.Environment(**options)  # noqa: S701 as Snakemake makes it
    words = (ROOT / "workflow" / "report" / f"{name}.rst").read_text()
    shown = {"target": f"{'verdicts' if name == 'workflow' else name}.png", "path": tmp_path / f"{name}.png"}
    links = "\n\n.. _verdicts.png: javascript:show('verdicts.png')\n"
    said = rendered(template.from_string(words).render(snakemake=given, files=[shown]) + links)
    assert "a-nano_, b__nano" in said
    assert "95 % bootstrap intervals" in said
    assert "the numbers" in said or name == "table"


def test_every_figure_and_the_tables_have_words_for_their_captions() -> None:
    names = {path.stem for path in (ROOT / "workflow" / "report").glob("*.rst")}
    assert names == {*figure_names(), "table", "workflow"}


def test_no_caption_includes_a_file_or_holds_raw_html() -> None:
    """The report is made with both switched off; numbers are filled in where the words are."""
    words = "".join(path.read_text("utf-8") for path in (ROOT / "workflow" / "report").glob("*.rst"))
    assert not re.search(r"\.\. *(include|raw)|literalinclude|csv-table|:file:|:url:", words)
