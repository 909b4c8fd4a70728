"""The paper's numbers beside a study's own (docs/method.md).

Rows are long: one quantity of one model each, either ``reported`` (the paper's GPT-2 or LLaMA2-7b) or ``this study``.
Models are always named as what they are; nothing is matched up that was not computed on the same model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import yaml
from typer import Option

from dkn import flags
from dkn.study.names import DETECTORS, PERTURBATIONS, SITES, TUNED_SETS
from dkn.study.registry import GROUPINGS
from dkn.summaries.stored import compared_by_model, only_match
from dkn.tables.saving import save

COLUMNS = ("setting", "experiment", "quantity", "kind", "model", "value", "low", "high", "facts", "source")


@dataclass(frozen=True)
class Quantity:
    """One number that the paper reports.

    Attributes:
        experiment: whose summary holds this study's estimate.
        label: what it is, in words.
        where: the values that pick the estimate's row.
        path: keys below a model's entry of the setting in resources/reported_results.yaml.
        setting: that setting, as the file calls it.
    """

    experiment: str
    label: str
    where: Mapping[str, str]
    path: tuple[Any, ...]
    setting: str


def quantities(columns: Mapping[str, list[str]]) -> Iterator[Quantity]:
    """All quantities; ``columns`` says per setting what the file's lists hold."""
    for grouping in GROUPINGS:
        for kind in ("partial", "full"):
            where = {"selection": "bdc", "grouping": grouping, "metric": "drop", "kind": kind}
            label = f"{kind} drop in Prob, {grouping}"
            yield Quantity(f"degeneracy-{grouping}", label, where, (grouping, kind), "degeneracy")
    for setting, metric, what in (
        ("suppression", "drop", "drop in Prob"),
        ("enhancement", "regained", "accuracy regained"),
    ):
        for kind in SITES:
            for query in PERTURBATIONS:
                for place, name in enumerate(columns[setting]):
                    where = {"neuron_set": name, "query": query, "metric": metric}
                    label = f"{what}, {kind} of {name}, word: {query}"
                    yield Quantity(f"{setting}-{kind}", label, where, (kind, query, place), setting)
    for detector in DETECTORS:
        where = {"detector": detector, "wording": "triple", "metric": "f1"}
        where["neurons"] = "none" if detector == "plm" else "own"
        yield Quantity(f"fact-checking-{detector}", f"F1, {detector}", where, (detector,), "fact_checking")
    tuned = list(TUNED_SETS)
    for split in ("new", "old", "augmented"):
        for place, name in enumerate(columns["fine_tuning"]):
            where = {"neuron_set": name, "split": split, "metric": "accuracy"}
            label = f"accuracy on {split} facts, {name} trained"
            yield Quantity(f"fine-tuning-{tuned[place]}", label, where, (split, place), "fine_tuning")
    where = {"neuron_set": "dkn", "part": "both", "metric": "share"}
    yield Quantity("overlap-fine-tuning", "share of DKNs among the most changed", where, ("dkn",), "overlap")


def _lookup(tree: Any, path: tuple[Any, ...]) -> float | None:
    """A number deep in the file; None where the paper has none."""
    for key in path:
        try:
            tree = tree[key]
        except (KeyError, IndexError):
            return None
    return float(tree)


def side_by_side(path: Path, summaries: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """The table, columns as in ``COLUMNS``.

    Args:
        path: resources/reported_results.yaml.
        summaries: by model and experiment; what a study has not run has no row.
    """
    reported = yaml.safe_load(path.read_text())
    columns = {setting: part["columns"] for setting, part in reported.items() if "columns" in part}
    rows = []
    for quantity in quantities(columns):
        part = reported[quantity.setting]
        scale = 100 if part["unit"] == "percent" else 1
        about = {"setting": quantity.setting.replace("_", "-"), "experiment": quantity.experiment}
        about["quantity"] = quantity.label + (" (%)" if scale == 100 else "")
        for key, name in reported["models"].items():
            value = _lookup(part.get(key, {}), quantity.path)
            if value is not None:
                rows.append({**about, "kind": "reported", "model": name, "value": value, "source": part["source"]})
        for model, by_experiment in summaries.items():
            found = only_match(by_experiment.get(quantity.experiment, {}).get("estimates", []), quantity.where)
            if found is not None:
                numbers = {to: found[of] for of, to in (("mean", "value"), ("low", "low"), ("high", "high"))}
                numbers = {to: None if value is None else scale * value for to, value in numbers.items()}
                rows.append({**about, "kind": "this study", "model": model, **numbers, "facts": found["facts"]})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _cell(row: Any) -> str:
    """A value with its interval and number of facts, where there are any."""
    text = f"{row.value:.3g}"
    if row.low == row.low and row.high == row.high:
        text += f" [{row.low:.3g}, {row.high:.3g}]"
    return text if row.kind == "reported" else f"{text}, n = {int(row.facts)}"


def wide_table(table: pd.DataFrame) -> pd.DataFrame:
    """A row per quantity, a column of text per model; the paper's columns come first and say so."""
    names = {"reported": "paper", "this study": "this study"}
    columns = [
        f"{name}: {m}" for kind, name in names.items() for m in table.loc[table["kind"] == kind, "model"].unique()
    ]
    cells: dict[str, dict[str, str]] = {}
    for row in table.itertuples(index=False):
        if row.value == row.value:
            cells.setdefault(row.quantity, {})[f"{names[row.kind]}: {row.model}"] = _cell(row)
    return pd.DataFrame.from_dict(cells, orient="index", columns=columns).rename_axis(index="quantity")


def main(
    reported: Annotated[Path, Option(help="reported_results.yaml")],
    model: flags.Folders,
    experiment: flags.Experiments,
    output: flags.Output,
) -> None:
    """Write the CSV, a row per quantity and model, and beside it in Markdown and LaTeX a row per quantity."""
    table = side_by_side(reported, compared_by_model(model, experiment))
    caption = "The paper's numbers beside this study's own, which have bootstrap intervals over subjects."
    save(table, wide_table(table), caption, output)
