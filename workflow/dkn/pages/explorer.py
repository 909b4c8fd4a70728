"""What the neuron explorer shows of one model, from its stored tables alone (docs/explorer.md).

The page draws and replays; every number in it is computed here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from dkn.pages.filtration import bars, colour_slots, merging
from dkn.randomness import generator
from dkn.structure.dendrogram import matrix_of_pairs
from dkn.structure.ntc import NTCSettings
from dkn.study.names import CONTROL, NTC

LONGEST_COMPONENTS, LONGEST_LOOPS = 30, 12  # bars shown of each dimension
SPREAD = 0.8  # of the room between two layers, taken by the neurons of one
DIGITS = 6  # of a number in the page


@dataclass(frozen=True)
class Tables:
    """One model's stored tables; facts are joined with known."""

    facts: pd.DataFrame
    neurons: pd.DataFrame
    distances: pd.DataFrame
    diagrams: pd.DataFrame
    components: pd.DataFrame
    records: pd.DataFrame

    def of_facts(self, fact_ids: Collection[str]) -> Mapping[str, Tables]:
        """The same tables for each of these facts alone."""
        names = list(vars(self))
        parts = {}
        for name in names:
            frame = getattr(self, name)
            parts[name] = dict(list(frame[frame["fact_id"].isin(fact_ids)].groupby("fact_id")))
        empty = {name: getattr(self, name).iloc[:0] for name in names}
        return {fact: Tables(**{name: parts[name].get(fact, empty[name]) for name in names}) for fact in fact_ids}


@dataclass(frozen=True)
class Settings:
    """NTC's settings, the functional test with its threshold, how many facts the page shows (None: all), the seed."""

    ntc: NTCSettings
    test: str
    tau2: float
    facts: int | None
    seed: int


def number(value: float) -> float | None:
    """A number as the page holds it: a few digits, and nothing where it is not finite."""
    return float(f"{value:.{DIGITS}g}") if isfinite(value) else None


def percent(value: float) -> str:
    """A share in words."""
    return f"{100 * value:.4g} %"


