"""Figures suppression and enhancement: their table against the records, and that they draw whatever there is."""

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from dkn.figures import enhancement, suppression
from dkn.figures.perturbation import PLACES, caption, draw, table
from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import FULL_WORDS, INTERACTION, ORIGINAL, PERTURBED
from dkn.summaries.perturbation import PerturbedAverages, summarise
from tests.unit.legends import assert_looks

SETTINGS = StatisticsSettings(resamples=50, confidence=0.9, seed=0)
SETS = {"none": 0, "dkn": 4, "kn": 10, "kn-matched": 4, "random": 4, "dkn-other-fact": 4, "dkn-other-relation": 4}
DRAWN = ("kn-matched", "random", "dkn-other-fact", "dkn-other-relation")


def made_records(subjects: int, queries: tuple[str, ...] = (ORIGINAL, "replace", "add", "delete")) -> pd.DataFrame:
    """A fact per subject, every second one degenerate; Prob and answers drawn at random, two draws of random sets."""
    draw = np.random.default_rng(subjects)
    rows = []
    for number in range(subjects):
        for query in queries:
            before, known = draw.uniform(-1, -0.1), query == ORIGINAL or bool(draw.integers(2))
            for name, size in SETS.items():
                for repeat in range(2 if name in DRAWN else 1):
                    after = before - (draw.uniform(0, 1) if size else 0)
                    greedy = bool(draw.integers(2)) if size else known
                    sizes = name, repeat, size, size // 2
                    about = f"f{number}", f"s{number}", 1 + number % 2, query
                    rows.append((*about, *sizes, before, after, known, greedy))
    columns = ["fact_id", "subject", "components", "query", "neuron_set", "repeat", "neurons", "shared"]
    measured = ["log_prob_before", "log_prob_after", "greedy_before", "greedy_after"]
    return pd.DataFrame(rows, columns=[*columns, *measured]).assign(question="preserving")


def summary(
    model: str, setting: str, site: str, records: pd.DataFrame, averages: PerturbedAverages | None = None
) -> dict:
    """As it is read back: what is undefined is null."""
    content = {
        "model": model,
        "experiment": f"{setting}-{site}",
        **summarise(records, setting, SETTINGS, averages or PerturbedAverages(), site),
        "provenance": {"settings": vars(SETTINGS)},
    }
    return json.loads(json.dumps(content).replace("NaN", "null"))


def both(model: str, setting: str, records: pd.DataFrame) -> list[dict]:
    return [summary(model, setting, site, records) for site in ("values", "weights")]


def value(frame: pd.DataFrame, **where: str) -> pd.Series:
    found = frame.loc[np.logical_and.reduce([frame[name] == wanted for name, wanted in where.items()])]
    assert len(found) == 1
    return found.iloc[0]


def test_the_suppression_table_is_what_the_records_say() -> None:
    records = made_records(6)
    frame = table(both("m", "suppression", records), suppression.SETTING)
    ratio = 1 - np.exp(records["log_prob_after"] - records["log_prob_before"])
    means = ratio.groupby([records["neuron_set"], records["query"]]).mean()
    for name in FULL_WORDS:
        expected = {query: means[name, query] for query in (ORIGINAL, "replace", "add", "delete")}
        expected[PERTURBED] = np.mean([expected[query] for query in ("replace", "add", "delete")])
        expected[INTERACTION] = expected[PERTURBED] - expected[ORIGINAL]
        for query, mean in expected.items():
            row = value(frame, site="values", population="all", neuron_set=name, query=query, metric="drop")
            assert row["mean"] == pytest.approx(mean)
            assert row["low"] <= row["mean"] <= row["high"]
            assert row[["model", "facts", "subjects", "mean_neurons"]].tolist() == ["m", 6, 6, SETS[name]]
    assert set(frame["metric"]) == {"drop", "nats", "prob"}
    assert set(frame.loc[frame["neuron_set"] == "none", "metric"]) == {"prob"}
    assert not frame.duplicated(["model", "site", "population", "neuron_set", "query", "metric"]).any()


def test_the_enhancement_table_counts_answers_regained_and_lost() -> None:
    records = made_records(7)
    frame = table(both("m", "enhancement", records), enhancement.SETTING)
    own = records[(records["neuron_set"] == "dkn") & (records["query"] == "add")]
    before, after = own["greedy_before"], own["greedy_after"]
    where = {"site": "weights", "population": "all", "query": "add"}
    assert value(frame, **where, neuron_set="dkn", metric="regained")["mean"] == pytest.approx((~before & after).mean())
    assert value(frame, **where, neuron_set="dkn", metric="lost")["mean"] == pytest.approx((before & ~after).mean())
    assert value(frame, **where, neuron_set="none", metric="accuracy")["mean"] == pytest.approx(before.mean())


