"""The data of the neuron explorer, which shows one model's facts, neurons and components (docs/explorer.md).

The data are computed from the model's stored tables alone. The page only draws and replays them: every number in it
comes from this module. BDC is short for base degenerate component, KN for knowledge neuron.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from dkn.pages.choice import Choice
from dkn.pages.filtration import Merging, bars, colour_slots, merging
from dkn.plain_text import isolated
from dkn.structure.dendrogram import matrix_of_pairs
from dkn.structure.ntc import NTCSettings
from dkn.structure.short_edges import short_edges, union_by_rank
from dkn.study.names import CONTROL, NTC

LONGEST_COMPONENTS, LONGEST_LOOPS = 30, 12  # the most bars that are shown of each kind
SPREAD = 0.8  # the share of the room between two layers that the neurons of a layer take
LONE = "it is the fact's only candidate, and of such facts none is kept"
DIGITS = 6  # significant digits of a number in the page


@dataclass(frozen=True)
class Tables:
    """One model's stored tables.

    Attributes:
        facts: the columns of ``schemas.FACTS`` and ``schemas.KNOWN``.
        neurons, distances, diagrams: the columns of ``schemas.KNOWLEDGE_NEURONS``, ``DISTANCES`` and ``DIAGRAMS``.
        components: NTC's tested components, with the columns of ``schemas.COMPONENTS``.
        records: the records of NTC's degeneracy experiment, with the columns of ``schemas.DEGENERACY``.
    """

    facts: pd.DataFrame
    neurons: pd.DataFrame
    distances: pd.DataFrame
    diagrams: pd.DataFrame
    components: pd.DataFrame
    records: pd.DataFrame

    def of_facts(self, fact_ids: Collection[str]) -> Mapping[str, Tables]:
        """Return the tables of each of some facts, by fact id; a table without rows of a fact is empty for it."""
        names = list(vars(self))
        by_fact = {}
        for name in names:
            frame = getattr(self, name)
            by_fact[name] = dict(list(frame[frame["fact_id"].isin(fact_ids)].groupby("fact_id")))
        empty = {name: getattr(self, name).iloc[:0] for name in names}
        return {fact: Tables(**{name: by_fact[name].get(fact, empty[name]) for name in names}) for fact in fact_ids}


@dataclass(frozen=True)
class Settings:
    """The settings of the page.

    Attributes:
        ntc: the settings of NTC.
        test: the functional test: ``sufficiency``, ``absolute`` or ``compensation``.
        tau2: its threshold.
        facts: how many facts the page shows; None for all.
        seed: the seed of the study.
        lone: ``left-out`` where the functional test keeps nothing of a fact with one candidate, else ``tested``.
    """

    ntc: NTCSettings
    test: str
    tau2: float
    facts: int | None
    seed: int
    lone: str = "tested"


def number(value: float) -> float | None:
    """Return a number as the page holds it: rounded to ``DIGITS``, or None where it is not finite."""
    return float(f"{value:.{DIGITS}g}") if isfinite(value) else None


def percent(value: float) -> str:
    """Return a share in words, as a percentage."""
    return f"{100 * value:.4g} %"


def neuron_columns(neurons: pd.DataFrame) -> dict[str, list[Any]]:
    """Return the columns of a fact's neurons, in the order of their places.

    Args:
        neurons: the columns of ``schemas.KNOWLEDGE_NEURONS``, of one fact.
    Returns:
        layer, neuron, score, share (the score relative to the fact's largest) and across (the neuron's horizontal
        position in the drawing, beside the others of its layer, in units of layers).
    """
    frame = neurons.sort_values("place")
    layers = frame.sort_values(["layer", "neuron"]).groupby("layer")["place"]
    rank = (layers.cumcount() + 0.5) / layers.transform("size") - 0.5
    return {
        "layer": frame["layer"].tolist(),
        "neuron": frame["neuron"].tolist(),
        "score": [number(score) for score in frame["score"]],
        "share": [number(share) for share in frame["score"] / frame["score"].max()],
        "across": [number(x) for x in frame["layer"] + SPREAD * rank.reindex(frame.index)],
    }


def ordered_components(components: pd.DataFrame) -> pd.DataFrame:
    """Return tested components with names, the base degenerate ones first, in the order of the experiments' numbers.

    Args:
        components: the columns of ``schemas.COMPONENTS``, of one fact.
    """
    frame = components.sort_values(["kept", "component"], ascending=[False, True], ignore_index=True)
    count = frame.groupby("kept").cumcount() + 1
    return frame.assign(name=np.where(frame["kept"], "BDC ", "failed ") + count.astype(str))


def verdict(component: pd.Series, settings: Settings) -> str:
    """Return in words why the functional test kept a component or did not.

    Args:
        component: a row with the columns of ``schemas.COMPONENTS``.
        settings: the functional test and its threshold.
    """
    if settings.test == "compensation":
        return (
            f"suppressed alone, it lowers Prob by {percent(component['drop'])}; "
            f"less than {percent(settings.tau2)} is required"
        )
    if settings.test == "absolute":
        alone = percent(component["prob_only_component"])
        return f"with it alone Prob is {alone}; more than {percent(settings.tau2)} is required"
    if pd.isna(component["recovery"]):
        return "suppressing all knowledge neurons does not lower Prob, so nothing can be brought back"
    share = percent(component["recovery"])
    return f"alone it brings back {share} of the loss; more than {percent(settings.tau2)} is required"


def loss(components: pd.DataFrame) -> str:
    """Return in words what a fact loses without its knowledge neurons, of which a component brings back a share.

    Args:
        components: the columns of ``schemas.COMPONENTS``, of one fact; without rows nothing is said.
    """
    if components.empty:
        return ""
    before, after = (float(components[name].iloc[0]) for name in ("prob_intact", "prob_all_suppressed"))
    change = f"Prob from {percent(before)} to {percent(after)}"
    if after >= before:
        return f"Suppressing all knowledge neurons moves {change}: there is no loss."
    return f"Suppressing all knowledge neurons lowers {change}: the loss is {percent(1 - after / before)} of Prob."


def component_rows(components: pd.DataFrame, settings: Settings) -> list[dict[str, Any]]:
    """Return the rows of the page's table of components.

    Args:
        components: as ``ordered_components`` returns them.
        settings: the functional test and its threshold.
    """
    lone = settings.lone == "left-out" and len(components) < 2
    return [
        {
            "name": row["name"],
            "kept": bool(row["kept"]),
            "places": row["places"].tolist(),
            "birth": number(row["birth"]),
            "death": number(row["death"]),
            "persistence": number(row["persistence"]),
            "alone": number(row["prob_only_component"]),
            "verdict": LONE if lone else verdict(row, settings),
        }
        for _, row in components.iterrows()
    ]


def filtration_data(tables: Tables, components: pd.DataFrame, settings: NTCSettings) -> dict[str, Any] | None:
    """Return what the page needs to replay a fact's filtration; None where no two neurons are at a finite distance.

    Args:
        tables: the tables of one fact.
        components: its tested components, as ``ordered_components`` returns them.
        settings: the settings of NTC.
    Returns:
        Data for JSON. Among them, ``merges`` are triples of left node, right node (as in ``Dendrogram``) and step;
        ``components`` are the merges that make the tested components; and ``ruler`` is the birth of a bar that dies at
        the limit with a persistence equal to the threshold.
    """
    if tables.distances.empty:
        return None
    matrix = matrix_of_pairs(len(tables.neurons), tables.distances)
    replay = merging(matrix, settings.quantile)
    if settings.clustering == "short-edges":
        return _short_edges_data(matrix, replay, components, settings)
    merges = [replay.merge_of(places) for places in components["places"]]
    tested = {tuple(places.tolist()): index for index, places in enumerate(components["places"])}
    living, threshold = bars(matrix, settings, tested)
    loops = tables.diagrams[tables.diagrams["dimension"] == 1]
    ratio = settings.persistence == "ratio"
    return {
        "radii": [number(radius) for radius in replay.radii],
        "merges": np.column_stack([replay.tree.children, replay.step]).tolist(),
        "slots": colour_slots(replay.tree, merges),
        "components": merges,
        "limit": number(replay.limit),
        "limitStep": replay.limit_step,
        "threshold": number(threshold),
        "ruler": number(replay.limit * (np.exp(-threshold) if ratio else 1 - threshold)),
        "bars": [
            [number(row.birth), number(row.death), row.neurons, row.component, row.reason]
            for row in _longest(living).itertuples(index=False)
        ],
        "living": len(living),
        "loops": [[number(birth), number(death)] for birth, death in _longest_loops(loops, replay.limit)],
        "allLoops": len(loops),
    }


def _short_edges_data(
    matrix: np.ndarray, replay: Merging, components: pd.DataFrame, settings: NTCSettings
) -> dict[str, Any]:
    """Return the same where the released code clustered: the bars are its clusters, as far as they were tested.

    The clusters end at the longest short edge, ``limit``, and must last longer than the median birth, ``threshold``.
    The slider's mark, ``limitStep``, is at the longest edge that joins. The released code looks for no loops.
    """
    edges = short_edges(matrix, settings.quantile)
    joined = edges[: len(edges) // 2]
    limit = edges[-1][0] if edges else replay.limit
    threshold = float(np.median(union_by_rank(len(matrix), joined)[1]))
    merges = [replay.merge_over(places) for places in components["places"]]
    of_last = np.searchsorted(replay.radii, joined[-1][0], side="right") if joined else 0
    rows = components.assign(component=components.index).sort_values(["birth", "component"], ascending=False)
    return {
        "radii": [number(radius) for radius in replay.radii],
        "merges": np.column_stack([replay.tree.children, replay.step]).tolist(),
        "slots": colour_slots(replay.tree, merges),
        "components": merges,
        "limit": number(limit),
        "limitStep": int(of_last),
        "threshold": number(threshold),
        "ruler": number(limit - threshold),
        "bars": [
            [number(row.birth), number(row.death), len(row.places), row.component, ""]
            for row in rows.itertuples(index=False)
        ],
        "living": len(rows),
        "loops": [],
        "allLoops": 0,
    }


def _longest(living: pd.DataFrame) -> pd.DataFrame:
    """Return the longest bars, tested components before others, in the order of the drawing: the last born first."""
    frame = living.assign(other=living["component"] < 0, length=living["death"] - living["birth"])
    shown = frame.sort_values(["other", "length"], ascending=[True, False], kind="stable").head(LONGEST_COMPONENTS)
    return shown.sort_values(["birth", "death"], ascending=False, kind="stable").drop(columns=["other", "length"])


def _longest_loops(loops: pd.DataFrame, limit: float) -> np.ndarray:
    """Return (loops, 2) births and deaths of the longest loops, the last born first; a death may be infinite."""
    length = loops["death"].clip(upper=limit) - loops["birth"]
    shown = loops.loc[length.sort_values(ascending=False, kind="stable").index[:LONGEST_LOOPS]]
    return shown.sort_values(["birth", "death"], ascending=False)[["birth", "death"]].to_numpy()


def suppression_data(tables: Tables, components: pd.DataFrame) -> dict[str, Any] | None:
    """Return Prob before and after suppressing each BDC, all BDCs, and all KNs; None for a fact without components.

    Each BDC, and all of them together, stand beside random sets of the same size, one per draw. Only facts with two or
    more BDCs have them, because the degeneracy experiment draws them.

    Args:
        tables: the tables of one fact.
        components: its tested components, as ``ordered_components`` returns them.
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

    def row(name: str, component: int | None, neurons: int, prob: float, subset: tuple[int, ...]) -> dict[str, Any]:
        return {
            "name": name,
            "component": component,
            "neurons": neurons,
            **_after(before, prob),
            "random": [_after(before, drawn) for drawn in random.get(subset, [])],
        }

    rows = [
        row(component["name"], index, len(component["places"]), component["prob_without_component"], (index,))
        for index, (_, component) in enumerate(kept.iterrows())
    ]
    whole = records[(records["grouping"] == NTC) & (records["suppressed_components"] == records["components"])]
    for _, record in whole.iterrows():
        prob = float(np.exp(record["log_prob_after"]))
        rows.append(row("all BDCs", None, record["suppressed_neurons"], prob, tuple(record["suppressed"])))
    rows.append(row("all KNs", None, len(tables.neurons), float(components["prob_all_suppressed"].iloc[0]), ()))
    return {"before": number(before), "rows": rows}


