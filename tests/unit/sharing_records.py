"""Records of experiment sharing, made by hand, with planted effects or without any."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from dkn.storage.schemas import SHARING, SHARING_MEMBERS
from dkn.study.names import ASKED_FACTS, BDC, KINDS_OF_FACTS, KN_MATCHED, RANDOM

EQUAL = {BDC: 0.2, KN_MATCHED: 0.2, RANDOM: 0.2}
NO_COST = dict.fromkeys(ASKED_FACTS, 0.0)


def made_records(
    subjects: int, seed: int, shares: dict[str, float], costs: dict[str, float]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two BDCs of every fact, two facts of every subject, which have a deviation in common, and noise of each record.

    Args:
        shares: by group of neurons the share of other facts in which its neurons are KNs.
        costs: by kind of facts the nats that a BDC costs them; random neurons cost nothing.
    """
    draw = np.random.default_rng(seed)
    common = draw.normal(0, 0.02, (subjects, len(shares) + len(costs)))

    def noisy(planted: float, number: int, place: int) -> float:
        return planted + common[number // 2, place] + draw.normal(0, 0.02)

    members: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    draws = [(BDC, 0), *((name, repeat) for name in (KN_MATCHED, RANDOM) for repeat in range(2))]
    for number, component, (name, repeat) in product(range(2 * subjects), range(2), draws):
        about = {"fact_id": f"f{number}", "subject": f"s{number // 2}", "relation": "P", "component": component}
        about |= {"neurons": 3, "neuron_set": name, "repeat": repeat}
        for others in KINDS_OF_FACTS:
            having = 50 * noisy(shares[name], number, list(shares).index(name))
            members.append({**about, "others": others, "facts": 50, "having": having})
        for place, others in enumerate(ASKED_FACTS, len(shares)) if name != KN_MATCHED else ():
            cost = noisy(costs[others], number, place) if name == BDC else draw.normal(0, 0.02)
            log_probs = {"log_prob_before": -0.1, "log_prob_after": -0.1 - cost}
            records.append({**about, "others": others, "asked": others, "shared": 0, **log_probs})
    return pd.DataFrame(members)[SHARING_MEMBERS.names], pd.DataFrame(records)[SHARING.names]
