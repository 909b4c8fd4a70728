"""What all figures share: error bars, panels without anything, and what a title says of intervals."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.figure import Figure

from dkn.figures.style import error_bars, intervals_of, say_nothing_to_draw

ROWS = pd.DataFrame({"mean": [0.2, -0.1, 0.4], "low": [0.1, -0.3, None], "high": [0.5, 0.0, None], "drop": [1, 2, 3]})


def test_error_bars_reach_from_low_to_high() -> None:
    values, lengths = error_bars(ROWS)
    assert values == pytest.approx([0.2, -0.1, 0.4])
    assert lengths[:, :2].ravel() == pytest.approx([0.1, 0.2, 0.3, 0.1])


def test_error_bars_and_values_are_scaled_alike() -> None:
    values, lengths = error_bars(ROWS, 100)
    assert values == pytest.approx([20, -10, 40])
    assert lengths[:, :2].ravel() == pytest.approx([10, 20, 30, 10])


def test_an_undefined_interval_has_no_error_bar() -> None:
    _, lengths = error_bars(ROWS.iloc[2:])
    assert lengths.tolist() == [[0], [0]]


def test_error_bars_may_be_about_another_column() -> None:
    values, lengths = error_bars(ROWS.iloc[:1], value="drop")
    assert values == pytest.approx([1])
    assert lengths.ravel() == pytest.approx([0.9, 0.5])


def test_an_empty_panel_says_why_and_has_no_ticks() -> None:
    figure = Figure()
    axes = figure.subplots()
    say_nothing_to_draw(axes, "no fact")
    assert [text.get_text() for text in axes.texts] == ["no fact"]
    assert not len(axes.get_xticks())
    assert not len(axes.get_yticks())
    figure.draw_without_rendering()


def test_a_title_states_the_confidence_of_the_summaries() -> None:
    summaries = [{"provenance": {"settings": {"confidence": confidence}}} for confidence in (0.95, 0.9, 0.95)]
    assert intervals_of(summaries[:1]).startswith("95 % bootstrap")
    assert intervals_of(summaries).startswith("90 and 95 % bootstrap")
