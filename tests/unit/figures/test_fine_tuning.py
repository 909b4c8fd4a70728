"""Figure fine_tuning: its table is the summaries', and it draws whatever was run."""

from __future__ import annotations

import numpy as np
import pytest

from dkn.figures.fine_tuning import ASKED, COSTS, SETS, chosen_rates, draw, table
from dkn.study.names import NEW, SPLITS, WORDS
from tests.unit.fine_tuning_study import CHOSEN, CORRECT, FACTS, TUNED, made, not_run
from tests.unit.legends import assert_looks


def test_every_set_has_a_look_and_every_split_a_sign() -> None:
    assert set(SETS) == set(TUNED)
    assert set(ASKED) == set(SPLITS)


def test_the_table_holds_curves_choices_draws_and_costs() -> None:
    frame = table(*made("m"))
    rows = {"curve": 5 * 3 * 3, "chosen": 5 * 3, "draw": 10 * 3, "run": 10, "rate": 5 * 3}
    assert frame["panel"].value_counts().to_dict() == rows
    curve = frame[(frame["panel"] == "curve") & (frame["neuron_set"] == "random") & (frame["split"] == NEW)]
    assert curve.set_index("epoch")["mean"].to_dict() == {
        epoch: pytest.approx(count / FACTS) for epoch, count in CORRECT.items()
    }
    assert (curve["facts"] == FACTS).all()  # without the fact of development
    chosen = frame[frame["panel"].isin(["chosen", "draw"])]
    assert chosen["mean"].tolist() == pytest.approx([CORRECT[CHOSEN] / FACTS] * len(chosen))
    assert frame.loc[frame["panel"] == "run", "epoch"].tolist() == [CHOSEN] * 10


def test_what_is_drawn_is_what_the_table_says() -> None:
    figure = draw(*made("m"))
    figure.draw_without_rendering()
    assert_looks(figure, {name: WORDS[name] for name in SETS})
    new = figure.axes[0]
    assert new.get_title() == f"{SPLITS[NEW]} (n = {FACTS})"
    stops = [line for line in new.lines if line.get_markersize() == 6]
    assert len(stops) == len(SETS)
    assert [line.get_ydata().tolist() for line in stops] == [[pytest.approx(75.0)]] * len(SETS)
    assert all(abs(line.get_xdata()[0] - CHOSEN) < 1 for line in stops)
    texts = [text.get_text() for text in figure.axes[5].texts]
    assert len(texts) == len(COSTS) * (1 + len(SETS))
    assert texts.count("1,000") == 5  # the mean of two draws, 1,000.5, to the nearest even number
    assert texts.count("1,024") == texts.count("2.5") == texts.count("1") == len(SETS)


def test_a_rate_at_the_end_of_the_search_is_hollow() -> None:
    summaries, trainings = made("m")
    for report in trainings[0]["sets"]:
        report |= {"learning_rate": 1.0, "learning_rate_inside": False}
    axes = draw(summaries, trainings).axes[3]
    lines = [line for line in axes.lines if len(line.get_xdata()) == 3]
    assert [line.get_xdata().tolist() for line in lines] == [[0.01, 0.1, 1.0]] * len(SETS)
    assert [line.get_ydata().tolist() for line in lines] == [pytest.approx([20, 75, 50])] * len(SETS)
    best = [line for line in axes.lines if line.get_markersize() == 6]
    assert [line.get_xdata().tolist() for line in best] == [[1.0]] + [[0.1]] * (len(SETS) - 1)
    assert [line.get_markerfacecolor() == "white" for line in best] == [True] + [False] * (len(SETS) - 1)
    said = chosen_rates(summaries, trainings)
    assert said[0] == "m, D: learning rate 1, at the end of the search; 3 tried from 0.01 to 1"
    assert said[1] == "m, N: learning rate 0.1, inside; 3 tried from 0.01 to 1"
    assert len(said) == len(SETS)
    assert not chosen_rates(*not_run("b"))


def test_it_draws_models_that_were_not_run_and_undefined_intervals() -> None:
    parts = [made("a_1"), not_run("b"), made("c"), not_run("d")]
    summaries = [summary for part in parts for summary in part[0]]
    trainings = [training for part in parts for training in part[1]]
    for summary in summaries[-8:-4]:
        for row in summary["curves"] + summary["estimates"]:
            row.update(low=None, high=None)
    figure = draw(summaries, trainings)
    figure.draw_without_rendering()
    said = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert said.count("not run: 2 degenerate facts") == 2
    frame = table(summaries, trainings)
    assert frame.loc[frame["panel"] == "not run", "model"].unique().tolist() == ["b", "d"]
    draw(*not_run("b")).draw_without_rendering()


def test_a_summary_without_some_set_leaves_its_row_empty() -> None:
    summaries, trainings = made("m")
    figure = draw(summaries[:1], trainings[:1])
    figure.draw_without_rendering()
    assert len(figure.axes[5].texts) == len(COSTS) * 2
    assert np.isfinite(table(summaries[:1], trainings[:1])["epoch"].dropna().astype(float)).all()
