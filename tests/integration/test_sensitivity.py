"""The grid's point at the study's own settings, on all facts, gives the numbers of the degeneracy experiment."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dkn.storage.files import read_json
from tests.integration.stage_runs import attribute, run_stage

SELECTIONS = {"bdc": "degenerate", "candidate": "with_two_candidates"}
FRACTION, QUANTILE, TAU1, TAU2 = 0.1, 0.3, 0.03, 0.02
STATISTICS = {"resamples": 200, "confidence": 0.95, "seed": 0}


def stage(name: str, *repeated: str, **flags: object) -> None:
    """Run a stage, which must end well."""
    assert run_stage(name, *repeated, **flags) == 0


@pytest.fixture(scope="module")
def summary(study: Path) -> dict:
    """The degeneracy experiment, stage by stage, on files."""
    assert attribute(study, "scores.parquet") == 0
    files = {
        name: study / f"{name}.parquet" for name in ("neurons", "distances", "candidates", "components", "records")
    }
    on_model = {"model": study / "model", "device": "cpu"}
    on_facts = {**on_model, "facts": study / "facts.parquet", "known": study / "known.parquet"}
    neurons = {"neurons": files["neurons"]}
    stage("knowledge-neurons", scores=study / "scores.parquet", fraction=FRACTION, output=files["neurons"])
    stage("distances", **on_model, **neurons, output=files["distances"])
    clustering = {"persistence": "difference", "tau1": TAU1, "quantile": QUANTILE, "min_size": 2, "dimension": 0}
    stage(
        "candidates-ntc",
        **neurons,
        distances=files["distances"],
        **clustering,
        output=files["candidates"],
        diagrams=study / "diagrams.parquet",
    )
    test = {"test": "sufficiency", "tau2": TAU2}
    stage("components", **on_facts, **neurons, candidates=files["candidates"], **test, output=files["components"])
    experiment = {"grouping": "ntc", "seed": 0, "max_subsets": 8, "partitions": 2}
    stage(
        "experiment-degeneracy",
        **on_facts,
        **neurons,
        components=files["components"],
        **experiment,
        output=files["records"],
    )
    stage(
        "summary-degeneracy",
        facts=study / "facts.parquet",
        known=study / "known.parquet",
        completeness=study / "scores.parquet.completeness",
        **{name: files[name] for name in ("neurons", "distances", "components", "records")},
        grouping="ntc",
        comparison=study / "comparison.json",
        model_name="m",
        **STATISTICS,
        output=study / "summary.json",
    )
    return read_json(study / "summary.json")


@pytest.fixture(scope="module")
def table(study: Path, summary: dict) -> pd.DataFrame:
    """The same point, and another tau1, test and tau2, through the grid."""
    stage(
        "experiment-sensitivity",
        *("--tau1", "0.2", "--tau2", "0.9", "--test", "absolute"),
        model=study / "model",
        model_name="m",
        facts=study / "facts.parquet",
        known=study / "known.parquet",
        scores=study / "scores.parquet",
        which="all",
        fraction=FRACTION,
        quantile=QUANTILE,
        tau1=TAU1,
        tau2=TAU2,
        persistence="difference",
        min_size=2,
        test="sufficiency",
        max_subsets=8,
        partitions=2,
        seed=0,
        batch=3,
        device="cpu",
        output=study / "point.parquet",
    )
    own = {"fraction": FRACTION, "quantile": QUANTILE, "tau1": TAU1, "test": "sufficiency", "tau2": TAU2}
    stage("table-sensitivity", records=study / "point.parquet", **own, **STATISTICS, output=study / "sensitivity.csv")
    return pd.read_csv(study / "sensitivity.csv")


@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_studys_own_point_gives_the_numbers_of_the_experiment(
    selection: str, summary: dict, table: pd.DataFrame
) -> None:
    point = (table["tau1"] == TAU1) & (table["selection"] == selection)
    point &= (table["tau2"] != 0.9) & (table["test"] != "absolute")
    [row] = table[point].to_dict("records")
    assert row["own_settings"] == (selection == "bdc")
    assert row["facts"] == summary["funnel"]["facts"]
    assert row["with_candidates"] == summary["funnel"]["with_candidates"]
    assert row["degenerate"] == summary["funnel"][SELECTIONS[selection]] > 5
    for metric in ("drop", "nats"):
        [contrast] = [
            found
            for found in summary["contrasts"]
            if (found["selection"], found["metric"], found["kind"]) == (selection, metric, "gap")
        ]
        assert row[f"{metric}_gap"] == pytest.approx(contrast["difference"], rel=1e-3, abs=1e-6)
        for end in ("low", "high"):
            assert row[f"{metric}_gap_{end}"] == pytest.approx(contrast[end], rel=1e-3, abs=1e-6)


def test_the_table_has_every_point_and_one_is_the_studys_own(table: pd.DataFrame) -> None:
    assert len(table) == 2 * (1 + 2 * 2)
    assert table["own_settings"].sum() == 1


def test_the_figure_is_drawn_from_the_table(study: Path, table: pd.DataFrame) -> None:
    stage("figure-sensitivity", table=study / "sensitivity.csv", output=study / "drawn" / "sensitivity.pdf")
    assert (study / "drawn" / "sensitivity.pdf").read_bytes().startswith(b"%PDF")
    pd.testing.assert_frame_equal(pd.read_csv(study / "drawn" / "sensitivity.csv"), table)