def _after(before: float, prob: float) -> dict[str, float | None]:
    """Return Prob after a suppression, its drop in per cent of Prob before, and the loss of log Prob in nats."""
    with np.errstate(divide="ignore"):
        nats = float(np.log(before) - np.log(prob))
    return {"prob": number(prob), "drop": number(100 * (before - prob) / before), "nats": number(nats)}


def fact_data(tables: Tables, settings: Settings) -> dict[str, Any]:
    """Return everything that the page shows of one fact.

    Args:
        tables: the tables of the fact.
        settings: the settings of the page.
    """
    fact = tables.facts.iloc[0]
    components = ordered_components(tables.components)
    return {
        "id": fact["fact_id"],
        **{name: isolated(fact[name]) for name in ("prompt", "answer", "subject", "relation")},
        "known": bool(fact["known"]),
        "prob": number(fact["prob"]),
        "neurons": neuron_columns(tables.neurons),
        "loss": loss(components),
        "components": component_rows(components, settings),
        "filtration": filtration_data(tables, components, settings.ntc),
        "suppression": suppression_data(tables, components),
    }


def explorer_data(tables: Tables, settings: Settings, choice: Choice | None = None) -> dict[str, Any]:
    """Return the data of the page: the chosen facts by subject, counts of facts, and the settings that the page states.

    Args:
        tables: the model's tables, whole or of the chosen facts.
        settings: the settings of the page.
        choice: the chosen facts; where it is not given, the tables are whole and the facts are chosen here.
    """
    choice = choice or Choice.of(tables.neurons, tables.components, len(tables.facts), settings.facts, settings.seed)
    facts = [fact_data(tables_of_fact, settings) for tables_of_fact in tables.of_facts(choice.shown).values()]
    return {
        "layers": choice.layers,
        "settings": {**_stated(settings.ntc), "test": settings.test, "tau2": settings.tau2},
        "counts": {
            "shown": len(choice.shown),
            "degenerateShown": len(set(choice.degenerate).intersection(choice.shown)),
            "attributed": choice.attributed,
            "degenerate": len(choice.degenerate),
            "facts": choice.facts,
            "seed": settings.seed,
        },
        "facts": sorted(facts, key=lambda fact: (fact["subject"], fact["id"])),
    }


def _stated(ntc: NTCSettings) -> dict[str, Any]:
    """Return the settings of NTC as the page takes them; the released code's clustering knows no ratio."""
    return {**vars(ntc), **({"persistence": "difference"} if ntc.clustering == "short-edges" else {})}


def model_description(name: str, record: Mapping[str, Any], parameters: int) -> str:
    """Return what the model is, in a sentence or two.

    A nano model is called one, so that nobody takes its neurons for those of the model whose architecture it has.

    Args:
        name: the name of the model in the study.
        record: the provenance record of its folder.
        parameters: its number of parameters.
    """
    size = f"{parameters:,} parameters"
    settings = record["settings"]
    if record["stage"] != "model-trained":
        return f"{name} is a pretrained model of {size}."
    layers, width, architecture = settings["layers"], settings["width"], settings["architecture"]
    return (
        f"{name} is a nano model: {layers} layers of width {width} in the {architecture} architecture, {size}, trained "
        "by this study on the study's own facts. It is no pretrained language model, and what is seen here need not "
        "hold for one."
    )
