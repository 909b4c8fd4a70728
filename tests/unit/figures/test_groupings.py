"""Figure groupings: its table, and that it draws whatever is there."""

import pandas as pd
import pytest

from dkn.figures.groupings import caption, draw, table
from dkn.figures.style import COLOURS, PALE, contrast_ratio
from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import (
    BEFORE_TEST,
    CONTROL,
    CONTROLS,
    GROUP_WORDS,
    OTHER_FACT,
    OTHER_FACTS,
    SHUFFLED,
    TESTED_CONTROL,
    TESTED_CONTROLS,
)
from dkn.summaries.degeneracy import summarise
from dkn.summaries.grouping_comparison import compare_tests
from tests.unit.captions import NUMBERS
from tests.unit.degeneracy_records import made_records
from tests.unit.legends import assert_whole

SETTINGS = StatisticsSettings(resamples=100, confidence=0.95, seed=0)
MADE = {"settings": vars(SETTINGS)}


def summary(model: str, grouping: str, *others: str) -> dict:
    """Twelve facts of two components: 10 % and 40 % lost, and 30 % brought back by one, whatever the grouping."""
    names = [name for name in (grouping, *others) if name not in OTHER_FACTS]
    drops = {(name, f"f{number}"): [(1, 0.9), (2, 0.6)] for name in names for number in range(12)}
    whole = {(name, f"f{number}"): [(1, 0.95)] for name in others if name in OTHER_FACTS for number in range(12)}
    records = pd.concat([made_records(drops), made_records(whole).assign(components=1)], ignore_index=True)
    rows = [(f"f{number}", 0, True, 0.3) for number in range(12)]
    tested = pd.DataFrame(rows, columns=["fact_id", "repeat", "kept", "recovery"])
    subjects = pd.Series({f"f{number}": f"s{number}" for number in range(12)})
    of_test = compare_tests({name: tested for name in names if name != CONTROL}, subjects, SETTINGS)
    return {"model": model, "grouping": grouping, "provenance": MADE, **summarise(records, SETTINGS, of_test)}


SUMMARIES = [
    summary("m", "ntc", *CONTROLS, *OTHER_FACTS),
    summary("m", "kmeans", CONTROL),
    *(summary("m", control) for control in TESTED_CONTROLS),
]


def test_the_table_holds_methods_and_what_they_are_compared_with_once() -> None:
    frame = table(SUMMARIES)
    drops = frame[frame["kind"].isin(["partial", "full"])]
    assert sorted(zip(drops["experiment"], drops["grouping"], drops["kind"], strict=True)) == sorted(
        [
            *(
                (experiment, grouping, kind)
                for experiment, groupings in (("ntc", ("ntc", *CONTROLS)), ("kmeans", ("kmeans", CONTROL)))
                for grouping in groupings
                for kind in ("partial", "full")
            ),
            *(("ntc", other, "full") for other in OTHER_FACTS),
        ]
    )
    assert drops.loc[drops["kind"] == "partial", "mean"].tolist() == pytest.approx([0.1] * 6)
    assert (drops["facts"] == 12).all()
    alone = frame[frame["kind"] == "recovery"]
    assert alone["grouping"].tolist() == ["ntc", *TESTED_CONTROLS, "kmeans"]
    assert alone["mean"].tolist() == pytest.approx([0.3] * 4)
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
    assert len(axes) == 8
    labels = [tick.get_text() for tick in axes[0].get_yticklabels()]
    rivals = ["same sizes", "random, any draw", "shuffled, any draw", "D of another fact", "D of another relation"]
    assert labels == ["ntc", *rivals, "kmeans", "same sizes"]
    assert [text.get_text() for text in axes[0].texts] == ["n = 12"] * 8
    assert [text.get_text() for text in axes[1].texts] == ["no fact with two or more components"]
    alone = [tick.get_text() for tick in axes[6].get_yticklabels()]
    assert alone == ["ntc", "random", "shuffled", "kmeans"]
    assert [text.get_text() for text in axes[7].texts] == ["no component that could bring anything back"]
    figure.draw_without_rendering()
    assert isinstance(table([nothing]), pd.DataFrame)


def test_the_panels_of_a_single_model_stand_two_by_two() -> None:
    long = "a-model-with-a-name-of-sixty-letters-as-hubs-have-them-1.1-b"
    assert_whole(draw([{**content, "model": long} for content in SUMMARIES]))
    axes = draw(SUMMARIES).get_axes()
    assert len(axes) == 4
    assert [panel.get_subplotspec().get_geometry()[:2] for panel in axes] == [(2, 2)] * 4
    assert axes[3].get_xlabel() == "mean share of Prob brought back (%)"


def test_a_line_of_too_few_subjects_is_pale_and_its_words_are_not() -> None:
    estimates = [{**row, "low": None, "high": None} for row in SUMMARIES[0]["estimates"]]
    bare = {**SUMMARIES[0], "estimates": estimates}
    panel = draw([bare]).get_axes()[0]
    assert {line.get_alpha() for line in panel.get_lines()} == {PALE}
    assert {line.get_alpha() for line in draw([SUMMARIES[0]]).get_axes()[0].get_lines()} == {None}
    drawn = [*panel.texts, *panel.get_yticklabels()]
    assert all(contrast_ratio(text.get_color(), "white") > 4.5 and text.get_alpha() is None for text in drawn)


def test_the_caption_states_the_gap_of_the_experiments_own_grouping() -> None:
    gap = {"selection": "bdc", "metric": "drop", "kind": "gap", "mean": 0.2, **NUMBERS}
    own, control = ({**gap, "grouping": name} for name in ("ntc", "random"))
    ntc = {"model": "m", "grouping": "ntc", "contrasts": []}
    said = caption([{**ntc, "estimates": [own, control, {**own, "kind": "full"}]}])
    assert said == "- m, ntc: full minus partial drop 20.0 points (10.0 … 30.0), n = 1,234 facts of 56 subjects\n"
    said = caption([{**ntc, "estimates": [control]}])
    assert said == "- m, ntc: full minus partial drop without a degenerate fact, n = 0 facts\n"


def test_the_caption_states_ntcs_contrasts() -> None:
    drop = {"first": "ntc", "selection": "bdc", "metric": "drop", "difference": 0.2, **NUMBERS}
    contrasts = [
        {**drop, "second": SHUFFLED, "kind": "gap"},
        {**drop, "second": SHUFFLED, "kind": "full"},
        {**drop, "second": OTHER_FACT, "kind": "full"},
        {"first": "ntc", "second": TESTED_CONTROL, "measure": "recovery", "difference": 0.05, **NUMBERS},
        {"first": "ntc", "second": TESTED_CONTROL, "measure": "bdcs", "difference": 7, **NUMBERS},
    ]
    said = caption([{"model": "m", "grouping": "ntc", "estimates": [], "contrasts": contrasts}]).splitlines()
    assert len(said) == 4
    assert (
        f"full minus partial drop, NTC minus {GROUP_WORDS[SHUFFLED]}: 20.0 points (10.0 … 30.0), n = 1,234" in said[1]
    )
    assert f"full drop, NTC minus {GROUP_WORDS[OTHER_FACT]}: 20.0 points" in said[2]
    assert f"Prob brought back by one, NTC minus {BEFORE_TEST[TESTED_CONTROL]}: 5.0 points" in said[3]
