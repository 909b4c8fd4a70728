"""The summary of a fine-tuning experiment: what each neuron set learns and forgets (docs/method.md).

Accuracies and probabilities of new facts, of their paraphrases (augmented) and of old facts are given over the epochs
and at the chosen epoch, where neuron sets are compared with each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dkn.errors import UserError
from dkn.statistics.draws import of_two_sides, with_draws
from dkn.statistics.inference import StatisticsSettings, with_holm
from dkn.study.names import ALL, AUGMENTED, DKN, KN, NEW, OLD, RANDOM, TEST
from dkn.summaries.by_fact import mean_over_facts, paired_difference

# Greedy exact match, Prob of the answer, and log Prob in nats, in whose mean small probabilities count.
METRICS = ("accuracy", "prob", "log_prob")
# The contrasts that were fixed in advance, by accuracy: the DKNs minus these sets on these questions.
PRIMARY = ((ALL, NEW), (ALL, OLD), (KN, AUGMENTED), (RANDOM, AUGMENTED))
EVERY_QUESTION, FILTERED = "all", "filtered"  # the questions that are summarised
QUESTION = ["fact_id", "split", "wording"]  # what identifies a question
KEYS = ["neuron_set", "draw", "split", "epoch", "chosen", "fact_id", "subject"]

# What a summary takes from a set's report: what is the same in every run. Seconds and memory stay in training.json.
STATED = (
    "neuron_set",
    "draw",
    "neurons",
    "trained_parameters",
    "optimiser_state_bytes",
    "learning_rate",
    "lowest_rate",
    "highest_rate",
    "learning_rate_inside",
    "tried_rates",
    "epoch",
)


@dataclass(frozen=True)
class QuestionSettings:
    """Which questions are summarised: ``all``, or ``filtered`` as ``summarise`` says.

    Raises:
        UserError: ``questions`` is neither of the two.
    """

    questions: str = EVERY_QUESTION

    def __post_init__(self) -> None:
        if self.questions not in (EVERY_QUESTION, FILTERED):
            raise UserError(f"unknown questions {self.questions!r}; allowed: {EVERY_QUESTION}, {FILTERED}")


def whether_run(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many new facts there are and how many are needed and, where nothing was trained, why.

    Args:
        training: the content of training.json.
    """
    return {key: training[key] for key in ("new_facts", "minimum", "not_run") if key in training}


