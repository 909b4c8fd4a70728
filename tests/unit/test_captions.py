"""The words of captions (workflow/report): they are there for every figure, and render without error."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import pytest
from docutils import nodes
from docutils.core import publish_doctree

from dkn.stages import PACKAGE
from dkn.summaries.wording import bullets
from tests.unit.captions import rendered
from tests.unit.hostile_texts import CASES
from tests.workflow_rules import figure_names

ROOT = PACKAGE.parents[1]


NAMES = sorted(path.stem for path in (ROOT / "workflow" / "report").glob("*.rst"))
LIVE = {
    "file_insertion_enabled": True,
    "raw_enabled": True,
    "halt_level": 2,
}  # as `snakemake --report` has it by itself


def filled(name: str, numbers: str, folder: Path, protocol: str = "text") -> str:
    """A caption as Snakemake fills it in, with these numbers and a few switches."""
    (folder / f"{name}.rst").write_text(numbers, encoding="utf-8")
    config = {
        "models": [{"name": "a-nano_"}, {"name": "b__nano"}],
        "statistics": {"confidence": "0.95"},
        "claims": {"alpha": 0.05, "margins": {"drop": 0.01, "f1": 0.02}, "minimum_subjects": 10},
        "seed": 0,
        "protocol": protocol,
        "switches": {"kept_facts": None, "sign": "text", "site": None},
    }
    given = {
        "config": config,
        "params": {"title": "facts left", "note": "Counts."},
        "wildcards": {"table": "funnel"},
    }
    options = {"trim_blocks": True, "lstrip_blocks": True, "undefined": jinja2.StrictUndefined}
    template = jinja2.Environment(**options)  # noqa: S701 as Snakemake makes it
    words = (ROOT / "workflow" / "report" / f"{name}.rst").read_text()
    shown = {"target": f"{'verdicts' if name == 'workflow' else name}.png", "path": folder / f"{name}.png"}
    links = "\n\n.. _verdicts.png: javascript:show('verdicts.png')\n"
    return template.from_string(words).render(snakemake=given, files=[shown]) + links


@pytest.mark.parametrize("name", NAMES)
def test_the_words_of_every_caption_are_sound(name: str, tmp_path: Path) -> None:
    """They render without error for any study, and a figure's state intervals and models and take in its numbers."""
    said = rendered(filled(name, "- the numbers, as in {{ 1 }}\n", tmp_path))
    assert "a-nano_, b__nano" in said
    assert "95 % bootstrap intervals" in said
    assert "the numbers" in said or name == "table"


@pytest.mark.parametrize("name", NAMES)
def test_facts_make_no_markup_in_a_report_that_is_started_by_hand(name: str, tmp_path: Path) -> None:
    """There docutils includes files and raw HTML wherever a caption asks for it, and no text of a fact does."""
    plain, hostile = (
        publish_doctree(filled(name, bullets(lines), tmp_path), settings_overrides=LIVE) for lines in (["x"], CASES)
    )
    kinds = [{type(node) for node in tree.findall()} for tree in (plain, hostile)]
    assert kinds[0] == kinds[1]
    assert not kinds[1] & {nodes.raw, nodes.image, nodes.literal_block, nodes.comment}


def test_the_report_says_in_what_a_study_departs_from_the_text(tmp_path: Path) -> None:
    text, released = (rendered(filled("workflow", "- x\n", tmp_path, name)) for name in ("text", "released"))
    assert "departs from the paper's text" not in text
    assert "released code does in 2 of 3 steps: kept_facts, site." in released


def test_every_figure_and_the_tables_have_words_for_their_captions() -> None:
    names = {path.stem for path in (ROOT / "workflow" / "report").glob("*.rst")}
    assert names == {*figure_names(), "table", "workflow"}


def test_no_caption_includes_a_file_or_holds_raw_html() -> None:
    """The report is made with both switched off; numbers are filled in where the words are."""
    words = "".join(path.read_text("utf-8") for path in (ROOT / "workflow" / "report").glob("*.rst"))
    assert not re.search(r"\.\. *(include|raw)|literalinclude|csv-table|:file:|:url:", words)
