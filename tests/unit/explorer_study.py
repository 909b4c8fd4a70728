"""Stored tables of a small study, made by hand, whose every merge is known; for the explorer's tests.

``clear``: layers 0 0 1 1 2. Its pairs merge {0, 2} at 1, {1, 3} at 2, 4 to the first at 3, and everything at 5. At the
quantile 0.4 of its six distances the filtration stops at 3. {0, 2} and {1, 3} are BDCs. ``plain`` has the same neurons
and only {1, 3} as BDC. ``alone`` has two neurons in one layer, so no distance. ``unasked`` has no neurons.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dkn.pages.explorer import Settings, Tables
from dkn.structure.ntc import NTCSettings

HOSTILE = "</script><script>window.broken = true</script><img src=x onerror='window.broken = true'> <b>is"
PAIRS = [(0, 2, 1.0), (1, 3, 2.0), (2, 4, 3.0), (0, 3, 5.0), (1, 2, 6.0), (0, 4, 9.0)]
SETTINGS = Settings(NTCSettings("difference", 0.05, 0.4, 2), "sufficiency", 0.1, None, 0)
BEFORE, WITHOUT, SUPPRESSED = 0.8, (0.72, 0.76), 0.2
BOTH, RANDOM = 0.4, {(0,): (0.79, 0.78), (1,): (0.77, 0.7), (0, 1): (0.6, 0.5)}


def _facts() -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "fact_id": ["clear", "plain", "alone", "unasked"],
            "subject": ["B", "A", "C", "D"],
            "relation": "P1",
            "prompt": ["The capital of B is", f"A {HOSTILE}", "C is", "D is"],
            "answer": ["Paris", "Rome", "Oslo", "Bern"],
            "known": [True, True, True, False],
            "prob": [BEFORE, BEFORE, 0.5, 0.1],
        }
    )
    return frame.assign(split="test", date=None)


def _neurons() -> pd.DataFrame:
    five = pd.DataFrame(
        {"place": range(5), "layer": [0, 0, 1, 1, 2], "neuron": [8, 7, 5, 6, 3], "score": [0.2, 0.1, 0.4, 0.1, 0.3]}
    )
    two = pd.DataFrame({"place": range(2), "layer": [1, 1], "neuron": [1, 2], "score": [0.1, 0.1]})
    return pd.concat([five.assign(fact_id="clear"), five.assign(fact_id="plain"), two.assign(fact_id="alone")])


def _components() -> pd.DataFrame:
    def of(fact: str, kept: list[bool], recovery: list[float]) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "fact_id": fact,
                "repeat": 0,
                "component": [0, 1],
                "places": [np.array([0, 2]), np.array([1, 3])],
                "birth": [1.0, 2.0],
                "death": 3.0,
                "persistence": [2 / 3, 1 / 3],
                "prob_intact": BEFORE,
                "prob_all_suppressed": SUPPRESSED,
                "prob_only_component": [0.4, 0.25],
                "prob_without_component": WITHOUT,
                "recovery": recovery,
                "drop": [0.1, 0.05],
                "kept": kept,
            }
        )

    return pd.concat([of("clear", [True, True], [1 / 3, 1 / 8]), of("plain", [False, True], [0.05, 1 / 8])])


def _records() -> pd.DataFrame:
    rows = []
    for selection in ("bdc", "candidate"):  # the second must not be looked at: its Prob is not the first's
        scale = 1.0 if selection == "bdc" else 0.5
        for subset, prob in {(0,): WITHOUT[0], (1,): WITHOUT[1], (0, 1): BOTH}.items():
            rows.append((selection, "ntc", 0, subset, scale * prob))
            rows += [(selection, "random-partition", n, subset, scale * p) for n, p in enumerate(RANDOM[subset])]
    frame = pd.DataFrame(rows, columns=["selection", "grouping", "repeat", "suppressed", "prob"])
    return frame.assign(
        fact_id="clear",
        components=2,
        suppressed=frame["suppressed"].map(np.array),
        suppressed_components=frame["suppressed"].map(len),
        suppressed_neurons=2 * frame["suppressed"].map(len),
        log_prob_before=np.log(BEFORE),
        log_prob_after=np.log(frame["prob"]),
    )


def study() -> Tables:
    """All tables of the study's one model."""
    pairs = pd.DataFrame(PAIRS, columns=["first", "second", "distance"])
    loops = pd.DataFrame({"fact_id": "clear", "dimension": 1, "birth": [2.0, 2.5], "death": [2.2, np.inf]})
    points = pd.DataFrame({"fact_id": "clear", "dimension": 0, "birth": 0.0, "death": [1.0, 2.0, 3.0, np.inf, np.inf]})
    return Tables(
        facts=_facts(),
        neurons=_neurons(),
        distances=pd.concat([pairs.assign(fact_id="clear"), pairs.assign(fact_id="plain")]),
        diagrams=pd.concat([loops, points]),
        components=_components(),
        records=_records(),
    )
