"""The summary of fine-tuning, on records made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dkn.errors import UserError
from dkn.paper.claims import CLAIMS
from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import ALL, AUGMENTED, DEVELOPMENT, DKN, KN, NEW, OLD, RANDOM, TEST
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


def answers_of(name: str, draws: int, chosen: int, seed: int, right: float = 0.6) -> pd.DataFrame:
    """Ten facts and three epochs; a fact has one new, one old and three augmented questions, answered at random."""
    draw = np.random.default_rng(seed)
    rows = [
        {
            **{"fact_id": f"f{fact}", "subject": f"s{fact}", "role": TEST, "split": split, "wording": wording},
            **{"neuron_set": name, "draw": training, "epoch": epoch, "chosen": epoch == chosen},
            **{"correct": bool(draw.random() < right), "log_prob": -1.0},
        }
        for training in range(draws)
        for epoch in range(3)
        for fact in range(10)
        for split, wordings in ((NEW, 1), (OLD, 1), (AUGMENTED, 3))
        for wording in range(wordings)
    ]
    return pd.DataFrame(rows)


def passes(table: pd.DataFrame, row: object) -> bool:
    """By plain code: whether the first trainings of DKNs and KNs, at the epochs they chose, let a question pass."""
    verdicts = {}
    for other in table.itertuples():
        same = (other.fact_id, other.split, other.wording) == (row.fact_id, row.split, row.wording)
        if same and other.draw == 0 and other.chosen:
            verdicts[other.neuron_set] = other.correct
    return verdicts[DKN] and (row.split != AUGMENTED or not verdicts[KN])


def test_filtered_questions_are_counted_one_by_one() -> None:
    """Estimates, curves and contrasts of a set that does not filter; facts without a question left are left out."""
    tables = [answers_of(DKN, 2, 2, 0), answers_of(KN, 3, 1, 1), answers_of(RANDOM, 2, 2, 2)]
    both = pd.concat(tables, ignore_index=True)
    found = summarise(tables[2], pd.concat(tables[:2]), QUICK, "filtered")
    left = [row for row in tables[2].itertuples() if passes(both, row)]
    for estimate in found["estimates"] + [row for row in found["curves"] if row["epoch"] == 2]:
        by_fact: dict[str, list[list[bool]]] = {}
        for row in left:
            if row.split == estimate["split"] and row.chosen:
                by_fact.setdefault(row.fact_id, [[], []])[row.draw].append(row.correct)
        if estimate["metric"] == "accuracy":
            means = [np.mean([np.mean(wordings) for wordings in draws]) for draws in by_fact.values()]
            assert estimate["mean"] == pytest.approx(np.mean(means))
        assert estimate["facts"] == len(by_fact) < 10
    assert {row["split"] for row in found["estimates"]} == {NEW, OLD, AUGMENTED}
    counts = {(row["split"], row["facts"]) for row in found["estimates"]}
    assert {(row["split"], row["facts"]) for row in found["contrasts"]} == counts
    own = summarise(tables[0], pd.concat(tables[1:]), QUICK, "filtered")
    judge = [row["accuracy"] for row in own["draws"] if row["draw"] == 0]
    assert judge == [1, 1, 1], "of new, old and augmented questions those are left that it answers right"
    assert summarise(*tables[1:], QUICK, "all") == summarise(*tables[1:], QUICK)


def test_a_filter_that_leaves_nothing_gives_an_empty_summary() -> None:
    nothing = {"estimates": [], "draws": [], "curves": [], "contrasts": []}
    wrong, rival = answers_of(DKN, 2, 1, 0, right=0), answers_of(KN, 1, 1, 1)
    assert summarise(wrong, rival, QUICK, "filtered") == nothing
    assert summarise(rival, wrong, QUICK, "filtered") == nothing
    assert summarise(wrong.iloc[:0], rival.iloc[:0], QUICK, "filtered") == nothing
    everything = answers_of(DKN, 1, 1, 0, right=1)
    found = summarise(everything, answers_of(KN, 1, 1, 1, right=1), QUICK, "filtered")
    assert {row["split"] for row in found["estimates"]} == {NEW, OLD}, "the KNs answer every augmented question"


def test_a_filter_needs_the_answers_it_filters_by() -> None:
    dkn, kn, random = answers_of(DKN, 1, 1, 0), answers_of(KN, 1, 1, 1), answers_of(RANDOM, 1, 1, 2)
    for own, others, missing in ((dkn, random, KN), (random, kn, DKN), (kn, kn.iloc[:0], DKN)):
        with pytest.raises(UserError, match=f"need the answers of '{missing}'; there are answers of"):
            summarise(own, others, QUICK, "filtered")
    with pytest.raises(UserError, match="unknown questions 'some'; allowed: all, filtered"):
        summarise(dkn, kn, QUICK, "some")
