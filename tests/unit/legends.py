"""What the legend of a figure says of its lines."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dkn.figures.style import LOOKS


def assert_looks(figure: Figure, words: Mapping[str, str]) -> None:
    """Assert that the legend has these sets, each with the look that it has in every figure.

    Args:
        figure: a figure with a legend.
        words: the label of each set.
    """
    handles = [handle for handle in figure.legends[0].legend_handles if isinstance(handle, Line2D)]
    found = {str(handle.get_label()): (handle.get_color(), handle.get_marker()) for handle in handles}
    wanted = {label: tuple(LOOKS[name]) for name, label in words.items()}
    assert {label: look for label, look in found.items() if label in wanted} == wanted
