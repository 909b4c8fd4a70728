"""The summary of sharing: numbers by hand, a planted effect that is found, and a planted null that is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from dkn.statistics.inference import StatisticsSettings
from dkn.storage.schemas import SHARING, SHARING_MEMBERS
from dkn.study.names import ASKED_FACTS, BDC, KN_MATCHED, RANDOM
from dkn.summaries.sharing import KINDS, costs_per_bdc, members_per_bdc, summarise
from dkn.summaries.stored import only_match
from tests.unit.sharing_records import EQUAL, NO_COST, made_records

SETTINGS = StatisticsSettings(resamples=500, confidence=0.95, seed=0)
SHARE_RELATION, APART_RELATION = KINDS[0]


def contrast(summary: dict[str, Any], **where: str) -> dict[str, Any]:
    row = only_match(summary["contrasts"], where)
    assert row is not None, where
    return dict(row)


def test_means_by_hand() -> None:
    """Draws and asked facts are averaged within the BDC, BDCs within the fact; contrasts take BDCs with both kinds."""
    columns = ["component", "neuron_set", "repeat", "others", "asked", "lost"]
    rows = [
        (0, BDC, 0, "own", "f", 0.5),
        (1, BDC, 0, "own", "f", 0.7),
        (0, BDC, 0, SHARE_RELATION, "a", 0.2),
        (0, BDC, 0, SHARE_RELATION, "b", 0.4),
        (1, BDC, 0, SHARE_RELATION, "c", 0.9),
        (0, BDC, 0, APART_RELATION, "d", 0.1),
        (0, RANDOM, 0, "own", "f", 0.0),
        (0, RANDOM, 1, "own", "f", 0.2),
    ]
    records = pd.DataFrame(rows, columns=columns).assign(fact_id="f", subject="s", neurons=2, log_prob_before=-0.3)
    records["log_prob_after"] = records["log_prob_before"] - records["lost"]
    members = pd.DataFrame(
        [(0, BDC, 0, 3.0), (1, BDC, 0, 5.0), (0, RANDOM, 0, 1.0), (0, RANDOM, 1, 2.0)],
        columns=["component", "neuron_set", "repeat", "having"],
    ).assign(fact_id="f", subject="s", others="same-relation", facts=10)
    summary = summarise(members, records, SETTINGS)
    means = {(row["neuron_set"], row["others"], row["metric"]): row["mean"] for row in summary["estimates"]}
    assert means[BDC, "own", "nats"] == pytest.approx(0.6)
    assert means[BDC, "own", "drop"] == pytest.approx(1 - np.mean(np.exp([-0.5, -0.7])))
    assert means[BDC, SHARE_RELATION, "nats"] == pytest.approx((0.3 + 0.9) / 2)
    assert means[RANDOM, "own", "nats"] == pytest.approx(0.1)
    assert means[BDC, "same-relation", "count"] == pytest.approx(4)
    assert means[BDC, "same-relation", "share"] == pytest.approx(0.4)
    kinds = contrast(summary, first=SHARE_RELATION, second=APART_RELATION, neuron_set=BDC, metric="nats")
    assert kinds["difference"] == pytest.approx(0.3 - 0.1)
    own = contrast(summary, first="own", second=SHARE_RELATION, metric="nats")
    assert own["difference"] == pytest.approx((0.5 - 0.3 + 0.7 - 0.9) / 2)
    random = contrast(summary, first=BDC, second=RANDOM, others="same-relation", metric="share")
    assert random["difference"] == pytest.approx(0.3 - 0.15)
    assert (kinds["facts"], kinds["subjects"]) == (1, 1)
    assert only_match(summary["contrasts"], {"first": "own", "second": KINDS[3][1], "metric": "nats"}) is None
    assert summary["counts"]["bdcs"] == 2
    assert summary["counts"]["bdcs_with"] == {**dict.fromkeys(ASKED_FACTS, 0), "own": 2, SHARE_RELATION: 2} | {
        APART_RELATION: 1
    }


def test_planted_degeneracy_is_found() -> None:
    """Neurons of BDCs are KNs of more facts than others, and facts that share them lose half as much as the own one."""
    costs = {**NO_COST, "own": 0.2, SHARE_RELATION: 0.1, KINDS[1][0]: 0.1}
    summary = summarise(*made_records(20, 0, {**EQUAL, BDC: 0.25}, costs), SETTINGS)
    for others in ("same-relation", "other-relation"):
        for name in (KN_MATCHED, RANDOM):
            row = contrast(summary, first=BDC, second=name, others=others, metric="share")
            assert row["difference"] == pytest.approx(0.05, abs=0.02)
            assert row["p_holm"] < 0.05
            assert row["low"] > 0
    for first, second in KINDS:
        row = contrast(summary, first=first, second=second, neuron_set=BDC, metric="nats")
        assert row["difference"] == pytest.approx(0.1, abs=0.02)
        assert row["p_holm"] < 0.05
        assert row["low"] > 0
    for others, cost in costs.items():
        row = contrast(summary, first=BDC, second=RANDOM, others=others, metric="nats")
        assert row["difference"] == pytest.approx(cost, abs=0.02)
        assert (row["p_holm"] < 0.05) == (cost > 0)
        assert (row["facts"], row["subjects"]) == (40, 20)


def test_planted_redundancy_costs_the_own_fact_alone() -> None:
    summary = summarise(*made_records(20, 1, EQUAL, {**NO_COST, "own": 0.2}), SETTINGS)
    found = [row for row in summary["contrasts"] if row["p_holm"] < 0.05]
    assert found
    assert all("own" in (row["first"], row.get("others")) for row in found)
    assert all(contrast(summary, first="own", second=second, metric="nats")["low"] > 0.1 for _, second in KINDS[2:])


def test_random_components_are_called_different_as_rarely_as_stated() -> None:
    """Of 40 studies without any effect, at most 5 % and two standard errors have a contrast that holds after Holm."""
    settings = StatisticsSettings(resamples=50, confidence=0.95, seed=0)
    studies = 40
    wrong = 0
    for seed in range(studies):
        summary = summarise(*made_records(8, seed, EQUAL, NO_COST), settings)
        wrong += min(row["p_holm"] for row in summary["contrasts"]) < 0.05
    assert wrong / studies <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / studies)


def test_no_bdc_gives_an_empty_summary() -> None:
    summary = summarise(SHARING_MEMBERS.empty_table().to_pandas(), SHARING.empty_table().to_pandas(), SETTINGS)
    assert summary["estimates"] == summary["contrasts"] == []
    assert summary["counts"]["degenerate"] == summary["counts"]["bdcs"] == 0


def test_a_fact_alone_has_its_own_drop_and_no_other_facts() -> None:
    members, records = made_records(1, 0, EQUAL, NO_COST)
    alone = records[(records["others"] == "own") & (records["fact_id"] == "f0")]
    summary = summarise(members.iloc[:0], alone, SETTINGS)
    assert {row["others"] for row in summary["estimates"]} == {"own"}
    assert {row["others"] for row in summary["contrasts"]} == {"own"}
    assert members_per_bdc(members.iloc[:0]).empty
    assert len(costs_per_bdc(alone)) == 4
