"""Figure reported: its panels and its caption."""

from __future__ import annotations

import pandas as pd

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
    drawn = [line for axes in panels for line in axes.get_lines() if line.get_marker() in "DX"]
    assert sorted(x for line in drawn for x in line.get_xdata()) == sorted(frame["value"])
    by_count = next(axes for axes in panels if axes.get_title(loc="right") == TITLES["degeneracy-by-count"])
    assert [label.get_text() for label in by_count.get_yticklabels()][:2] == [
        "partial ntc with 2 BDCs",
        "full ntc with 2 BDCs",
    ]
