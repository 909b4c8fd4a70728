"""Figure fact_checking: its table against scikit-learn, and that it draws whatever there is."""

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from sklearn import metrics

from dkn.figures.fact_checking import HATCH, NAMES, SCORES, draw, table
from dkn.figures.style import PALE
from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import WORDS
from dkn.summaries.fact_checking import summarise
from tests.unit.legends import assert_looks

SETTINGS = StatisticsSettings(resamples=50, confidence=0.95, seed=0)


def made_records(subjects: int, seed: int = 0, split: tuple[str, str] = ("train", "test")) -> pd.DataFrame:
    """Two facts a subject, a true and a false statement each; own sets tell them apart, the others a little. Ties."""
    draw = np.random.default_rng(seed)
    rows = []
    for (detector, neurons), subject, fact, wording, truth in (
        (key, s, f, w, t)
        for key in SCORES
        for s in range(subjects)
        for f in range(2)
        for w in ("triple", "complex")
        for t in (True, False)
    ):
        score = round(float(draw.normal() + truth * (3 if neurons == "own" else 0.5)), 1)
        about = (f"f{subject}-{fact}", f"s{subject}", split[subject % 2], wording, truth, detector, neurons, 5, score)
        rows.append(about)
    columns = ["fact_id", "subject", "split", "wording", "truth", "detector", "neurons", "size", "score"]
    return pd.DataFrame(rows, columns=columns).assign(draw=0)