def set_reports(training: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what is stated of every neuron set and draw, without what differs between equal runs.

    Args:
        training: the content of training.json.
    """
    return [{key: report[key] for key in STATED} for report in training.get("sets", [])]


def question_counts(records: pd.DataFrame) -> dict[str, int]:
    """Return how many facts are asked for, under keys ``split/role``.

    Args:
        records: the columns of ``schemas.FINE_TUNING``.
    """
    asked = records[records["epoch"] == 0].drop_duplicates(["role", "split", "fact_id"])
    return {f"{split}/{role}": len(rows) for (split, role), rows in asked.groupby(["split", "role"])}


def _answered(records: pd.DataFrame, name: str) -> pd.Index:
    """Return the questions that the first training of a neuron set answers right at its chosen epoch.

    Raises:
        UserError: there are no records of that set.
    """
    own = records[(records["neuron_set"] == name) & (records["draw"] == 0)]
    if own.empty:
        there = ", ".join(sorted(records["neuron_set"].unique()))
        raise UserError(f"questions {FILTERED!r} need the answers of {name!r}; there are answers of {there} only")
    right = own["chosen"].astype(bool) & own["correct"].astype(bool)
    return pd.MultiIndex.from_frame(own.loc[right, QUESTION])


def filtered(records: pd.DataFrame, others: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two tables of records with those questions alone that the answers of DKNs and KNs let pass.

    Args:
        records, others: the columns of ``schemas.FINE_TUNING``. Both empty, where nothing was trained, stay so.
    Raises:
        UserError: there are records, but none of ``dkn`` or none of ``kn``.
    """
    trained = [table for table in (records, others) if len(table)]
    if not trained:
        return records, others
    both = pd.concat(trained)
    dkn_right, kn_right = (_answered(both, name) for name in (DKN, KN))

    def passing(table: pd.DataFrame) -> pd.DataFrame:
        questions = pd.MultiIndex.from_frame(table[QUESTION])
        kept = questions.isin(dkn_right) & ~((table["split"] == AUGMENTED).to_numpy() & questions.isin(kn_right))
        return table[kept]

    return passing(records), passing(others)


def per_fact(records: pd.DataFrame) -> pd.DataFrame:
    """Return ``METRICS`` of every test fact: one row per neuron set, draw, split, epoch and fact.

    The wordings of a fact are averaged. Development facts, which chose learning rates and epochs, are left out.

    Args:
        records: the columns of ``schemas.FINE_TUNING``.
    """
    reported = records[records["role"] == TEST]
    reported = reported.assign(accuracy=reported["correct"].astype(float), prob=np.exp(reported["log_prob"]))
    return reported.groupby(KEYS)[list(METRICS)].mean().reset_index()


def over_draws(facts: pd.DataFrame, *keys: str) -> pd.DataFrame:
    """Average the draws of each neuron set, so that every fact counts once.

    Args:
        facts: as ``per_fact`` returns them.
        keys: the columns by which rows are kept apart, beside the neuron set, the split and the fact.
    Returns:
        One row per neuron set, split, value of ``keys`` and fact.
    """
    groups = ["neuron_set", "split", *keys, "fact_id", "subject"]
    return facts.groupby(groups)[list(METRICS)].mean().reset_index()


def _estimates(facts: pd.DataFrame, keys: list[str], settings: StatisticsSettings) -> list[dict[str, Any]]:
    rows = []
    for values, frame in facts.groupby(keys):
        for metric in METRICS:
            mean = mean_over_facts(frame, metric, settings, "bootstrap/fine-tuning", f"{values}/{metric}")
            rows.append({**dict(zip(keys, values, strict=True)), "metric": metric, **mean})
    return rows


def _draw_means(final: pd.DataFrame, name: str, split: str, metric: str) -> np.ndarray:
    """Return (draws,) the mean over facts of every draw of a neuron set."""
    chosen = final[(final["neuron_set"] == name) & (final["split"] == split)]
    return chosen.groupby("draw")[metric].mean().to_numpy()


def _contrasts(final: pd.DataFrame, other_final: pd.DataFrame, settings: StatisticsSettings) -> list[dict[str, Any]]:
    """Return every set of the experiment minus every set of the others, paired by fact, at the chosen epochs.

    Intervals and p are over facts and draws. Holm's adjustment runs over the primary contrasts, and apart from them
    over all others.
    """
    rows = []
    averaged = over_draws(other_final)
    for (first, split), first_facts in over_draws(final).groupby(["neuron_set", "split"]):
        for second, second_facts in averaged[averaged["split"] == split].groupby("neuron_set"):
            pair = first_facts.set_index("fact_id"), second_facts.set_index("fact_id")
            for metric in METRICS:
                about = {"first": first, "second": second, "split": split, "metric": metric}
                key = f"{first}/{second}/{split}/{metric}"
                difference = paired_difference(*pair, metric, settings, "contrast/fine-tuning", key)
                own = _draw_means(final, first, split, metric)
                rival = _draw_means(other_final, second, split, metric)
                whole = with_draws(difference, of_two_sides(own, rival), settings.confidence)
                primary = first == DKN and metric == "accuracy" and (second, split) in PRIMARY
                counts = {"first_draws": len(own), "second_draws": len(rival)}
                rows.append({**about, "primary": primary, **whole, **counts})
    return with_holm(rows, "primary")


def summarise(
    records: pd.DataFrame, others: pd.DataFrame, settings: StatisticsSettings, questions: str = EVERY_QUESTION
) -> dict[str, Any]:
    """Return the estimates, curves and contrasts of one fine-tuning experiment.

    The released code has two filters of questions by the methods' answers: those that the DKNs' training answers right,
    or those of them that the KNs' training answers wrong. Which filter goes with which questions it does not say; that
    the first is for new and old questions and the second for augmented ones is this project's reading. The first
    training of a set answers for all of its trainings, at its chosen epoch.

    Args:
        records: the records of the experiment, with the columns of ``schemas.FINE_TUNING``.
        others: the records of the model's other fine-tuning experiments, with the same columns.
        settings: the number of resamples, the confidence and the seed.
        questions: ``all``; or ``filtered``, those that the released code's filters leave, for all sets and epochs. A
            fact without such a question is left out.
    Returns:
        ``estimates`` at the chosen epoch by set and kind of question, ``draws`` with the mean of every draw,
        ``curves`` over all epochs, and ``contrasts`` with the sets of the other experiments.
    Raises:
        UserError: ``questions`` is neither of the two, or the answers that filter are not among the records.
    """
    if questions not in (EVERY_QUESTION, FILTERED):
        raise UserError(f"unknown questions {questions!r}; allowed: {EVERY_QUESTION}, {FILTERED}")
    if questions == FILTERED:
        records, others = filtered(records, others)
    facts, other_facts = per_fact(records), per_fact(others)
    final = facts[facts["chosen"]]
    return {
        "estimates": _estimates(over_draws(final), ["neuron_set", "split"], settings),
        "draws": final.groupby(["neuron_set", "draw", "split"])[list(METRICS)].mean().reset_index().to_dict("records"),
        "curves": _estimates(over_draws(facts, "epoch"), ["neuron_set", "split", "epoch"], settings),
        "contrasts": _contrasts(final, other_facts[other_facts["chosen"]], settings),
    }
