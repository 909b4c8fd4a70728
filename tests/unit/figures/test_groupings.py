"""Figure groupings: its table, and that it draws whatever is there."""

import pandas as pd
import pytest

from dkn.figures.groupings import caption, draw, table
from dkn.figures.style import COLOURS
from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import CONTROL, TESTED_CONTROL
from dkn.summaries.degeneracy import summarise
from tests.unit.captions import NUMBERS
from tests.unit.degeneracy_records import made_records

SETTINGS = StatisticsSettings(resamples=100, confidence=0.95, seed=0)
MADE = {"settings": vars(SETTINGS)}


def summary(model: str, grouping: str, *others: str) -> dict:
    """Twelve facts of two components: 10 % and 40 % lost, whatever the grouping."""
    drops = {(name, f"f{number}"): [(1, 0.9), (2, 0.6)] for name in (grouping, *others) for number in range(12)}
    return {"model": model, "grouping": grouping, "provenance": MADE, **summarise(made_records(drops), SETTINGS)}


SUMMARIES = [
    summary("m", "ntc", CONTROL, TESTED_CONTROL),
    summary("m", "kmeans", CONTROL),
    summary("m", TESTED_CONTROL),
]


def test_the_table_holds_methods_and_both_controls_once() -> None:
    frame = table(SUMMARIES)
    drops = frame[frame["kind"].isin(["partial", "full"])]
    assert sorted(zip(drops["experiment"], drops["grouping"], drops["kind"], strict=True)) == sorted(
        (experiment, grouping, kind)
        for experiment, groupings in (("ntc", ("ntc", CONTROL, TESTED_CONTROL)), ("kmeans", ("kmeans", CONTROL)))
        for grouping in groupings
        for kind in ("partial", "full")
    )
    assert drops.loc[drops["kind"] == "partial", "mean"].tolist() == pytest.approx([0.1] * 5)
    assert (drops["facts"] == 12).all()
    curve = frame[(frame["kind"] == "by_neurons") & (frame["grouping"] == "kmeans")]
    assert dict(zip(curve["most_neurons"], curve["mean"], strict=True)) == {
        2: pytest.approx(0.1),
        4: pytest.approx(0.4),
    }


def test_more_groupings_than_colours_are_told_apart_by_their_markers() -> None:
    names = [f"grouping-{number}" for number in range(len(COLOURS) + 2)]
    handles = draw([summary("m", name, CONTROL) for name in names]).legends[0].legend_handles
    looks = {line.get_label(): (line.get_color(), line.get_marker()) for line in handles}
    assert len({looks[name] for name in names}) == len(names)


def test_it_draws_every_grouping_and_says_where_there_is_nothing() -> None:
    empty: dict[str, list] = {"estimates": [], "curves": [], "by_neurons": [], "contrasts": []}
    nothing = {"model": "none", "grouping": "ntc", "provenance": MADE, **empty}
    figure = draw([*SUMMARIES, nothing])
    axes = figure.get_axes()
    assert len(axes) == 6
    labels = [tick.get_text() for tick in axes[0].get_yticklabels()]
    assert labels == ["ntc", "same sizes", "tested random", "kmeans", "same sizes"]
    assert [text.get_text() for text in axes[0].texts] == ["n = 12"] * 5
    assert [text.get_text() for text in axes[1].texts] == ["no fact with two or more components"]
    figure.draw_without_rendering()
    assert isinstance(table([nothing]), pd.DataFrame)


def test_the_caption_states_the_gap_of_the_experiments_own_grouping() -> None:
    gap = {"selection": "bdc", "metric": "drop", "kind": "gap", "mean": 0.2, **NUMBERS}
    own, control = ({**gap, "grouping": name} for name in ("ntc", "random"))
    said = caption([{"model": "m", "grouping": "ntc", "estimates": [own, control, {**own, "kind": "full"}]}])
    assert said == "- m, ntc: full minus partial drop 20 % (10 … 30), n = 1,234 facts of 56 subjects\n"
    said = caption([{"model": "m", "grouping": "ntc", "estimates": [control]}])
    assert said == "- m, ntc: full minus partial drop without a degenerate fact, n = 0 facts\n"
