"""Figure sharing: its table and panels against the summaries, and its caption."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dkn.figures.sharing import MEASURES, NOTHING, SETS, caption, draw, table
from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import ASKED_FACTS, BDC, KN_MATCHED, RANDOM, SHARING_WORDS
from dkn.summaries.sharing import summarise
from tests.unit.captions import rendered
from tests.unit.example_fact import drawn
from tests.unit.legends import assert_looks
from tests.unit.sharing_records import EQUAL, NO_COST, made_records

SETTINGS = StatisticsSettings(resamples=50, confidence=0.9, seed=0)


def summary(model: str, subjects: int) -> dict[str, Any]:
    """As it is read back: what is undefined is null."""
    members, records = made_records(max(subjects, 1), 0, EQUAL, {**NO_COST, "own": 0.2})
    found = summarise(members[: len(members) * subjects], records[: len(records) * subjects], SETTINGS)
    content = {"model": model, "experiment": "sharing", **found, "provenance": {"settings": vars(SETTINGS)}}
    return json.loads(json.dumps(content).replace("NaN", "null"))


def test_the_panels_show_the_table() -> None:
    summaries = [summary("first", 6), summary("second", 7)]
    frame, figure = table(summaries), draw(summaries)
    assert_looks(figure, SHARING_WORDS)
    assert set(frame["metric"]) == {"share", "drop"}
    axes = np.array(figure.get_axes()).reshape(2, 2)
    for row, measure in enumerate(MEASURES):
        for column, one in enumerate(summaries):
            place = axes[row, column]
            of_panel = frame[(frame["model"] == one["model"]) & (frame["metric"] == measure.metric)]
            labels = [tick.get_text() for tick in place.get_yticklabels()]
            assert labels == ([] if column else list(measure.kinds.values())), "one axis for all models"
            for name, container in zip(SETS, place.containers, strict=True):
                own = of_panel[of_panel["neuron_set"] == name].set_index("others").reindex(list(measure.kinds))
                shown = dict(zip(np.round(container.lines[0].get_ydata()), container.lines[0].get_xdata(), strict=True))
                expected = {n: 100 * mean for n, mean in enumerate(own["mean"]) if mean == mean}
                assert shown == pytest.approx(expected)
            assert [text.get_text() for text in place.texts] == [f"n = {12 + 2 * column}"] * len(measure.kinds)
            assert place.get_title() == f"{one['model']}: {24 + 4 * column} BDCs of {12 + 2 * column} facts"
    assert "90 % bootstrap" in figure.get_suptitle()
    drawn(figure)


def test_without_a_bdc_it_says_so() -> None:
    nothing = [summary("none", 0)]
    figure = draw(nothing)
    assert [text.get_text() for axes in figure.get_axes() for text in axes.texts] == [NOTHING] * 2
    assert table(nothing).empty
    assert rendered(caption(nothing)) == f"none: {NOTHING}, n = 0 facts"
    drawn(figure)
    drawn(draw([summary("a", 6), *nothing, summary("few", 2)]))


def test_the_caption_states_the_contrasts_with_intervals_and_n() -> None:
    said = rendered(caption([summary("m", 8)]))
    assert "m, drop in Prob, the fact itself: a BDC minus as many random neurons: 1" in said
    assert "n = 16 facts of 8 subjects" in said
    assert said.count("m, share of facts with a neuron") == 4
    assert said.count("m, drop in Prob") == 3 + 4
    few = rendered(caption([summary("few", 2)]))
    assert "no interval: too few subjects" in few


def test_a_kind_that_no_fact_has_is_empty() -> None:
    one = summary("m", 6)
    one["estimates"] = [row for row in one["estimates"] if row["others"] != "same-answer"]
    figure = draw([one])
    notes = [text.get_text() for text in figure.get_axes()[1].texts]
    assert notes[list(ASKED_FACTS).index("same-answer")] == "n = 0"
    assert isinstance(table([one]), pd.DataFrame)
    assert {BDC, KN_MATCHED, RANDOM} == set(SETS)
    drawn(figure)
