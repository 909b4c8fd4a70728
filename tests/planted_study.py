"""Records of a whole study of one model with a planted effect, and their summaries, for the rates of verdicts.

Every number of a fact is the sum of a part of its subject and a part of its own. With an effect of zero no contrast
that a claim needs differs from zero (or, where reaching is enough, from minus the margin); otherwise each differs by
the effect, for the claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from dkn.paper.verdicts import Thresholds
from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import (
    ALL,
    AUGMENTED,
    CONTROL,
    DKN,
    DRAWN,
    KN,
    KN_MATCHED,
    MATCHED,
    NEW,
    NONE,
    NTC,
    OLD,
    ORIGINAL,
    PERTURBATIONS,
    PLM,
    PRESERVING,
    RANDOM,
    RANDOM_KN,
    SITES,
    TEST,
    TESTED_CONTROLS,
)
from dkn.study.registry import GROUPINGS
from dkn.summaries import degeneracy, fact_checking, fine_tuning, overlap, perturbation
from dkn.summaries.grouping_comparison import compare_gaps

SUBJECTS, FACTS_OF_SUBJECT = 40, 2
DRAWS, TRAININGS = 8, 3  # of random sets, and of every other set that is trained
MARGIN = 0.05
THRESHOLDS = Thresholds(
    0.05, dict.fromkeys(("drop", "accuracy", "balanced_accuracy", "auroc", "f1", "share"), MARGIN), 10
)
STATISTICS = StatisticsSettings(resamples=200, confidence=0.95, seed=0)  # fact-checking takes its errors from them
SETS = (DKN, KN, KN_MATCHED, RANDOM)
SPREAD = 0.05  # standard deviation of the parts of a subject and of a fact


class Planted:
    """The draws of one study.

    Attributes:
        draw: the source of all numbers.
        effect: what is planted in favour of every claim, in the units of its metric.
        subjects: how many subjects there are.
        facts: one row per fact, with fact_id, subject and relation.
    """

    def __init__(self, seed: int, effect: float, subjects: int = SUBJECTS) -> None:
        self.draw, self.effect, self.subjects = np.random.default_rng(seed), effect, subjects
        number = np.arange(subjects * FACTS_OF_SUBJECT)
        subject = number // FACTS_OF_SUBJECT
        self.facts = pd.DataFrame(
            {"fact_id": [f"f{n}" for n in number], "subject": [f"s{n}" for n in subject], "relation": "P36"}
        )

    def noise(self) -> np.ndarray:
        """Return (facts,) the sum of a part of the subject and of a part of the fact."""
        of_subject = self.draw.normal(0, SPREAD, self.subjects).repeat(FACTS_OF_SUBJECT)
        return of_subject + self.draw.normal(0, SPREAD, len(self.facts))

    def answered(self, probability: float) -> np.ndarray:
        """Return (facts,) whether each fact is answered; facts of a subject resemble each other."""
        common = self.draw.random(self.subjects).repeat(FACTS_OF_SUBJECT)
        own = self.draw.random(len(self.facts))
        return np.where(self.draw.random(len(self.facts)) < 0.5, common, own) < probability


def gaps(study: Planted, grouping: str, gap: float) -> pd.DataFrame:
    """Records of the degeneracy experiment in which one component costs 0.2 and two cost more by the gap."""
    drops = [(1, 0.2 + 0 * study.noise()), (2, 0.2 + gap + study.noise())]
    return pd.concat(
        study.facts.assign(
            selection="bdc",
            grouping=grouping,
            repeat=0,
            components=2,
            suppressed_components=count,
            suppressed_neurons=2 * count,
            log_prob_before=0.0,
            log_prob_after=np.log(1 - drop),
        )
        for count, drop in drops
    )


def degeneracy_records(study: Planted) -> dict[str, pd.DataFrame]:
    """The records of every grouping with its control, and of the tested controls."""
    base, records = 0.1, {}
    for grouping in (*GROUPINGS, *TESTED_CONTROLS):
        records[grouping] = gaps(study, grouping, base + study.effect * (grouping == NTC))
        if grouping in GROUPINGS:
            control = gaps(study, CONTROL, base)
            records[grouping] = pd.concat([records[grouping], control], ignore_index=True)
    return records


def _degeneracy(study: Planted) -> dict[str, Any]:
    """The summary of NTC with its controls, and the comparison of all groupings."""
    records = degeneracy_records(study)
    own = pd.concat([records[name] for name in (NTC, *TESTED_CONTROLS)], ignore_index=True)
    return {
        "degeneracy-ntc": degeneracy.summarise(own, STATISTICS),
        "degeneracy": compare_gaps(records, STATISTICS),
    }


def perturbation_records(study: Planted) -> pd.DataFrame:
    """The records of an intervention that costs, or regains, the effect more for D than for any other set."""
    rows = []
    for query in (ORIGINAL, PERTURBATIONS[0]):
        for name in (NONE, *SETS):
            extra = study.effect * (name == DKN)
            rows.append(
                study.facts.assign(
                    query=query,
                    neuron_set=name,
                    repeat=0,
                    neurons=0 if name == NONE else 4,
                    components=2,
                    question=PRESERVING,
                    shared=0,
                    log_prob_before=0.0,
                    log_prob_after=np.log(1 - (0.3 + extra + study.noise())),
                    greedy_before=True,
                    greedy_after=study.answered(0.5 + extra),
                )
            )
    return pd.concat(rows, ignore_index=True)


def checking_records(study: Planted) -> pd.DataFrame:
    """The records of detectors whose scores tell true from false the better, the more the claim wants it."""
    advantage, half = {DKN: 2, KN: 1}, len(study.facts) // 2
    split = np.where(study.facts.index < half, "train", "test")
    rows = []
    for name, draw in ((DKN, 0), (KN, 0), (PLM, 0), *((RANDOM, draw) for draw in range(DRAWS))):
        about = {"detector": name, "neurons": NONE if name == PLM else "relation", "wording": "triple", "size": 4}
        for truth in (True, False):
            score = study.noise() / SPREAD + 5 * study.effect * advantage.get(name, 0) * truth
            rows.append(study.facts.assign(**about, draw=draw, truth=truth, score=score, split=split))
    return pd.concat(rows, ignore_index=True)


def overlap_records(study: Planted) -> pd.DataFrame:
    """The records of shares of which D has the effect more than every other set."""
    shares = [
        study.facts.assign(
            neuron_set=name,
            draw=draw,
            training=training,
            part="both",
            auroc=0.5,
            share=0.3 + study.effect * (name == DKN) + study.noise(),
        )
        for training in range(TRAININGS)
        for name in (DKN, KN, RANDOM, RANDOM_KN, MATCHED)
        for draw in range(1 if name in (DKN, KN) else DRAWS)
    ]
    return pd.concat(shares, ignore_index=True)


def tuning_records(study: Planted) -> pd.DataFrame:
    """The records of trainings in which D reaches ``all`` on new facts but for the margin, and all else is equal."""
    rows = []
    for name in (DKN, KN, RANDOM, RANDOM_KN, ALL):
        for draw in range(DRAWS if name in DRAWN else TRAININGS):
            for split in (NEW, AUGMENTED, OLD):
                right = 0.6 + (study.effect - MARGIN * (split == NEW)) * (name == DKN)
                about = {"neuron_set": name, "draw": draw, "split": split, "wording": 0, "epoch": 1, "role": TEST}
                correct = study.answered(right)
                rows.append(study.facts.assign(**about, chosen=True, correct=correct, log_prob=np.log(0.5)))
    return pd.concat(rows, ignore_index=True)


def overlap_summary(records: pd.DataFrame) -> dict[str, Any]:
    """The summary of the overlap experiment, without curves."""
    curves = pd.DataFrame(columns=["part", "top", "neuron_set", "draw", "neurons", "total", "auroc", "overlap"])
    return overlap.summarise(records, curves, STATISTICS)


def tuning_summary(records: pd.DataFrame) -> dict[str, Any]:
    """The summary of the experiment that trains D."""
    own = records["neuron_set"] == DKN
    return fine_tuning.summarise(records[own], records[~own], STATISTICS)


def planted_summaries(seed: int, effect: float) -> Mapping[str, Mapping[str, Any]]:
    """Return the summaries that the claims need, of a synthetic model.

    Args:
        seed: what all draws depend on.
        effect: what is planted in favour of every claim, in the units of its metric; 0 plants a null.
    """
    study = Planted(seed, effect)
    return {
        **_degeneracy(study),
        **{
            f"{setting}-{site}": perturbation.summarise(perturbation_records(study), setting, STATISTICS)
            for setting in ("suppression", "enhancement")
            for site in SITES
        },
        **{
            f"fact-checking-{detector}": fact_checking.summarise(checking_records(study), detector, STATISTICS)
            for detector in (DKN, KN)
        },
        "overlap-fine-tuning": overlap_summary(overlap_records(study)),
        "fine-tuning-dkn": tuning_summary(tuning_records(study)),
    }
