"""Files of a study that are damaged, foreign or gone: every stage that reads one says so in one line, and no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dkn.storage.completeness import completeness_files
from dkn.study.registry import of_setting
from tests.integration.last_stages import GROUPINGS, STATISTICS, judge, repeated, summarise
from tests.integration.made_study import Scenario, make_study
from tests.unit.corruptions import trials

Readers = dict[Path, Callable[[Path], list[str]]]
STATED = [part for key, value in STATISTICS.items() for part in (f"--{key}", str(value))]


def of_summary(kind: str, experiment: str, *arguments: str) -> Callable[[Path], list[str]]:
    """The arguments of a summary's stage."""
    about = ["--model-name", "one", "--experiment", experiment]
    return lambda output: [f"summary-{kind}", *arguments, *about, *STATED, "--output", str(output)]


def of_table(name: str, *arguments: str) -> Callable[[Path], list[str]]:
    """The arguments of a table's stage."""
    return lambda output: [f"table-{name}", *arguments, "--output", str(output)]


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Readers:
    """The files of a made study of two models, each with a stage that reads it."""
    results = tmp_path_factory.mktemp("corruptions") / "results"
    make_study(results, Scenario(models=("one", "two"), subjects=6, relations=1))
    for name in ("one", "two"):
        summarise(results, results / name)
    judge(results, repeated("--model", [results / "one", results / "two"]))
    one, found = results / "one", {}
    funnel = of_table("funnel", "--model", str(one), *repeated("--grouping", GROUPINGS), "--shards", "1")
    tables = [one / f"{name}.parquet" for name in ("known", "knowledge_neurons", "distances")]
    tables += completeness_files(one, 1)
    found |= dict.fromkeys([*tables, *(one / "components").glob("*.parquet")], funnel)
    experiments = one / "experiments"
    for setting in ("suppression", "enhancement"):
        for name in of_setting(setting):
            records = experiments / name / "records.parquet"
            found[records] = of_summary("perturbation", name, "--records", str(records), "--setting", setting)
    tuned = experiments / "fine-tuning-dkn"
    files = ["--records", str(tuned / "records.parquet"), "--training", str(tuned / "training.json")]
    others = repeated("--others", [experiments / "fine-tuning-kn" / "records.parquet"])
    tuning = of_summary("fine-tuning", "fine-tuning-dkn", *files, *others)
    found |= dict.fromkeys([tuned / "records.parquet", tuned / "training.json"], tuning)
    for setting in ("suppression", "enhancement", "fact-checking", "fine-tuning", "overlap"):
        names = of_setting(setting)
        stated = ["--model", str(one), *repeated("--experiment", names), "--confidence", "0.95"]
        summaries = [experiments / name / "summary.json" for name in names]
        found |= dict.fromkeys(summaries, of_table(setting, *stated))
    found[results / "verdicts.json"] = of_table("verdicts", "--verdicts", str(results / "verdicts.json"))
    return found


def test_damage_is_one_line_or_changes_nothing(readers: Readers, tmp_path: Path) -> None:
    found = list(trials(readers, tmp_path, 55, seed=0))
    assert not [trial for trial in found if not trial.good]
    assert sum(trial.status == 1 for trial in found) > 40
