"""The summary of fine-tuning, on records made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dkn.paper.claims import CLAIMS
from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import ALL, AUGMENTED, DEVELOPMENT, DKN, NEW, RANDOM, TEST
from dkn.summaries.fine_tuning import PRIMARY, summarise

STATISTICS = StatisticsSettings(resamples=2000, confidence=0.95, seed=0)
QUICK = StatisticsSettings(resamples=100, confidence=0.95, seed=0)


def made_records(name: str, right: dict[int, float], role: str = TEST, draw: int = 0) -> pd.DataFrame:
    """Twenty facts; at epoch e the first ``right[e] * 20`` of them are answered. Epoch 1 is the chosen one."""
    return pd.DataFrame(
        [
            {
                "fact_id": f"f{fact}",
                "subject": f"s{fact}",
                "role": role,
                "split": NEW,
                "wording": 0,
                "neuron_set": name,
                "draw": draw,
                "epoch": epoch,
                "chosen": epoch == 1,
                "correct": fact < share * 20,
                "log_prob": np.log(share) if fact % 2 else 0.0,
            }
            for epoch, share in right.items()
            for fact in range(20)
        ]
    )


def test_the_summary_by_hand() -> None:
    own = pd.concat([made_records(DKN, {0: 0.05, 1: 0.9, 2: 0.5}), made_records(DKN, {1: 0.1}, DEVELOPMENT)])
    found = summarise(own, made_records(RANDOM, {0: 0.05, 1: 0.4}), STATISTICS)
    estimates = {row["metric"]: row["mean"] for row in found["estimates"]}
    assert estimates == pytest.approx({"accuracy": 0.9, "prob": 0.95, "log_prob": np.log(0.9) / 2})
    curve = {row["epoch"]: row["mean"] for row in found["curves"] if row["metric"] == "accuracy"}
    assert curve == pytest.approx({0: 0.05, 1: 0.9, 2: 0.5})
    contrast = next(row for row in found["contrasts"] if row["metric"] == "accuracy")
    assert (contrast["first"], contrast["second"], contrast["facts"]) == (DKN, RANDOM, 20)
    assert contrast["difference"] == pytest.approx(0.5)


def test_no_records_give_an_empty_summary() -> None:
    empty = made_records(DKN, {0: 1.0}).iloc[:0]
    assert summarise(empty, empty, STATISTICS) == {"estimates": [], "draws": [], "curves": [], "contrasts": []}


def studied(number: int, effect: float, between: float) -> pd.DataFrame:
    """The contrasts of one study in which DKNs are trained three times and four random sets once.

    A fact is answered more often in some draws than in others, and ``effect`` more often where DKNs are trained.
    """
    draw = np.random.default_rng(number)
    hard = draw.uniform(-0.2, 0.2, 30)
    tables = {DKN: [], RANDOM: []}
    for name, draws in ((DKN, 3), (RANDOM, 4)):
        for place in range(draws):
            chance = 0.5 + hard + between * draw.normal() + (effect if name == DKN else 0)
            rows = {"fact_id": [f"f{n}" for n in range(30)], "subject": [f"s{n}" for n in range(30)]}
            rows |= {"correct": draw.random(30) < chance, "log_prob": np.log(np.clip(chance, 0.01, 1))}
            about = {"role": TEST, "split": AUGMENTED, "wording": 0, "neuron_set": name, "epoch": 1, "chosen": True}
            tables[name].append(pd.DataFrame(rows).assign(**about, draw=place))
    found = summarise(pd.concat(tables[DKN]), pd.concat(tables[RANDOM]), QUICK)["contrasts"]
    return pd.DataFrame(found).set_index("metric")


def test_draws_that_differ_are_no_effect_and_a_planted_one_is_found() -> None:
    """At most as many errors as the level says, and two standard errors more."""
    null = [studied(number, effect=0.0, between=0.12).loc["accuracy"] for number in range(40)]
    assert np.mean([row["p_facts"] < 0.05 for row in null]) > 0.15, "facts alone do not show it"
    assert np.mean([row["p"] < 0.05 for row in null]) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 40)
    planted = [studied(number, effect=0.4, between=0.05).loc["accuracy"] for number in range(20)]
    assert np.mean([row["p"] < 0.05 for row in planted]) > 0.8
    assert np.mean([row["low"] <= 0.4 <= row["high"] for row in planted]) > 0.85


def test_the_primary_contrasts_are_adjusted_apart() -> None:
    own = pd.concat([made_records(DKN, {1: 0.9 - 0.1 * draw}, draw=draw) for draw in range(3)])
    rival = pd.concat([made_records(ALL, {1: 0.5 - 0.1 * draw}, draw=draw) for draw in range(3)])
    found = summarise(own, rival, STATISTICS)["contrasts"]
    primary = [row for row in found if row["primary"]]
    assert [(row["second"], row["split"], row["metric"]) for row in primary] == [(ALL, NEW, "accuracy")]
    assert primary[0]["p_holm"] == primary[0]["p"]
    others = [row for row in found if not row["primary"]]
    assert min(row["p_holm"] for row in others) == pytest.approx(min(2 * min(row["p"] for row in others), 1.0))
    assert not any(row["primary"] for row in summarise(rival, own, STATISTICS)["contrasts"])


def test_what_a_claim_rests_on_is_primary() -> None:
    needed = [piece.where for claim in CLAIMS for piece in claim.primary if piece.experiment == "fine-tuning-dkn"]
    assert {(where["second"], where["split"]) for where in needed} == set(PRIMARY)
    assert {(where["first"], where["metric"]) for where in needed} == {(DKN, "accuracy")}
