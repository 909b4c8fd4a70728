"""The stages of a study that need no model, with the flags that the rules give them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from dkn.study.names import DETECTORS, TUNED_SETS
from dkn.study.registry import CONTROL_SETTINGS, SETTINGS, of_setting, of_study
from tests.integration.made_study import GROUPINGS
from tests.integration.scenarios import stage

ROOT = Path(__file__).parents[2]
MINIMUM_SUBJECTS = 10
STATISTICS = {"resamples": 9, "confidence": 0.95, "seed": 0}
CLUSTERING = {"persistence": "difference", "tau1": 0.02, "quantile": 0.5, "min_size": 2}
WITH_TABLES = (*SETTINGS, *CONTROL_SETTINGS)
EXPERIMENTS = of_study(GROUPINGS)
OF_SUMMARIES = {
    "degeneracy": ["degeneracy-ntc"],
    "groupings": [f"degeneracy-{grouping}" for grouping in GROUPINGS],
    "sharing": of_setting("sharing"),
    "suppression": of_setting("suppression"),
    "enhancement": of_setting("enhancement"),
    "ablation": of_setting("ablation"),
}
TABLES = (
    *(setting.replace("-", "_") for setting in WITH_TABLES),
    "contrasts",
    "funnel",
    "reported",
    "seeds",
    "verdicts",
)
FIGURES = (*OF_SUMMARIES, "fact_checking", "overlap", "fine_tuning", "complexity", "reported", "verdicts", "funnel")
FIGURES += ("component_sizes", "persistence", "kn_graph", "seeds")


def repeated(flag: str, values: Sequence[object]) -> list[str]:
    """Arguments that give a flag several values."""
    return [part for value in values for part in (flag, str(value))]


def summarise(results: Path, folder: Path) -> None:
    """Write the summaries of one model."""
    experiments, tables = folder / "experiments", {"facts": results / "facts" / "facts.parquet"}
    for name, file in (("known", "known"), ("neurons", "knowledge_neurons"), ("distances", "distances")):
        tables[name] = folder / f"{file}.parquet"
    tables["completeness"] = folder / "attribution" / "1-of-1.completeness.parquet"
    records = [experiments / f"degeneracy-{name}" / "records.parquet" for name in GROUPINGS]
    stage(
        "summary-degeneracy",
        *repeated("--grouping", GROUPINGS),
        *repeated("--components", [folder / "components" / f"{name}.parquet" for name in GROUPINGS]),
        *repeated("--records", records),
        *repeated("--output", [path.parent / "summary.json" for path in records]),
        **tables,
        comparison=experiments / "degeneracy" / "comparison.json",
        model_name=folder.name,
        **STATISTICS,
    )

    def summary(kind: str, experiment: str, *arguments: str, **values: object) -> None:
        output = experiments / experiment / "summary.json"
        about = {"model_name": folder.name, "experiment": experiment, "output": output}
        stage(f"summary-{kind}", *arguments, **values, **about, **STATISTICS)

    shared = {name: experiments / "sharing" / f"{name}.parquet" for name in ("records", "members")}
    summary("sharing", "sharing", **shared)
    for setting in ("suppression", "enhancement"):
        for name in of_setting(setting):
            about = {"setting": setting, "site": name.removeprefix(f"{setting}-")}
            summary("perturbation", name, records=experiments / name / "records.parquet", **about)
    checked = repeated("--records", [experiments / name / "records.parquet" for name in of_setting("fact-checking")])
    for detector in DETECTORS:
        summary("fact-checking", f"fact-checking-{detector}", *checked, detector=detector)
    tuned = {name: experiments / f"fine-tuning-{name}" for name in TUNED_SETS}
    for home in tuned.values():
        others = repeated("--others", [path / "records.parquet" for path in tuned.values() if path != home])
        training = home / "training.json"
        summary("fine-tuning", home.name, *others, records=home / "records.parquet", training=training)
    summary("ablation", "ablation", records=experiments / "ablation" / "records.parquet")
    overlap = experiments / "overlap-fine-tuning"
    files = {"records": overlap / "records.parquet", "curves": overlap / "curves.parquet"}
    summary("overlap", overlap.name, **files, training=tuned["all"] / "training.json")


def judge(results: Path, models: list[str], entries: Sequence[str]) -> None:
    """Write the verdicts, and what they need."""
    arguments = [*models, *repeated("--experiment", EXPERIMENTS)]
    complexity, seeds = results / "complexity.json", results / "seeds.json"
    fewest = {"minimum_subjects": MINIMUM_SUBJECTS}
    stage("seeds", *arguments, *repeated("--entry", entries), confidence=0.95, **fewest, output=seeds)
    stage("model-size", *arguments, seeds=seeds, output=complexity)
    metrics = ("drop", "accuracy", "balanced_accuracy", "auroc", "f1", "share")
    arguments += repeated("--margin", [f"{metric}=0.05" for metric in metrics])
    files = {"seeds": seeds, "complexity": complexity, "output": results / "verdicts.json"}
    stage("verdicts", *arguments, alpha=0.05, **fewest, **files)


def write_tables(results: Path, models: list[str]) -> None:
    """Write all tables, and their pages."""
    tables = results / "tables"
    for setting in WITH_TABLES:
        degeneracy = setting == "degeneracy"
        names = [f"degeneracy-{name}" for name in GROUPINGS] if degeneracy else of_setting(setting)
        output = tables / f"{setting.replace('-', '_')}.csv"
        stage(f"table-{setting}", *models, *repeated("--experiment", names), confidence=0.95, output=output)
    every = [*models, *repeated("--experiment", EXPERIMENTS)]
    stage("table-contrasts", *every, confidence=0.95, output=tables / "contrasts.csv")
    reported = ROOT / "resources" / "reported_results.yaml"
    stage("table-reported", *every, reported=reported, output=tables / "reported.csv")
    stage("table-funnel", *models, *repeated("--grouping", GROUPINGS), shards=1, output=tables / "funnel.csv")
    stage("table-seeds", seeds=results / "seeds.json", output=tables / "seeds.csv")
    stage("table-verdicts", verdicts=results / "verdicts.json", output=tables / "verdicts.csv")
    kept = [tables / f"{name}.csv" for name in (*(setting.replace("-", "_") for setting in WITH_TABLES), "funnel")]
    outcome = results / "outcome"
    files = {"verdicts": results / "verdicts.json", "study": "{}", "output": outcome / "study.json"}
    stage("outcome", *models, *repeated("--table", kept), **files)
    stage("verify", study=outcome / "study.json", reference=outcome, output=outcome / "reproduction.csv")
    for name in TABLES:
        words = {"title": name, "note": "note"}
        stage("table-page", table=tables / f"{name}.md", **words, output=tables / f"{name}.html")


def draw_figures(results: Path, models: list[str], folders: Sequence[Path], example: str | None) -> None:
    """Draw all figures."""
    figures, facts = results / "figures", {"facts": results / "facts" / "facts.parquet"}

    def figure(name: str, *arguments: str, **values: object) -> None:
        stage(f"figure-{name.replace('_', '-')}", *arguments, **values, output=figures / f"{name}.pdf")

    for name, experiments in OF_SUMMARIES.items():
        files = [folder / "experiments" / key / "summary.json" for key in experiments for folder in folders]
        figure(name, *repeated("--summary", files))
    figure("fact_checking", *models)
    figure("overlap", *models)
    tuned = [folder / "experiments" / f"fine-tuning-{name}" for folder in folders for name in TUNED_SETS]
    figure("fine_tuning", *repeated("--experiment", tuned))
    figure("complexity", complexity=results / "complexity.json")
    figure("reported", table=results / "tables" / "reported.csv")
    figure("seeds", seeds=results / "seeds.json")
    figure("verdicts", verdicts=results / "verdicts.json")
    figure("funnel", funnel=results / "tables" / "funnel.csv")
    figure("component_sizes", *models, **facts, **STATISTICS)
    for name in ("persistence", "kn_graph"):
        figure(name, *models, *repeated("--example", [example] if example else []), **facts, quantile=0.5)


def make_page(results: Path, names: Sequence[str], models: list[str]) -> None:
    """Write the front page, with all figures and tables in one part."""
    titles = {"title": "title", "note": "note"}
    claims = {"alpha": 0.05, "margins": {"drop": 0.05}, "minimum_subjects": MINIMUM_SUBJECTS}
    stated = {
        "study": {
            "models": [{"name": name} for name in names],
            "statistics": {"confidence": 0.95},
            "claims": claims,
            "seed": 0,
        },
        "models": {name: {"repo": None} for name in names},
        "experiments": EXPERIMENTS,
        "released": [],
        "sections": [{"title": "All", "figures": dict.fromkeys(FIGURES, "t"), "tables": dict.fromkeys(TABLES, titles)}],
    }
    stage(
        "index",
        *models,
        *repeated("--experiment", EXPERIMENTS),
        contents=json.dumps(stated),
        verdicts=results / "verdicts.json",
        complexity=results / "complexity.json",
        template=ROOT / "workflow" / "dkn" / "pages" / "index.html",
        words=ROOT / "workflow" / "report" / "table.rst",
        output=results / "index.html",
    )


def finish_study(results: Path, names: Sequence[str], example: str | None) -> None:
    """Run every stage that needs no model, on the stored tables of a study."""
    folders = [results / name for name in names]
    models = repeated("--model", folders)
    for folder in folders:
        summarise(results, folder)
        stage(
            "explorer",
            model=folder,
            facts=results / "facts" / "facts.parquet",
            template=ROOT / "workflow" / "dkn" / "pages" / "explorer.html",
            **CLUSTERING,
            test="sufficiency",
            tau2=0.1,
            seed=0,
            sample=5,
            output=folder / "explorer.html",
        )
    judge(results, models, [name.partition("-s")[0] for name in names])
    write_tables(results, models)
    draw_figures(results, models, folders, example)
    make_page(results, names, models)
