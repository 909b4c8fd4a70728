"""Figure reported: its panels and its caption."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from dkn.figures.reported import TITLES, caption, draw
from dkn.stages import PACKAGE
from dkn.tables.reported import side_by_side

REPORTED = PACKAGE.parents[1] / "resources" / "reported_results.yaml"


def test_the_caption_counts_numbers_and_states_the_first() -> None:
    paper = {"kind": "reported", "model": "GPT-2", "quantity": "drop", "value": 99.95}
    ours = {"kind": "this study", "model": "m", "quantity": "drop", "value": 2.0, "low": 1.0, "high": 3.0, "facts": 7}
    assert caption(pd.DataFrame([paper, ours])) == (
        "- the paper's GPT-2: 1 numbers; drop: 99.95\n- this study's m: 1 numbers; drop: 2.0 (1.0 … 3.0), n = 7 facts\n"
    )


def test_every_number_of_the_paper_has_a_sign_in_the_panel_of_its_setting() -> None:
    frame = side_by_side(REPORTED, {})
    assert set(frame["setting"]) == set(TITLES)
    panels = draw(frame).get_axes()
    drawn = [line for axes in panels for line in axes.get_lines() if line.get_marker() in ("*", "X")]
    assert sorted(x for line in drawn for x in line.get_xdata()) == sorted(frame["value"])
    by_count = next(axes for axes in panels if axes.get_title(loc="right") == TITLES["degeneracy-by-count"])
    assert [label.get_text() for label in by_count.get_yticklabels()][:2] == [
        "some BDCs suppressed, NTC with 2 BDCs",
        "all BDCs suppressed, NTC with 2 BDCs",
    ]


def test_labels_are_words_and_every_panel_has_a_scale_at_top_and_bottom() -> None:
    quantities = {
        "degeneracy": "partial drop in Prob, ntc (%)",
        "suppression": "drop in Prob, values of kn, word: add (%)",
        "fact-checking": "F1, plm (%)",
    }
    rows = [
        {"setting": setting, "quantity": quantity, "kind": kind, "model": model, "value": 2.0, "low": 1.0, "high": 3.0}
        for setting, quantity in quantities.items()
        for kind, model in (("reported", "GPT-2"), ("reported", "LLaMA2-7b"), ("this study", "m"))
    ]
    figure = draw(pd.DataFrame(rows))
    panels = [axes for axes in figure.findobj(Axes) if axes.axison]
    labels = [axes.get_yticklabels()[0].get_text() for axes in panels]
    assert labels == ["some BDCs suppressed, NTC", "values of N, word: add", "the model, asked"]
    for axes in panels:
        assert axes.xaxis.get_tick_params() == {**axes.xaxis.get_tick_params(), "labeltop": True, "labelbottom": True}
    markers = {line.get_marker() for axes in panels for line in axes.lines if line.get_label() != "_child"}
    assert {"*", "X", "o"} <= markers
