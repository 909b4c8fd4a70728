"""Records of the ablation experiment with a planted difference between the orders, or with none."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dkn.experiments.ablation import steps
from dkn.study.names import ATTRIBUTION, KEPT, MAGNITUDE, RANDOM_ORDER, SUPPRESSED

TOTAL, KNS, SCORED = 40, 6, 12
DRAWN = {ATTRIBUTION: 1, MAGNITUDE: 1, RANDOM_ORDER: 2}


def made_records(subjects: int, lead: float = 0.0, seed: int = 0) -> pd.DataFrame:
    """Two facts per subject. The nats lost grow with the neurons suppressed, from 0 to 2.

    ``lead`` is what the order by attribution costs beyond the others in the middle of this way, in nats: the first
    neurons cost more where they are suppressed, and less where they are kept. What an order costs is drawn for every
    subject and fact, alike for all orders.
    """
    draw = np.random.default_rng(seed)
    rows = []
    for subject in range(subjects):
        of_subject = draw.normal(0, 0.2)
        for number in range(2):
            for order, repeats in DRAWN.items():
                for repeat in range(repeats):
                    own = of_subject + draw.normal(0, 0.2)
                    for intervention in (SUPPRESSED, KEPT):
                        for count in steps(TOTAL, KNS):
                            share = count / TOTAL if intervention == SUPPRESSED else 1 - count / TOTAL
                            sign = 1 if intervention == SUPPRESSED else -1
                            more = own + (sign * lead if order == ATTRIBUTION else 0)
                            lost = max(0.0, 2 * share + 4 * share * (1 - share) * more)
                            about = (f"f{subject}-{number}", f"s{subject}", order, repeat, intervention, count)
                            rows.append((*about, KNS, SCORED, TOTAL, -0.3, -0.3 - lost))
    keys = ["fact_id", "subject", "order", "repeat", "intervention", "neurons", "kns", "scored", "total"]
    return pd.DataFrame(rows, columns=[*keys, "log_prob_before", "log_prob_after"])
