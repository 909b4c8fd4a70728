"""The measures of the degeneracy experiment, per record and per fact: relative drop, nats, and drop per neuron.

The relative drop is the share of Prob, the probability of the answer, that a suppression takes away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dkn.errors import UserError
from dkn.study.names import CLUSTERINGS

# The paper's relative drop in Prob, the loss of log Prob in nats, and the relative drop per suppressed neuron.
METRICS = ("drop", "nats", "drop_per_neuron")


RIVALS = (*CLUSTERINGS, "amig")  # the groupings that have the rivals' limit


@dataclass(frozen=True)
class Averages:
    """How drops are averaged.

    Attributes:
        sign: ``loss``, a drop is (before - after) / before; or ``gain``, its negative, which the released code has.
        limit, rival_limit: the released code's limits of what is no outlier, as relative drops; None for none. A
            partial drop must be smaller in size than half of ``limit``, a full one than twice of it, and with the
            groupings ``RIVALS`` either than ``rival_limit``.
        average: ``facts``, partial drops are averaged within a fact and then over facts, or ``subsets``, over all
            subsets of all facts alike, as the released code has it.
    Raises:
        UserError: the sign or the average is unknown.
    """

    sign: str = "loss"
    limit: float | None = None
    rival_limit: float | None = None
    average: str = "facts"

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("sign", self.sign, ("loss", "gain")),
            ("average", self.average, ("facts", "subsets")),
        ):
            if value not in allowed:
                raise UserError(f"unknown {name} of drops {value!r}; allowed: {', '.join(allowed)}")

    def within_limits(self, measured: pd.DataFrame) -> np.ndarray:
        """Return (records,) which records are no outliers.

        Args:
            measured: the columns grouping, drop, suppressed_components and components.
        """
        size = measured["drop"].abs().to_numpy(dtype=float)
        full = (measured["suppressed_components"] == measured["components"]).to_numpy()
        rival = measured["grouping"].isin(RIVALS).to_numpy()
        kept = np.ones(len(measured), dtype=bool)
        if self.limit is not None:
            kept &= rival | (size < np.where(full, 2 * self.limit, self.limit / 2))
        if self.rival_limit is not None:
            kept &= ~rival | (size < self.rival_limit)
        return kept


TEXT = Averages()


def with_metrics(records: pd.DataFrame, averages: Averages = TEXT) -> pd.DataFrame:
    """Return the records with a column for each of ``METRICS``; outliers are left out.

    The drops come from log-probabilities, so that a very small Prob loses no digits.

    Args:
        records: the columns log_prob_before, log_prob_after, suppressed_neurons, and those that
            ``Averages.within_limits`` takes.
        averages: the sign of the drops, and which ones are outliers.
    """
    nats = records["log_prob_before"] - records["log_prob_after"]
    drop = -np.expm1(-nats) if averages.sign == "loss" else np.expm1(-nats)
    measured = records.assign(nats=nats, drop=drop, drop_per_neuron=drop / records["suppressed_neurons"])
    limited = averages.limit is not None or averages.rival_limit is not None
    return measured[averages.within_limits(measured)] if limited else measured


def per_fact(records: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of every fact: one row per selection, grouping and fact.

    Subsets, and the repeats of a control, are averaged within a fact, so that every fact counts once.

    Args:
        records: as ``with_metrics`` returns them.
    Returns:
        The columns selection, grouping, fact_id and subject, and for each metric three columns: ``_partial`` is its
        mean over proper subsets, ``_full`` its value with all components suppressed, and ``_gap`` full minus partial.
    """
    full = records["suppressed_components"] == records["components"]
    keys = ["selection", "grouping", "fact_id", "subject"]
    averaged = [
        chosen.groupby(keys)[list(METRICS)].mean().add_suffix(f"_{name}")
        for name, chosen in (("partial", records[~full]), ("full", records[full]))
    ]
    joined = pd.concat(averaged, axis=1)
    for metric in METRICS:
        joined[f"{metric}_gap"] = joined[f"{metric}_full"] - joined[f"{metric}_partial"]
    return joined.reset_index()
