"""Figure fine_tuning: its table is the summaries', and it draws whatever was run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from dkn.figures.fine_tuning import ASKED, COSTS, LOOKS, draw, table
from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import DEVELOPMENT, DRAWN, NEURON_SETS, NEW, SPLITS, TEST, TUNED_SETS
from dkn.summaries.fine_tuning import summarise

EPOCHS, CHOSEN, FACTS = (0, 4, 8), 4, 12
FEW = StatisticsSettings(resamples=50, confidence=0.95, seed=0)
MADE = {"settings": vars(FEW)}
CORRECT = {0: 0, 4: 9, 8: 6}  # of twelve facts, whatever is trained or asked


def made_records(names: tuple[str, ...]) -> pd.DataFrame:
    """Twelve facts, one of development that is always wrong; random sets have two draws."""
    rows = [
        {"neuron_set": name, "draw": draw, "split": split, "epoch": epoch, "chosen": epoch == CHOSEN}
        | {"fact_id": f"f{n}", "subject": f"s{n}", "role": TEST if n < FACTS else DEVELOPMENT}
        | {"correct": n < CORRECT[epoch], "log_prob": -1.0}
        for name in names
        for draw in range(2 if name in DRAWN else 1)
        for split in SPLITS
        for epoch in EPOCHS
        for n in range(FACTS + 1)
    ]
    return pd.DataFrame(rows)


def made(model: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Summaries and costs of all four experiments of a model."""
    summaries, trainings = [], []
    for names in TUNED_SETS.values():
        records = made_records(names)
        others = made_records(tuple(name for name in NEURON_SETS if name not in names))
        summaries.append({"model": model, "new_facts": 13, "provenance": MADE, **summarise(records, others, FEW)})
        sets = [
            {"neuron_set": name, "draw": number, "epoch": CHOSEN, "trained_parameters": 1000 + number}
            | {
                "learning_rate": 0.1,
                "optimiser_state_bytes": 2**20,
                "peak_memory_bytes": 2**30,
                "training_seconds": 2.5,
            }
            for name in names
            for number in range(2 if name in DRAWN else 1)
        ]
        trainings.append({"new_facts": 13, "sets": sets})
    return summaries, trainings


def not_run(model: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the stages write where there are too few facts."""
    empty: dict[str, Any] = {"estimates": [], "draws": [], "curves": [], "contrasts": []}
    return [{"model": model, "not_run": "2 degenerate facts", "sets": [], "provenance": MADE, **empty}] * 4, [
        {"not_run": "2"}
    ] * 4


def test_every_set_has_a_look_and_every_split_a_sign() -> None:
    assert set(LOOKS) == set(NEURON_SETS)
    assert set(ASKED) == set(SPLITS)
    assert len({colour for _, colour, _ in LOOKS.values()}) == len(LOOKS)


def test_the_table_holds_curves_choices_draws_and_costs() -> None:
    frame = table(*made("m"))
    assert frame["panel"].value_counts().to_dict() == {"curve": 5 * 3 * 3, "chosen": 5 * 3, "draw": 7 * 3, "run": 7}
    curve = frame[(frame["panel"] == "curve") & (frame["neuron_set"] == "random") & (frame["split"] == NEW)]
    assert curve.set_index("epoch")["mean"].to_dict() == {
        epoch: pytest.approx(count / FACTS) for epoch, count in CORRECT.items()
    }
    assert (curve["facts"] == FACTS).all()  # without the fact of development
    chosen = frame[frame["panel"].isin(["chosen", "draw"])]
    assert chosen["mean"].tolist() == pytest.approx([CORRECT[CHOSEN] / FACTS] * len(chosen))
    assert frame.loc[frame["panel"] == "run", "epoch"].tolist() == [CHOSEN] * 7


def test_what_is_drawn_is_what_the_table_says() -> None:
    figure = draw(*made("m"))
    figure.draw_without_rendering()
    new = figure.axes[0]
    assert new.get_title() == f"{SPLITS[NEW]} (n = {FACTS})"
    stops = [line for line in new.lines if line.get_markersize() == 6]
    assert len(stops) == len(LOOKS)
    assert [line.get_ydata().tolist() for line in stops] == [[pytest.approx(75.0)]] * len(LOOKS)
    assert all(abs(line.get_xdata()[0] - CHOSEN) < 1 for line in stops)
    texts = [text.get_text() for text in figure.axes[4].texts]
    assert len(texts) == len(COSTS) * (1 + len(LOOKS))
    assert texts.count("1,000") == 3 + 2  # the mean of the random draws, 1,000.5, to the nearest even number
    assert texts.count("1,024") == texts.count("2.5") == texts.count("1") == len(LOOKS)


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
    assert len(figure.axes[4].texts) == len(COSTS) * 2
    assert np.isfinite(table(summaries[:1], trainings[:1])["epoch"].dropna().astype(float)).all()