def test_panels_show_the_table() -> None:
    """Measures from top to bottom, interventions within; the points of a set are its means in the queries' order."""
    summaries = both("first", "suppression", made_records(12)) + both("second", "suppression", made_records(16))
    figure, frame = draw(summaries, suppression.SETTING), table(summaries, suppression.SETTING)
    axes = np.array(figure.get_axes()).reshape(4, 2)
    labels = [place.get_ylabel() for place in axes[:, 0]]
    assert labels == ["mean drop in Prob (%)"] * 2 + ["loss of log Prob (nats)"] * 2
    assert "90 % bootstrap" in figure.get_suptitle()
    for row, (metric, site) in enumerate((m, s) for m in ("drop", "nats") for s in ("values", "weights")):
        for column, model in enumerate(("first", "second")):
            place = axes[row, column]
            assert place.get_title().startswith(f"{model}, {site} suppressed\nneurons: D 4, N 10")
            everyone, degenerate = (("12", "6"), ("16", "8"))[column]
            ticks = [tick.get_text().split("\n") for tick in place.get_xticklabels()]
            assert [f"{first}\n{second}" for first, second, _, _ in ticks] == list(PLACES.values())
            assert [facts for _, _, facts, _ in ticks] == [everyone, everyone, degenerate, *[everyone] * 4]
            where = {"model": model, "site": site, "neuron_set": "none", "metric": "prob"}
            before = value(frame, **where, population="degenerate", query="perturbed")["mean"]
            assert ticks[2][3] == f"{100 * before:.0f} %"
            for name, container in zip(FULL_WORDS, place.containers, strict=True):
                own = frame[(frame["model"] == model) & (frame["site"] == site) & (frame["metric"] == metric)]
                means = own[own["neuron_set"] == name].set_index(["population", "query"]).loc[list(PLACES), "mean"]
                shown = container.lines[0].get_ydata() / (100 if metric == "drop" else 1)
                assert shown == pytest.approx(means.to_numpy())
                assert container.has_yerr
    figure.draw_without_rendering()


def open_signs(axes: Axes) -> int:
    lines = [line.get_ydata() for line in axes.get_lines() if line.get_markerfacecolor() == "white"]
    return int(np.isfinite(np.concatenate(lines)).sum())


def test_few_subjects_missing_queries_and_models_without_a_dkn() -> None:
    """Means without interval are open signs and the legend says so; a query that no fact has is empty."""
    queries = (ORIGINAL, "replace", "add")
    summaries = [
        *both("few", "enhancement", made_records(3)),
        *both("short", "enhancement", made_records(12, queries)),
        *both("none", "enhancement", made_records(6).iloc[:0]),
    ]
    figure = draw(summaries, enhancement.SETTING)
    assert_looks(figure, FULL_WORDS)
    axes = np.array(figure.get_axes()).reshape(4, 3)
    assert open_signs(axes[0, 0]) == len(FULL_WORDS) * len(PLACES)
    assert open_signs(axes[0, 1]) == 0
    assert axes[0, 1].get_xticklabels()[5].get_text() == "Q*\ndelete\n0\n"
    assert [text.get_text() for text in axes[0, 2].texts] == ["no fact with a DKN"]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "open sign: too few subjects for an interval" in legend
    figure.draw_without_rendering()
    assert table(summaries[4:], enhancement.SETTING).empty
    draw(summaries[4:], enhancement.SETTING).draw_without_rendering()


def test_the_released_codes_sets_and_records_are_drawn_as_far_as_there_are() -> None:
    """D alone is compared; the limit of values leaves some records, that of weights none."""
    records = made_records(12)
    records = records[records["neuron_set"].isin(["none", "dkn"])]
    averages = PerturbedAverages(below_values=np.exp(-0.6), below_weights=1e-9, reduction="means")
    summaries = [summary("m", "suppression", site, records, averages) for site in ("values", "weights")]
    figure = draw(summaries, suppression.SETTING)
    figure.draw_without_rendering()
    axes = np.array(figure.get_axes()).reshape(2, 2)
    assert axes[0, 0].get_title() == "m, values suppressed\nneurons: D 4 on average"
    assert [text.get_text() for text in axes[0, 1].texts] == ["no record that counts"]
    drawn = table(summaries, suppression.SETTING)
    assert set(drawn["site"]) == {"values"}
    assert set(drawn["neuron_set"]) == {"none", "dkn"}
    assert "minus" not in caption(summaries, suppression.SETTING)


@pytest.mark.parametrize("models", [1, 4])
def test_any_number_of_models(models: int) -> None:
    summaries = [one for number in range(models) for one in both(f"m{number}", "enhancement", made_records(12))]
    figure = draw(summaries, enhancement.SETTING)
    figure.draw_without_rendering()
    assert len(figure.get_axes()) == 4 * models
    assert not any("open sign" in text.get_text() for text in figure.legends[0].get_texts())


def test_the_caption_says_how_specific_the_neurons_are() -> None:
    """With the share of another fact's neurons that are the fact's own; nothing where there is no such set."""
    records = made_records(6)
    text = caption(both("m", "suppression", records), suppression.SETTING)
    assert text.count("in the fact's own D") == 4
    assert "m, suppression-values, drop, original query: D of another fact, as many: " in text
    assert "50 % of these neurons are in the fact's own D" in text
    alone = records[~records["neuron_set"].isin(DRAWN[2:])]
    assert "another" not in caption(both("m", "suppression", alone), suppression.SETTING)
    assert caption([], suppression.SETTING).startswith("Nothing")
