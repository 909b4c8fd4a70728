"""Figure ablation: its table is what the summaries say, and it draws whatever there is."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from dkn.figures.ablation import KNS, ORDERS, ROWS, caption, draw, table
from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import ATTRIBUTION, SUPPRESSED
from dkn.summaries.ablation import summarise
from dkn.summaries.wording import interval
from tests.unit.ablation_records import TOTAL, made_records
from tests.unit.captions import rendered

SETTINGS = StatisticsSettings(resamples=50, confidence=0.9, seed=0)


def summary(model: str, records: pd.DataFrame) -> dict[str, Any]:
    """As it is read back: what is undefined is null."""
    about = {"model": model, "experiment": "ablation", "provenance": {"settings": vars(SETTINGS)}}
    return json.loads(json.dumps({**about, **summarise(records, SETTINGS)}).replace("NaN", "null"))


def test_the_table_holds_every_curve_and_what_knowledge_neurons_leave() -> None:
    found = [summary("first", made_records(6, 0.3)), summary("second", made_records(8))]
    frame = table(found)
    assert not frame.duplicated(["model", "order", "intervention", "neurons", "point"]).any()
    for one in found:
        for row in one["curves"]:
            keys = ["order", "intervention", "neurons"]
            own = frame[(frame["model"] == one["model"]) & (frame["point"] == "step")].set_index(keys)
            assert own.loc[tuple(row[key] for key in keys), "mean"] == row["mean"]
        own = frame[(frame["model"] == one["model"]) & (frame["point"] == KNS)].set_index(["order", "intervention"])
        wanted = {(row["order"], row["metric"]): row["mean"] for row in one["estimates"]}
        for order in ORDERS:
            for intervention, (metric, _) in ROWS.items():
                assert own.loc[(order, intervention), "mean"] == wanted[order, metric]


def test_panels_show_the_table() -> None:
    found = [summary("first", made_records(6, 0.3)), summary("second", made_records(8))]
    figure, frame = draw(found), table(found)
    axes = figure.get_axes()
    assert len(axes) == 4
    assert "90 % bootstrap" in figure.get_suptitle()
    for place, (intervention, model) in zip(axes, [(row, one["model"]) for row in ROWS for one in found], strict=True):
        assert place.get_title().startswith(f"{model}, n = ")
        own = frame[(frame["model"] == model) & (frame["intervention"] == intervention)]
        for order, container in zip(ORDERS, place.containers, strict=False):
            rows = own[(own["order"] == order) & (own["point"] == "step")].sort_values("neurons")
            assert container.lines[0].get_xdata().tolist() == rows["neurons"].tolist()
            assert container.lines[0].get_ydata() == pytest.approx(100 * rows["mean"].to_numpy())
            assert container.has_yerr
        star = place.containers[len(ORDERS)].lines[0]
        assert star.get_ydata() == pytest.approx(
            100 * own.loc[(own["order"] == ATTRIBUTION) & (own["point"] == KNS), "mean"].to_numpy()
        )
        assert (place.get_xlabel() == "neurons suppressed") == (intervention == SUPPRESSED)
    figure.draw_without_rendering()


@pytest.mark.parametrize("models", [1, 3])
def test_any_number_of_models_few_subjects_and_models_without_facts(models: int) -> None:
    found = [summary(f"m{number}", made_records(3)) for number in range(models)]
    found[-1] = summary("none", made_records(3).iloc[:0])
    figure = draw(found)
    assert len(figure.get_axes()) == 2 * models
    assert [text.get_text() for text in figure.get_axes()[-1].texts] == ["no fact with knowledge neurons"]
    figure.draw_without_rendering()
    assert "none: no fact with knowledge neurons, n = 0 facts" in caption(found)


def test_the_caption_states_what_knowledge_neurons_hold_and_every_contrast() -> None:
    one = summary("m", made_records(6, 0.3))
    said = rendered(caption([one]))
    left = next(row for row in one["estimates"] if (row["order"], row["metric"]) == (ATTRIBUTION, "left"))
    number = interval(left["mean"], left["low"], left["high"], "left")
    assert f"m, Prob left with all of a fact's knowledge neurons suppressed: {number}, n = 12 facts of 6" in said
    assert f"m, share of Prob that they hold: {100 * (1 - left['mean']):.3g} %" in said
    assert "Prob left with all neurons of the model suppressed" in said
    assert f"{TOTAL} neurons" in said
    assert said.count("by attribution minus at random (ablation: ") == 4
    assert said.count("by attribution minus by magnitude (ablation: ") == 4
