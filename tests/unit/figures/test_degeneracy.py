"""Figure degeneracy: what it draws, and what it says of the facts that it does not draw."""

from __future__ import annotations

from typing import Any

import pytest

from dkn.figures import degeneracy
from dkn.figures.style import COLOURS


def summary(model: str = "m", **facts_by_components: int) -> dict[str, Any]:
    """A summary in which so many facts (values) have so many components (the digits of keys)."""
    curves = []
    for key, facts in facts_by_components.items():
        components = int(key.lstrip("n"))
        bounds = {"low": 0.1, "high": 0.3} if facts > 4 else {"low": None, "high": None}
        for grouping in ("ntc", "random-partition"):
            of = {"selection": "candidate", "grouping": grouping, "metric": "drop", "components": components}
            curves += [
                {**of, "suppressed_components": number, "mean": 0.2, **bounds, "facts": facts, "subjects": facts}
                for number in range(1, components + 1)
            ]
    funnel = {"degenerate": 0, "with_two_candidates": sum(facts_by_components.values()), "known": 900}
    provenance = {"settings": {"confidence": 0.95}}
    return {"model": model, "curves": curves, "funnel": funnel, "provenance": provenance}


@pytest.mark.parametrize("models", [1, 2])
def test_facts_with_more_components_are_said_to_be_left_out(models: int) -> None:
    figure = degeneracy.draw([summary(f"m{number}", n2=7, n5=6, n6=5, n14=8) for number in range(models)])
    said = [text.get_text() for axes in figure.axes if axes.get_legend() for text in axes.get_legend().get_texts()]
    assert said == ["n = 7", "n = 6", "not drawn:\n13 facts with\n6 to 14 (CSV)"] * models


def test_curves_of_few_subjects_are_pale_and_the_legend_says_so() -> None:
    figure = degeneracy.draw([summary(n2=1, n3=9)])
    opacity = {
        line.get_color(): line.get_alpha() for axes in figure.axes for line in axes.lines if line.get_linestyle() == "-"
    }
    assert opacity[COLOURS[0]] == degeneracy.PALE
    assert opacity[COLOURS[1]] is None
    assert "pale: too few subjects for an interval" in [text.get_text() for text in figure.legends[0].get_texts()]
    assert "pale" not in str([text.get_text() for text in degeneracy.draw([summary(n2=9)]).legends[0].get_texts()])
