"""Records of the degeneracy experiment with planted gaps, and a row of what summaries say of them."""

import pandas as pd

from dkn.study.names import CONTROL
from tests.unit.degeneracy_records import made_records


def planted(grouping: str, gaps: dict[str, float], control_gap: float | None = None) -> pd.DataFrame:
    """Records whose drop is 0.1 for some and 0.1 + gap for all components, and a control of one gap."""
    left = {(grouping, fact): [(1, 0.9), (2, 0.9 - gap)] for fact, gap in gaps.items()}
    if control_gap is not None:
        left |= {(CONTROL, fact): [(1, 0.9), (2, 0.9 - control_gap)] for fact in gaps}
    return made_records(left)


def row(rows: list[dict], **wanted: str) -> dict:
    """Return the one row with all wanted values."""
    (found,) = [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]
    return found
