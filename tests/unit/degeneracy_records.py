"""Records of the degeneracy experiment, made by hand."""

import numpy as np
import pandas as pd


def made_records(drops: dict[tuple[str, str], list[tuple[int, float]]]) -> pd.DataFrame:
    """Records of two-component facts from (grouping, fact) -> [(suppressed components, Prob left of 1)]."""
    rows = [
        {
            "fact_id": fact,
            "subject": fact,
            "relation": "P36",
            "selection": "bdc",
            "grouping": grouping,
            "repeat": 0,
            "components": 2,
            "suppressed": list(range(count)),
            "suppressed_components": count,
            "suppressed_neurons": 2 * count,
            "log_prob_before": 0.0,
            "log_prob_after": float(np.log(left)),
        }
        for (grouping, fact), values in drops.items()
        for count, left in values
    ]
    return pd.DataFrame(rows)