def made_table(records: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """From summaries as they are read back: what is undefined is null."""
    summaries = [
        {"model": model, **summarise(frame, detector, SETTINGS)}
        for model, frame in records.items()
        for detector in ("dkn", "kn", "plm")
    ]
    return table(json.loads(json.dumps(summaries).replace("NaN", "null")), records)


def drawn(frame: pd.DataFrame, models: list[str]) -> Figure:
    figure = draw(frame, models, "95 % bootstrap over subjects")
    figure.draw_without_rendering()
    return figure


def test_the_table_equals_scikit_learns_numbers() -> None:
    records = made_records(24)
    frame = made_table({"m": records})
    for detector, neurons in SCORES:
        own = frame[(frame["detector"] == detector) & (frame["neurons"] == neurons) & (frame["wording"] == "triple")]
        test = records[(records["detector"] == detector) & (records["neurons"] == neurons)]
        test = test[(test["wording"] == "triple") & (test["split"] == "test")]
        values = own[own["what"] == "metric"].set_index("metric")
        accepted = test["score"] > values["threshold"].iloc[0]
        assert values.loc["f1", "mean"] == pytest.approx(metrics.f1_score(test["truth"], accepted))
        assert values.loc["auroc", "mean"] == pytest.approx(metrics.roc_auc_score(test["truth"], test["score"]))
        assert values["facts"].unique().tolist() == [24]
        curve = own[own["what"] == "roc"]
        false, true, _ = metrics.roc_curve(test["truth"], test["score"], drop_intermediate=False)
        assert curve["false_positive_rate"].to_numpy() == pytest.approx(false)
        assert curve["true_positive_rate"].to_numpy() == pytest.approx(true)
        point = own[own["what"] == "point"].iloc[0]
        assert point["threshold"] == values["threshold"].iloc[0]
        assert point["true_positive_rate"] == pytest.approx(values.loc["recall", "mean"])
        assert point["false_positive_rate"] == pytest.approx(accepted[~test["truth"]].mean())
        assert own["sees_label"].eq(neurons == "own").all()


def test_bars_are_balanced_accuracies_and_sets_with_the_label_are_flagged() -> None:
    frame = made_table({"m": made_records(24)})
    figure = drawn(frame, ["m"])
    assert_looks(figure, {name: WORDS[name] for name in NAMES})
    bars, curves = figure.get_axes()[:2]
    values = frame[(frame["wording"] == "triple") & (frame["metric"] == "balanced_accuracy")].set_index(
        ["detector", "neurons"]
    )
    patches = [patch for container in bars.containers if hasattr(container, "patches") for patch in container.patches]
    assert [patch.get_width() for patch in patches] == pytest.approx([100 * values.loc[key, "mean"] for key in SCORES])
    middles = [patch.get_y() + patch.get_height() / 2 for patch in patches]
    assert bars.get_yticks().tolist() == pytest.approx(middles), "a label stands beside its bar"
    assert [text.xy[1] for text in bars.texts if isinstance(text, Annotation)] == pytest.approx(middles)
    assert {patch.get_alpha() for patch in patches} == {None}
    flagged = [neurons == "own" for _, neurons in SCORES]
    assert [patch.get_hatch() == HATCH for patch in patches] == flagged
    assert [tick.get_text().endswith("†") for tick in bars.get_yticklabels()] == flagged
    assert [text.get_text() for text in bars.texts] == ["n = 24"] * len(SCORES)
    assert (bars.get_xlabel(), curves.get_xlabel()) == (
        "balanced accuracy (bars), other metrics (signs), %",
        "false statements accepted (%)",
    )
    points = [container.lines[0] for container in curves.containers]
    expected = frame[(frame["wording"] == "triple") & (frame["what"] == "point")].set_index(["detector", "neurons"])
    assert [line.get_ydata()[0] for line in points] == pytest.approx(
        [100 * expected.loc[key, "true_positive_rate"] for key in SCORES]
    )
    assert [line.get_markerfacecolor() == "white" for line in points] == flagged
    assert any("sees the label" in text.get_text() for text in figure.legends[0].get_texts())


def test_points_are_those_of_the_fixed_thresholds_that_the_summary_has() -> None:
    records, fixed = made_records(24), {"dkn": 1.0, "kn": 2.0}
    summaries = [{"model": "m", **summarise(records, name, SETTINGS, fixed)} for name in ("dkn", "kn", "plm")]
    frame, chosen = table(summaries, {"m": records}, fixed), table(summaries, {"m": records})
    for (detector, neurons, wording), point in frame[frame["what"] == "point"].groupby(
        ["detector", "neurons", "wording"]
    ):
        test = records[(records["detector"] == detector) & (records["neurons"] == neurons)]
        test = test[(test["wording"] == wording) & (test["split"] == "test")]
        if detector in fixed:
            assert point["threshold"].item() == fixed[detector]
            for truth, rate in ((True, "true_positive_rate"), (False, "false_positive_rate")):
                accepted = (test.loc[test["truth"] == truth, "score"] >= fixed[detector]).mean()
                assert point[rate].item() == pytest.approx(accepted)
        else:
            assert point["threshold"].item() == chosen.loc[point.index.item(), "threshold"]


def test_several_draws_have_one_bar_and_a_curve_that_is_their_mean() -> None:
    first, second = (made_records(24, seed) for seed in range(2))
    random = second[(second["detector"] == "random") & (second["neurons"] == "relation")].assign(draw=1)
    frame, alone = (made_table({"m": records}) for records in (pd.concat([first, random]), first))
    where = {"detector": "random", "neurons": "relation", "wording": "triple"}
    of_both, of_first = (
        table[(table[list(where)] == pd.Series(where)).all(axis=1)].set_index("what") for table in (frame, alone)
    )
    area = np.trapezoid(of_both.loc["roc", "true_positive_rate"], of_both.loc["roc", "false_positive_rate"])
    means = of_both.loc["metric"].set_index("metric")["mean"]
    assert area == pytest.approx(means["auroc"], abs=0.01)
    assert of_both.loc["point", "true_positive_rate"] == pytest.approx(means["recall"])
    assert means["auroc"] != pytest.approx(of_first.loc["metric"].set_index("metric")["mean"]["auroc"])
    drawn(frame, ["m"])


def test_few_subjects_and_missing_detectors_and_models_without_statements() -> None:
    few = made_records(4)
    records = {
        "few": few[few["neurons"] != "own"],
        "no test": made_records(8, split=("train", "train")),
        "nothing": made_records(8).iloc[:0],
    }
    frame = made_table(records)
    assert set(frame["model"]) == {"few"}
    assert frame["low"].isna().all()
    figure = drawn(frame, list(records))
    bars, *_ = figure.get_axes()
    assert len(bars.get_yticks()) == 6
    assert {patch.get_alpha() for container in bars.containers for patch in getattr(container, "patches", [])} == {PALE}
    assert any("too few subjects" in text.get_text() for text in figure.legends[0].get_texts())
    for place in figure.get_axes()[4:]:
        assert [text.get_text() for text in place.texts] == ["no statement to test"]
    drawn(made_table({"nothing": records["nothing"]}), ["nothing"])


def test_four_models() -> None:
    records = {f"m{number}": made_records(12, number) for number in range(4)}
    figure = draw(made_table(records), list(records), "95 % bootstrap over subjects")
    assert len(figure.get_axes()) == 16
    assert not any("too few subjects" in text.get_text() for text in figure.legends[0].get_texts())