def choose_facts(fact_ids: Collection[str], degenerate: Collection[str], count: int | None, seed: int) -> list[str]:
    """A sample, half of it degenerate facts as far as there are any, drawn by seed and fact; ascending."""
    if count is None or len(fact_ids) <= count:
        return sorted(fact_ids)
    order = sorted(fact_ids, key=lambda fact: (generator(seed, "explorer", fact).random(), fact))
    chosen = [fact for fact in order if fact in degenerate]
    others = [fact for fact in order if fact not in degenerate]
    taken = min(len(chosen), max(count - count // 2, count - len(others)))
    return sorted(chosen[:taken] + others[: count - taken])


def neuron_columns(neurons: pd.DataFrame) -> dict[str, list[Any]]:
    """A fact's neurons in the order of their places; ``across`` is where they stand: beside each other in their layer.

    ``share`` is the score relative to the fact's largest.
    """
    frame = neurons.sort_values("place")
    layers = frame.sort_values(["layer", "neuron"]).groupby("layer")["place"]
    rank = (layers.cumcount() + 0.5) / layers.transform("size") - 0.5
    return {
        "layer": frame["layer"].tolist(),
        "neuron": frame["neuron"].tolist(),
        "score": [number(score) for score in frame["score"]],
        "share": [number(share) for share in frame["score"] / frame["score"].max()],
        "across": [number(place) for place in frame["layer"] + SPREAD * rank.reindex(frame.index)],
    }


def ordered_components(components: pd.DataFrame) -> pd.DataFrame:
    """The tested components, named, base degenerate ones first: in the order in which experiments number these."""
    frame = components.sort_values(["kept", "component"], ascending=[False, True], ignore_index=True)
    count = frame.groupby("kept").cumcount() + 1
    return frame.assign(name=np.where(frame["kept"], "BDC ", "failed ") + count.astype(str))


def verdict(component: pd.Series, settings: Settings) -> str:
    """Why the functional test kept a component or did not."""
    if settings.test == "compensation":
        return (
            f"suppressed alone, it lowers Prob by {percent(component['drop'])}; under {percent(settings.tau2)} is asked"
        )
    if pd.isna(component["recovery"]):
        return "suppressing all knowledge neurons does not lower Prob, so nothing can be brought back"
    share = percent(component["recovery"])
    return f"alone it brings back {share} of the loss; more than {percent(settings.tau2)} is asked"


def component_rows(components: pd.DataFrame, settings: Settings) -> list[dict[str, Any]]:
    """The table of tested components, from ``ordered_components``."""
    return [
        {
            "name": row["name"],
            "kept": bool(row["kept"]),
            "places": row["places"].tolist(),
            "birth": number(row["birth"]),
            "death": number(row["death"]),
            "persistence": number(row["persistence"]),
            "alone": number(row["prob_only_component"]),
            "verdict": verdict(row, settings),
        }
        for _, row in components.iterrows()
    ]


def filtration_data(tables: Tables, components: pd.DataFrame, settings: NTCSettings) -> dict[str, Any] | None:
    """Merges by step and the barcode; None where no two neurons are at a finite distance.

    ``merges`` are (left, right, step): nodes as in ``Dendrogram``. ``components`` are the tested components'
    merges. ``ruler`` is where a bar begins that ends at the limit and has no more persistence than the threshold.
    """
    if tables.distances.empty:
        return None
    matrix = matrix_of_pairs(len(tables.neurons), tables.distances)
    found = merging(matrix, settings.quantile)
    merges = [found.merge_of(places) for places in components["places"]]
    tested = {tuple(places.tolist()): place for place, places in enumerate(components["places"])}
    living, threshold = bars(matrix, settings, tested)
    loops = tables.diagrams[tables.diagrams["dimension"] == 1]
    ratio = settings.persistence == "ratio"
    return {
        "radii": [number(radius) for radius in found.radii],
        "merges": np.column_stack([found.tree.children, found.step]).tolist(),
        "slots": colour_slots(found.tree, merges),
        "components": merges,
        "limit": number(found.limit),
        "limitStep": found.limit_step,
        "threshold": number(threshold),
        "ruler": number(found.limit * (np.exp(-threshold) if ratio else 1 - threshold)),
        "bars": [
            [number(row.birth), number(row.death), row.neurons, row.component, row.reason]
            for row in _longest(living).itertuples(index=False)
        ],
        "living": len(living),
        "loops": [[number(birth), number(death)] for birth, death in _longest_loops(loops, found.limit)],
        "allLoops": len(loops),
    }


def _longest(living: pd.DataFrame) -> pd.DataFrame:
    """The longest bars, tested components before others, in the order in which they are drawn: last born first."""
    frame = living.assign(other=living["component"] < 0, length=living["death"] - living["birth"])
    shown = frame.sort_values(["other", "length"], ascending=[True, False], kind="stable").head(LONGEST_COMPONENTS)
    return shown.sort_values(["birth", "death"], ascending=False, kind="stable").drop(columns=["other", "length"])


def _longest_loops(loops: pd.DataFrame, limit: float) -> np.ndarray:
    """(shown, 2) births and deaths of the longest loops, last born first; infinite where a loop is never filled."""
    length = loops["death"].clip(upper=limit) - loops["birth"]
    shown = loops.loc[length.sort_values(ascending=False, kind="stable").index[:LONGEST_LOOPS]]
    return shown.sort_values(["birth", "death"], ascending=False)[["birth", "death"]].to_numpy()


def suppression_data(tables: Tables, components: pd.DataFrame) -> dict[str, Any] | None:
    """Prob before, and after suppressing each BDC, all BDCs, and all knowledge neurons; None for an untested fact.

    Beside each BDC, and all of them, the random sets of the same size, one per draw. The experiment that draws them
    takes facts with two or more BDCs.
    """
    if components.empty:
        return None
    before = float(components["prob_intact"].iloc[0])
    kept = components[components["kept"]]
    records = tables.records[tables.records["selection"] == "bdc"]
    random = {
        tuple(subset): np.exp(group.sort_values("repeat")["log_prob_after"]).tolist()
        for subset, group in records[records["grouping"] == CONTROL].groupby(records["suppressed"].map(tuple))
    }

    def row(name: str, part: int | None, neurons: int, prob: float, subset: tuple[int, ...]) -> dict[str, Any]:
        return {
            "name": name,
            "component": part,
            "neurons": neurons,
            **_after(before, prob),
            "random": [_after(before, drawn) for drawn in random.get(subset, [])],
        }

    rows = [
        row(part["name"], place, len(part["places"]), part["prob_without_component"], (place,))
        for place, (_, part) in enumerate(kept.iterrows())
    ]
    whole = records[(records["grouping"] == NTC) & (records["suppressed_components"] == records["components"])]
    for _, record in whole.iterrows():
        prob = float(np.exp(record["log_prob_after"]))
        rows.append(row("all BDCs", None, record["suppressed_neurons"], prob, tuple(record["suppressed"])))
    rows.append(row("all KNs", None, len(tables.neurons), float(components["prob_all_suppressed"].iloc[0]), ()))
    return {"before": number(before), "rows": rows}


def _after(before: float, prob: float) -> dict[str, float | None]:
    """Prob after a suppression; the drop in per cent of Prob before; what log Prob lost, in nats."""
    with np.errstate(divide="ignore"):
        nats = float(np.log(before) - np.log(prob))
    return {"prob": number(prob), "drop": number(100 * (before - prob) / before), "nats": number(nats)}


def fact_data(tables: Tables, settings: Settings) -> dict[str, Any]:
    """Everything that the page shows of one fact, from the rows of its tables."""
    fact = tables.facts.iloc[0]
    components = ordered_components(tables.components)
    return {
        "id": fact["fact_id"],
        "prompt": fact["prompt"],
        "answer": fact["answer"],
        "subject": fact["subject"],
        "relation": fact["relation"],
        "known": bool(fact["known"]),
        "prob": number(fact["prob"]),
        "neurons": neuron_columns(tables.neurons),
        "components": component_rows(components, settings),
        "filtration": filtration_data(tables, components, settings.ntc),
        "suppression": suppression_data(tables, components),
    }


def explorer_data(tables: Tables, settings: Settings) -> dict[str, Any]:
    """The page's data: the chosen facts by subject, how many of how many they are, and the settings that it states."""
    bdcs = tables.components.groupby("fact_id")["kept"].sum()
    degenerate = set(bdcs.index[bdcs >= 2])
    attributed = set(tables.neurons["fact_id"])
    chosen = choose_facts(attributed, degenerate, settings.facts, settings.seed)
    facts = [fact_data(part, settings) for part in tables.of_facts(chosen).values()]
    return {
        "layers": int(tables.neurons["layer"].max()) + 1 if attributed else 0,
        "settings": {**vars(settings.ntc), "test": settings.test, "tau2": settings.tau2},
        "counts": {
            "shown": len(chosen),
            "degenerateShown": len(degenerate.intersection(chosen)),
            "attributed": len(attributed),
            "degenerate": len(degenerate),
            "facts": len(tables.facts),
            "seed": settings.seed,
        },
        "facts": sorted(facts, key=lambda fact: (fact["subject"], fact["id"])),
    }


def model_description(name: str, record: Mapping[str, Any], parameters: int) -> str:
    """One sentence on what the model is, from the provenance record of its folder.

    A nano model is called one, so that nobody takes its neurons for those of the model whose architecture it has.
    """
    size = f"{parameters:,} parameters"
    made = record["settings"]
    if record["stage"] != "model-trained":
        return f"{name} is a pretrained model of {size}."
    return (
        f"{name} is a nano model: {made['layers']} layers of width {made['width']} in the {made['architecture']} "
        f"architecture, {size}, trained by this study on the study's own facts. It is no pretrained language model, "
        "and what is seen here need not hold for one."
    )
