"""Table ``reported``: the paper's numbers beside this study's own.

Every row of the CSV is one quantity of one model. Its kind is either ``reported``, for the paper's GPT-2 and LLaMA2-7b,
or ``this study``. Every number stands under the name of the model that it was computed for (docs/method.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import yaml
from typer import Option

from dkn import flags
from dkn.study.names import DETECTORS, DKN, NONE, NTC, PERTURBATIONS, PLM, QUERY_DROP, SITES, TUNED_SETS, WITH_DKN
from dkn.study.registry import GROUPINGS
from dkn.summaries.stored import compared_by_model, only_match
from dkn.summaries.wording import bracketed
from dkn.tables.saving import save

KINDS = ("partial", "full")  # some of a fact's BDCs suppressed, and all of them
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
        part: the list of the summary that holds the estimate.
    """

    experiment: str
    label: str
    where: Mapping[str, Any]
    path: tuple[Any, ...]
    setting: str
    part: str = "estimates"


def _degeneracy() -> Iterator[Quantity]:
    for grouping in GROUPINGS:
        for kind in KINDS:
            where = {"selection": "bdc", "grouping": grouping, "metric": "drop", "kind": kind}
            label = f"{kind} drop in Prob, {grouping}"
            yield Quantity(f"degeneracy-{grouping}", label, where, (grouping, kind), "degeneracy")


def _degeneracy_by_count(counts: Sequence[int]) -> Iterator[Quantity]:
    """Yield the quantities of facts with so many BDCs each."""
    for count in counts:
        for index, kind in enumerate(KINDS):
            where = {"selection": "bdc", "grouping": NTC, "metric": "drop", "kind": kind, "components": count}
            label = f"{kind} drop in Prob, {NTC} with {count} BDCs"
            path = (count, index)
            yield Quantity(f"degeneracy-{NTC}", label, where, path, "degeneracy_by_count", "by_components")


def _perturbed(setting: str, metric: str, measure: str, names: Sequence[str]) -> Iterator[Quantity]:
    """Yield the quantities of suppression or enhancement, on one perturbed query and with one neuron set each."""
    for kind in SITES:
        for query in PERTURBATIONS:
            for index, name in enumerate(names):
                changed = QUERY_DROP if name == NONE else metric
                where = {"population": WITH_DKN, "neuron_set": name, "query": query, "metric": changed}
                label = f"{measure}, {kind} of {name}, word: {query}"
                yield Quantity(f"{setting}-{kind}", label, where, (kind, query, index), setting)


def _fact_checking() -> Iterator[Quantity]:
    for detector in DETECTORS:
        where = {"detector": detector, "wording": "triple", "metric": "f1"}
        where["neurons"] = NONE if detector == PLM else "own"
        yield Quantity(f"fact-checking-{detector}", f"F1, {detector}", where, (detector,), "fact_checking")


def _fine_tuning(names: Sequence[str]) -> Iterator[Quantity]:
    tuned = list(TUNED_SETS)
    for split in ("new", "old", "augmented"):
        for index, name in enumerate(names):
            where = {"neuron_set": name, "split": split, "metric": "accuracy"}
            label = f"accuracy on {split} facts, {name} trained"
            yield Quantity(f"fine-tuning-{tuned[index]}", label, where, (split, index), "fine_tuning")


def quantities(reported: Mapping[str, Any]) -> Iterator[Quantity]:
    """Yield all quantities.

    Args:
        reported: the content of resources/reported_results.yaml. The entry ``columns`` of a setting names the numbers
            that its lists hold, in their order.
    """
    by_count = reported["degeneracy_by_count"]
    counts = {count for model in reported["models"] for count in by_count.get(model, {})}
    yield from _degeneracy()
    yield from _degeneracy_by_count(sorted(counts))
    yield from _perturbed("suppression", "drop", "drop in Prob", reported["suppression"]["columns"])
    yield from _perturbed("enhancement", "regained", "accuracy regained", reported["enhancement"]["columns"])
    yield from _fact_checking()
    yield from _fine_tuning(reported["fine_tuning"]["columns"])
    where = {"neuron_set": DKN, "part": "both", "metric": "share"}
    yield Quantity("overlap-fine-tuning", "share of DKNs among the most changed", where, (DKN,), "overlap")


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
    rows = []
    for quantity in quantities(reported):
        reported_setting = reported[quantity.setting]
        as_printed = 1 if reported_setting["unit"] == "percent" else 100  # F1 is printed as a share
        about = {"setting": quantity.setting.replace("_", "-"), "experiment": quantity.experiment}
        about["quantity"] = f"{quantity.label} (%)"
        for key, name in reported["models"].items():
            value = _lookup(reported_setting.get(key, {}), quantity.path)
            if value is not None:
                stated = {"value": as_printed * value, "source": reported_setting["source"]}
                rows.append({**about, "kind": "reported", "model": name, **stated})
        for model, by_experiment in summaries.items():
            estimate = only_match(by_experiment.get(quantity.experiment, {}).get(quantity.part, []), quantity.where)
            if estimate is not None:
                numbers = {"value": estimate["mean"], "low": estimate["low"], "high": estimate["high"]}
                numbers = {name: None if value is None else 100 * value for name, value in numbers.items()}
                rows.append({**about, "kind": "this study", "model": model, **numbers, "facts": estimate["facts"]})
    numbers_of_rows = dict.fromkeys(("value", "low", "high", "facts"), float)  # None where an interval is undefined
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(numbers_of_rows)


def _cell(row: Any) -> str:
    """Return a value in words: the paper's as it is printed, this study's with n and with any interval."""
    if row.kind == "reported":
        return f"{row.value:g}"
    return f"{bracketed(row.value, row.low, row.high)}, n = {int(row.facts)}"


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
    caption = (
        "The paper's numbers beside this study's own, which have bootstrap intervals over subjects. All in per cent."
    )
    save(table, wide_table(table), caption, output)
