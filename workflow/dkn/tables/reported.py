"""Table ``reported``: the paper's numbers beside this study's own.

Every row of the CSV is one quantity of one model. Its kind is either ``reported``, for the paper's GPT-2 and LLaMA2-7b,
or ``this study``. Every number stands under the name of the model that it was computed for (docs/method.md).
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
        experiment: the experiment whose summary holds this study's estimate of it.
        label: what the number is, in words.
        where: the values that pick the estimate's row in the summary.
        path: the keys of the number below a model's entry of the setting in resources/reported_results.yaml.
        setting: that setting, as the file calls it.
    """

    experiment: str
    label: str
    where: Mapping[str, str]
    path: tuple[Any, ...]
    setting: str


def quantities(columns: Mapping[str, list[str]]) -> Iterator[Quantity]:
    """Yield all quantities.

    Args:
        columns: for each setting the names of the numbers that the file's lists hold, in their order.
    """
    for grouping in GROUPINGS:
        for kind in ("partial", "full"):
            where = {"selection": "bdc", "grouping": grouping, "metric": "drop", "kind": kind}
            label = f"{kind} drop in Prob, {grouping}"
            yield Quantity(f"degeneracy-{grouping}", label, where, (grouping, kind), "degeneracy")
    for setting, metric, measure in (
        ("suppression", "drop", "drop in Prob"),
        ("enhancement", "regained", "accuracy regained"),
    ):
        for kind in SITES:
            for query in PERTURBATIONS:
                for index, name in enumerate(columns[setting]):
                    where = {"neuron_set": name, "query": query, "metric": metric}
                    label = f"{measure}, {kind} of {name}, word: {query}"
                    yield Quantity(f"{setting}-{kind}", label, where, (kind, query, index), setting)
    for detector in DETECTORS:
        where = {"detector": detector, "wording": "triple", "metric": "f1"}
        where["neurons"] = "none" if detector == "plm" else "own"
        yield Quantity(f"fact-checking-{detector}", f"F1, {detector}", where, (detector,), "fact_checking")
    tuned = list(TUNED_SETS)
    for split in ("new", "old", "augmented"):
        for index, name in enumerate(columns["fine_tuning"]):
            where = {"neuron_set": name, "split": split, "metric": "accuracy"}
            label = f"accuracy on {split} facts, {name} trained"
            yield Quantity(f"fine-tuning-{tuned[index]}", label, where, (split, index), "fine_tuning")
    where = {"neuron_set": "dkn", "part": "both", "metric": "share"}
    yield Quantity("overlap-fine-tuning", "share of DKNs among the most changed", where, ("dkn",), "overlap")


def _lookup(tree: Any, path: tuple[Any, ...]) -> float | None:
    """Return the number at a path of keys, or None where the paper has none."""
    for key in path:
        try:
            tree = tree[key]
        except (KeyError, IndexError):
            return None
    return float(tree)


def side_by_side(path: Path, summaries: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """Return the paper's numbers and this study's: one row per quantity and model.

    Args:
        path: resources/reported_results.yaml.
        summaries: the study's summaries by model and experiment; what it has not run has no row.
    Returns:
        The columns ``COLUMNS``.
    Raises:
        ValueError: several estimates of a summary match one quantity.
    """
    reported = yaml.safe_load(path.read_text(encoding="utf-8"))
    columns = {
        setting: reported_setting["columns"]
        for setting, reported_setting in reported.items()
        if "columns" in reported_setting
    }
    rows = []
    for quantity in quantities(columns):
        reported_setting = reported[quantity.setting]
        scale = 100 if reported_setting["unit"] == "percent" else 1
        about = {"setting": quantity.setting.replace("_", "-"), "experiment": quantity.experiment}
        about["quantity"] = quantity.label + (" (%)" if scale == 100 else "")
        for key, name in reported["models"].items():
            value = _lookup(reported_setting.get(key, {}), quantity.path)
            if value is not None:
                rows.append(
                    {**about, "kind": "reported", "model": name, "value": value, "source": reported_setting["source"]}
                )
        for model, by_experiment in summaries.items():
            estimate = only_match(by_experiment.get(quantity.experiment, {}).get("estimates", []), quantity.where)
            if estimate is not None:
                numbers = {"value": estimate["mean"], "low": estimate["low"], "high": estimate["high"]}
                numbers = {name: None if value is None else scale * value for name, value in numbers.items()}
                rows.append({**about, "kind": "this study", "model": model, **numbers, "facts": estimate["facts"]})
    numbers_of_rows = dict.fromkeys(("value", "low", "high", "facts"), float)  # None where an interval is undefined
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(numbers_of_rows)


def _cell(row: Any) -> str:
    """Return a value in words, with its interval if there is one, and with n if it is this study's."""
    text = f"{row.value:.3g}"
    if row.low == row.low and row.high == row.high:
        text += f" [{row.low:.3g}, {row.high:.3g}]"
    return text if row.kind == "reported" else f"{text}, n = {int(row.facts)}"


def wide_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table for readers: a row per quantity, and a column of text per model, the paper's models first.

    Args:
        table: as ``side_by_side`` returns it.
    """
    names = {"reported": "paper", "this study": "this study"}
    columns = [
        f"{name}: {model}"
        for kind, name in names.items()
        for model in table.loc[table["kind"] == kind, "model"].unique()
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
    output: flags.Csv,
) -> None:
    """Write the CSV with a row per quantity and model; Markdown and LaTeX have a row per quantity."""
    table = side_by_side(reported, compared_by_model(model, experiment))
    caption = "The paper's numbers beside this study's own, which have bootstrap intervals over subjects."
    save(table, wide_table(table), caption, output)
