"""Changes of neurons by a training that was never run, and random sets to compare with them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dkn.experiments.overlap import PARTS, OverlapSettings
from dkn.neurons.sets import NeuronSet
from dkn.statistics.inference import StatisticsSettings

LAYERS, NEURONS, FACTS = 4, 60, 24
SETTINGS = OverlapSettings(draws=10, seed=0)
STATISTICS = StatisticsSettings(resamples=2000, confidence=0.95, seed=0)


def random_sets(size: int, seed: int) -> dict[str, NeuronSet]:
    """Per fact a random set."""
    draw = np.random.default_rng(seed)
    flat = [draw.choice(LAYERS * NEURONS, size, replace=False) for _ in range(FACTS)]
    return {f"f{number}": NeuronSet(part // NEURONS, part % NEURONS) for number, part in enumerate(flat)}


def changes_table(changed: NeuronSet | None, seed: int = 0) -> pd.DataFrame:
    """Random changes of every neuron, and far larger ones of some; rows in any order."""
    draw = np.random.default_rng(seed)
    rows = pd.DataFrame(
        [(layer, neuron) for layer in range(LAYERS) for neuron in range(NEURONS)], columns=["layer", "neuron"]
    )
    for part in (*PARTS, "activation"):
        rows[part] = draw.random(len(rows))
    if changed is not None:
        rows.loc[changed.layers * NEURONS + changed.neurons, list(PARTS)] += 1.0
    return rows.sample(frac=1, random_state=seed)


FACTS_TABLE = pd.DataFrame({"fact_id": [f"f{n}" for n in range(FACTS)], "subject": [f"s{n}" for n in range(FACTS)]})
FACTS_TABLE = FACTS_TABLE.assign(relation="P1")
