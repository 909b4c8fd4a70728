"""Figure verdicts: its table, and what its caption counts and decides."""

from __future__ import annotations

from typing import Any

from matplotlib.colors import to_rgb
from matplotlib.text import Text

from dkn.figures import verdicts
from dkn.figures.style import VERDICT_LOOKS
from tests.unit.captions import NUMBERS, rendered

ABOUT = {"reading": "primary", "compares": "as many"}


def rows() -> list[dict[str, Any]]:
    part = {"experiment": "suppression-values", "first": "dkn", "second": "kn", "metric": "drop", **NUMBERS}
    good, bad = ({**part, "difference": d, "outcome": v} for d, v in ((0.2, "supported"), (-0.4, "contradicted")))
    many = {"claim": "C3", "text": "Q* falls", "model": "m_", "verdict": "contradicted", "evidence": [good, bad]}
    without = {**{name: part[name] for name in ("experiment", "first", "second", "metric")}, "outcome": "not run"}
    none = {"claim": "C4", "text": "t", "model": "m_", "verdict": "not run", "evidence": [without]}
    few = {**part, "difference": None, "low": None, "high": None, "facts": 0, "subjects": 0, "outcome": "too few facts"}
    rare = {"claim": "C5", "text": "t", "model": "m_", "verdict": "too few facts", "evidence": [good, few]}
    size = {
        **{"claim": "C8", "text": "grows", "model": None, "verdict": "not run", "note": "1 model"},
        "evidence": [{"model": "m_", "mean": 0.2, **NUMBERS}],
    }
    literal = {**many, "reading": "literal", "compares": "all KNs", "verdict": "supported", "evidence": [good]}
    return [{**ABOUT, **row} for row in (many, literal, none, rare, size)]


def test_the_verdicts_caption_counts_and_decides() -> None:
    said = rendered(verdicts.caption(rows()))
    assert said.startswith(
        "m_, primary reading: of 3 claims 0 supported, 1 contradicted, 0 equivalent, 0 inconclusive, 1 too few facts, "
        "1 not run m_, literal reading: of 1 claims 1 supported, "
    )
    assert "m_, primary, as many: contradicted. D minus N (suppression-values: drop): -40.0 points" in said
    assert "m_, literal, all KNs: supported. D minus N (suppression-values: drop): 20.0 points" in said
    assert "m_, primary, as many: not run. D minus N (suppression-values: drop): no summary has it" in said
    assert (
        "too few facts. D minus N (suppression-values: drop): not computed, since no fact has it, n = 0 facts" in said
    )
    assert "all models, primary, as many: not run. 1 model; m_ 20.0 points (10.0 … 30.0), n = 1,234 facts" in said


def test_of_combined_models_the_combination_alone_is_explained() -> None:
    of_seed = {**rows()[0], "model": "m-s1", "combined_in": "m_"}
    said = rendered(verdicts.caption([*rows(), of_seed]))
    assert said.count("m-s1") == said.count("m-s1, primary reading: of 1 claims") == 1


def test_the_table_has_a_row_per_claim_reading_and_model() -> None:
    table = verdicts.table(rows()).set_index(["claim", "reading"])
    assert table.loc[("C3", "primary"), ["held", "needed", "fewest_facts"]].tolist() == [1, 2, 1234]
    assert table.loc[("C8", "primary"), "model"] == verdicts.WHOLE_STUDY


def test_words_on_colours_can_be_read() -> None:
    """The contrast of every verdict's words with their ground, as WCAG 2 defines it, is at least 4.5."""

    def luminance(colour: str) -> float:
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))

    for ground, ink, _ in VERDICT_LOOKS.values():
        darker, lighter = sorted((luminance(ground), luminance(ink)))
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_a_cell_says_what_it_counts_and_why_a_claim_is_not_run() -> None:
    figure = verdicts.draw(verdicts.table(rows()))
    said = [text.get_text() for text in figure.findobj(Text)]
    assert "holds in 1 of 2 contrasts, n ≥ 1234" in said
    assert "1 model" in said, "why C8 is not run"
    assert "degenerate knowledge neurons" in figure.get_supxlabel()
    assert "Contrasts: the comparisons" in figure.get_supxlabel()
