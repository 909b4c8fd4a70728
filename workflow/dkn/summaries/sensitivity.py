"""The summary of the sensitivity experiment: coverage, and the degeneracy gap beyond the control, at every grid point.

Coverage is the share of the sampled facts that are degenerate. The gap beyond the control is full minus mean partial
drop of a fact's components, minus the same for random groups of the same sizes (docs/method.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import CONTROL, NTC
from dkn.summaries.by_fact import mean_over_facts, paired_difference

POINT = ["model", "fraction", "quantile", "tau1", "selection", "test", "tau2"]
GAPS = ("drop_gap", "nats_gap")
COUNTS = ["facts", "with_candidates", "degenerate", "degenerate_subjects"]
COLUMNS = [*POINT, *COUNTS, *(f"{name}{end}" for name in ("coverage", *GAPS) for end in ("", "_low", "_high"))]


def _point(frame: pd.DataFrame, selection: str, settings: StatisticsSettings) -> dict[str, Any]:
    """Return the counts, the coverage and the gaps of one grid point.

    The random draws have the keys of the degeneracy experiment's summary, so that equal records give equal intervals.
    """
    degenerate = frame[frame["components"] >= 2].set_index("fact_id")
    covered = frame.assign(coverage=frame["components"] >= 2)
    share = mean_over_facts(covered, "coverage", settings, "bootstrap/coverage", selection)
    row: dict[str, Any] = {
        "facts": len(frame),
        "with_candidates": int((frame["candidates"] >= 1).sum()),
        "degenerate": len(degenerate),
        "degenerate_subjects": degenerate["subject"].nunique(),
        "coverage": share["mean"],
        "coverage_low": share["low"],
        "coverage_high": share["high"],
    }
    for gap in GAPS:
        control = degenerate.assign(**{gap: degenerate[f"control_{gap}"]})
        key = f"{selection}/{NTC}/{CONTROL}/{gap}"
        difference = paired_difference(degenerate, control, gap, settings, "contrast", key)
        row |= {gap: difference["difference"], f"{gap}_low": difference["low"], f"{gap}_high": difference["high"]}
    return row


def grid_table(records: pd.DataFrame, own: Mapping[str, float | str], settings: StatisticsSettings) -> pd.DataFrame:
    """Summarise the records of all grid points: one row per model and grid point.

    Args:
        records: the columns of ``schemas.SENSITIVITY``.
        own: the study's own fraction, quantile, tau1, test and tau2; column ``own_settings`` marks their point.
        settings: the number of resamples, the confidence and the seed.
    Returns:
        The columns of ``POINT``; the counts facts (of the sample), with_candidates, degenerate (with two or more
        components) and degenerate_subjects; coverage (degenerate / facts), drop_gap and nats_gap (beyond the control),
        each with an interval in ``_low`` and ``_high``; and own_settings. It has no rows where there are no records.
    """
    rows = [
        dict(zip(POINT, point, strict=True)) | _point(frame, point[POINT.index("selection")], settings)
        for point, frame in records.groupby(POINT, dropna=False)
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.assign(own_settings=np.logical_and.reduce([table[name] == value for name, value in own.items()]))
