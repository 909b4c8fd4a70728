"""What a figure says in its legend, and whether all of it can be seen."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

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


def assert_whole(figure: Figure) -> None:
    """Assert that a figure has all of its words inside, and that no panel is empty."""
    figure.draw_without_rendering()
    edges = figure.bbox.padded(1)
    hidden = {
        tick.label1
        for axes in figure.get_axes()
        for axis in (axes.xaxis, axes.yaxis)
        for tick in {*axis.get_major_ticks()} - {*axis._update_ticks()}  # type: ignore[attr-defined] beyond the limits
    }
    for text in {*figure.findobj(Text)} - hidden:
        box = text.get_window_extent()
        inside = edges.x0 <= box.x0 and box.x1 <= edges.x1 and edges.y0 <= box.y0 and box.y1 <= edges.y1
        assert inside or not text.get_text() or not text.get_visible(), text.get_text()
    for axes in figure.get_axes():
        assert [*axes.lines, *axes.collections, *axes.patches, *axes.texts], axes.get_title()
