"""Figure reported: its caption."""

from __future__ import annotations

import pandas as pd

from dkn.figures.reported import caption


def test_the_caption_counts_numbers_and_states_the_first() -> None:
    paper = {"kind": "reported", "model": "GPT-2", "quantity": "drop", "value": 9.0}
    ours = {"kind": "this study", "model": "m", "quantity": "drop", "value": 2.0, "low": 1.0, "high": 3.0, "facts": 7}
    assert caption(pd.DataFrame([paper, ours])) == (
        "- the paper's GPT-2: 1 numbers; drop: 9\n- this study's m: 1 numbers; drop: 2 (1 … 3), n = 7 facts\n"
    )
