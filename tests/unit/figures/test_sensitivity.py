"""Figure sensitivity: cells where their settings say, marks where an interval excludes zero, and the caption."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from dkn.figures.sensitivity import caption, draw


def made_table() -> pd.DataFrame:
    """Two fractions, two quantiles, one tau1, tau2 none and 0.1; the gap says where a cell belongs."""
    rows = [
        {
            "model": "m",
            "fraction": fraction,
            "quantile": quantile,
            "tau1": 0.05,
            "test": None if np.isnan(tau2) else "sufficiency",
            "tau2": tau2,
            "facts": 50,
            "degenerate": 10,
            "coverage": 0.2,
            "drop_gap": gap,
            "drop_gap_low": gap - 0.02,
            "drop_gap_high": gap + 0.02,
            "own_settings": (fraction, quantile, tau2) == (0.2, 0.3, 0.1),
        }
        for fraction, quantile, tau2, gap in [
            (0.1, 0.3, np.nan, 0.01),
            (0.1, 0.3, 0.1, 0.03),
            (0.1, 0.6, np.nan, -0.05),
            (0.1, 0.6, 0.1, 0.0),
            (0.2, 0.3, np.nan, 0.07),
            (0.2, 0.3, 0.1, 0.09),
            (0.2, 0.6, np.nan, np.nan),
            (0.2, 0.6, 0.1, 0.05),
        ]
    ]
    return pd.DataFrame(rows[::-1])


def test_cells_lie_where_settings_say_and_marks_where_zero_is_excluded() -> None:
    figure = draw(made_table())
    axes = figure.axes[0]
    image = axes.images[0].get_array()
    np.testing.assert_allclose(image.filled(np.nan), [[1, 3, -5, 0], [7, 9, np.nan, 5]])
    marks = {text.get_position(): text.get_text() for text in axes.texts if text.get_text() == "●"}
    assert set(marks) == {(1, 0), (2, 0), (0, 1), (1, 1), (3, 1)}
    [frame] = [patch for patch in axes.patches if isinstance(patch, Rectangle) and not patch.get_fill()]
    assert frame.get_xy() == (0.5, 0.5)
    assert frame.get_edgecolor() == to_rgba("black")
    counts = [text.get_text() for text in figure.axes[1].texts]
    assert counts.count("10") == 8


def test_a_gap_without_interval_is_not_drawn() -> None:
    """Four facts with a large gap must not set the scale of colours, nor look like a finding."""
    table = made_table()
    few = table["drop_gap"] == 0.09
    table.loc[few, ["drop_gap_low", "drop_gap_high"]] = np.nan
    axes = draw(table).axes[0]
    image = axes.images[0].get_array()
    assert image.mask.tolist() == [[False] * 4, [False, True, True, False]]
    assert axes.images[0].norm.halfrange == pytest.approx(7)
    assert (1, 1) not in {text.get_position() for text in axes.texts if text.get_text() == "●"}


def test_every_test_has_a_map_with_its_own_points_and_those_without_a_test() -> None:
    other = made_table().dropna(subset="test").assign(test="absolute", own_settings=False)
    other["drop_gap"] += 0.001
    both = pd.concat([made_table(), other])
    axes = draw(both).axes
    gaps, shares = axes[0:4:2], axes[1:4:2]
    values = [axes.images[0].get_array().filled(np.nan) for axes in gaps]
    np.testing.assert_allclose(values[1] - values[0], [[0, 0.1, 0, 0.1], [0, 0.1, np.nan, 0.1]], atol=1e-9)
    assert [panel.get_title().split(":")[0] for panel in (*gaps, *shares)] == ["m, sufficiency", "m, absolute"] * 2
    of_two = draw(pd.concat([both, both.assign(model="n")])).axes
    said = [panel.get_title().split(":")[0] for panel in of_two[:8]]
    assert said == ["m, sufficiency", "n, sufficiency", "m, absolute", "n, absolute"] * 2
    assert len([patch for patch in gaps[1].patches if isinstance(patch, Rectangle) and not patch.get_fill()]) == 0


def test_a_grid_without_any_gap_is_drawn() -> None:
    draw(made_table().assign(drop_gap=np.nan, drop_gap_low=np.nan, drop_gap_high=np.nan, coverage=0.0))


def test_the_sensitivity_caption_counts_points() -> None:
    lows, highs, own = (0.1, -0.1, -0.3, None), (0.2, 0.1, -0.1, None), (False, True, False, False)
    rows = [
        {
            "model": "m",
            "selection": "bdc",
            "test": "absolute",
            "drop_gap": 0.05,
            "drop_gap_low": low,
            "drop_gap_high": high,
        }
        for low, high in zip(lows, highs, strict=True)
    ]
    frame = pd.DataFrame(rows).assign(own_settings=own, degenerate=12, facts=40)
    said = caption(frame)
    assert "m, absolute: the interval lies above zero at 1 of 4 points, and below zero at 1" in said
    assert "the gap is 5.0 points (-10.0 … 10.0), n = 12 of 40 facts" in said
