"""Overlap of changes with neuron sets: planted where it is complete, null where sets are random, counted by hand."""

from __future__ import annotations

from math import comb

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkn.experiments.overlap import PARTS, Changes, Exchanges, overlap_curves, overlap_members, overlap_records
from dkn.neurons.sets import NeuronSet, union
from dkn.statistics.inference import StatisticsSettings
from dkn.storage.schemas import OVERLAP, OVERLAP_CURVES
from dkn.study.names import DKN, KN, MATCHED, RANDOM, RANDOM_KN
from dkn.summaries.overlap import summarise
from tests.unit.neuron_sets import pairs_of
from tests.unit.overlap_changes import (
    FACTS,
    FACTS_TABLE,
    LAYERS,
    NEURONS,
    SETTINGS,
    STATISTICS,
    changes_table,
    random_sets,
)

NO_CURVES = pd.DataFrame(columns=OVERLAP_CURVES.names)
QUICK = StatisticsSettings(resamples=100, confidence=0.95, seed=0)


def summary(dkn: dict[str, NeuronSet], *tables: pd.DataFrame) -> dict:
    """The summary of trainings that changed the neurons in these ways; one way stands for three alike trainings."""
    kn = {
        fact: union([part, extra]) for (fact, part), extra in zip(dkn.items(), random_sets(6, 9).values(), strict=True)
    }
    trainings = [Changes.of_table(table) for table in (tables * 3)[: max(3, len(tables))]]
    records = overlap_records(FACTS_TABLE, dkn, kn, trainings, SETTINGS)
    curves = overlap_curves(union(dkn.values()), union(kn.values()), trainings[0], SETTINGS)
    return summarise(records, curves, STATISTICS)


def test_a_change_planted_in_the_dkns_overlaps_them_alone() -> None:
    draw = random_sets(3, 1)
    dkn = {fact: NeuronSet(part.layers, part.neurons % 15) for fact, part in draw.items()}  # a quarter of the neurons
    dkn = {fact: union([part]) for fact, part in dkn.items()}
    found = summary(dkn, changes_table(union(dkn.values())))
    size = len(union(dkn.values()))
    row = next(r for r in found["unions"] if (r["neuron_set"], r["part"], r["top"]) == (DKN, "both", size))
    assert (row["overlap"], row["share_of_set"], row["auroc"]) == (size, 1.0, 1.0)
    assert row["expected"] == pytest.approx(size**2 / (LAYERS * NEURONS))
    assert row["p_hypergeometric"] == pytest.approx(1 / comb(LAYERS * NEURONS, size), rel=1e-6)
    assert row[f"p_{RANDOM}"] == row[f"p_{MATCHED}"] == pytest.approx(1 / 11)
    estimates = {(r["neuron_set"], r["part"], r["metric"]): r["mean"] for r in found["estimates"]}
    assert estimates[DKN, "reading", "share"] == 1.0
    assert estimates[RANDOM, "reading", "share"] == pytest.approx(size / (LAYERS * NEURONS), abs=0.05)
    assert estimates[RANDOM, "reading", "auroc"] == pytest.approx(0.5, abs=0.05)
    assert len(found["contrasts"]) == 3 * 2 * len(PARTS)
    assert all(r["p_holm"] < 0.05 and 0 < r["low"] < r["difference"] for r in found["contrasts"])
    primary = [r for r in found["contrasts"] if r["primary"]]
    assert [(r["second"], r["part"], r["metric"]) for r in primary] == [
        (second, "both", "share") for second in (KN, RANDOM, MATCHED)
    ]
    assert all((r["draws"], r["trainings"]) == (SETTINGS.draws, 3) for r in primary)


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_random_dkns_overlap_like_their_controls(seed: int) -> None:
    """The planted null."""
    found = summary(random_sets(5, seed), changes_table(None, seed))
    assert not any(row["p_holm"] < 0.05 for row in found["contrasts"])
    for row in found["unions"]:
        if row["neuron_set"] == RANDOM:
            assert row["overlap"] == pytest.approx(row["expected"], rel=0.15, abs=3)


def test_sets_that_share_neurons_are_no_effect() -> None:
    """The planted null: all facts have nearly the same random neurons, which changed as neurons do by chance."""
    wrong, wrong_over_facts = [], []
    for seed in range(30):
        draw = np.random.default_rng(seed)
        pool = draw.choice(LAYERS * NEURONS, 10, replace=False)
        chosen = [draw.choice(pool, 8, replace=False) for _ in range(FACTS)]
        dkn = {f"f{n}": NeuronSet(part // NEURONS, part % NEURONS) for n, part in enumerate(chosen)}
        trainings = [Changes.of_table(changes_table(None, seed))] * 2
        records = overlap_records(FACTS_TABLE, dkn, random_sets(12, seed), trainings, SETTINGS)
        found = summarise(records[records["part"] == "both"], NO_CURVES, QUICK)["contrasts"]
        found = pd.DataFrame(found).set_index(["metric", "second"])
        wrong.append(found["p"] < 0.05)
        wrong_over_facts.append(found["p_facts"] < 0.05)
    assert pd.DataFrame(wrong_over_facts).mean().min() > 0.3
    assert pd.DataFrame(wrong).mean().max() <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 30)


def test_trainings_that_disagree_widen_the_interval() -> None:
    """One training changes the DKNs most, the others do not: alike trainings are surer of the same mean."""
    dkn = {fact: union([part]) for fact, part in random_sets(3, 1).items()}
    planted, flat = changes_table(union(dkn.values())), changes_table(None)
    rows = [
        next(r for r in summary(dkn, *tables)["contrasts"] if r["primary"] and r["second"] == RANDOM)
        for tables in ((planted, planted, planted), (planted, planted, flat))
    ]
    assert rows[0]["se_draws"] < 0.2 < rows[1]["se_draws"]
    assert rows[0]["low"] > 0 > rows[1]["low"]


def test_exchanges_keep_what_facts_share() -> None:
    """Every draw exchanges the neurons of a layer, or of a group of a layer, in the same way for all facts."""
    changes = Changes.of_table(changes_table(None))
    exchanges = Exchanges.drawn(changes.activation, SETTINGS)
    dkn, kn = (
        changes.indices(members[0]) for members in (list(random_sets(9, 1).values()), list(random_sets(4, 2).values()))
    )
    sets = dict(exchanges.sets(dkn, kn))
    assert {name: len(part) for name, part in sets.items()} == {
        **{DKN: 1, KN: 1},
        **dict.fromkeys((RANDOM, MATCHED, RANDOM_KN), SETTINGS.draws),
    }
    for draw in range(SETTINGS.draws):
        assert (sets[RANDOM][draw] // NEURONS == dkn[0] // NEURONS).all()
        shared = len(set(sets[RANDOM][draw]) & set(sets[RANDOM_KN][draw]))
        assert shared == len(set(dkn[0]) & set(kn[0]))


def test_changes_that_follow_activation_are_matched_away() -> None:
    """Active neurons change most and are in the DKNs: more than neurons of the layer, no more than ones as active."""
    table = changes_table(None).sort_values(["layer", "neuron"])
    noise = np.random.default_rng(5).random((len(PARTS), len(table)))
    for part, extra in zip(PARTS, noise, strict=True):
        table[part] = table["activation"] + 0.2 * extra
    active = np.argsort(-table["activation"].to_numpy())[: LAYERS * NEURONS // 3]
    draw = np.random.default_rng(6)
    chosen = [draw.choice(active, 5, replace=False) for _ in range(FACTS)]
    dkn = {f"f{n}": NeuronSet(part // NEURONS, part % NEURONS) for n, part in enumerate(chosen)}
    found = {(r["second"], r["part"], r["metric"]): r for r in summary(dkn, table)["contrasts"]}
    assert found[RANDOM, "both", "auroc"]["difference"] > 0.2
    assert found[RANDOM, "both", "auroc"]["p_holm"] < 0.05
    assert abs(found[MATCHED, "both", "auroc"]["difference"]) < 0.02
    assert found[MATCHED, "both", "auroc"]["p_holm"] > 0.05


@given(st.integers(0, 999), st.integers(1, 30))
def test_auroc_counts_pairs(seed: int, size: int) -> None:
    """Against every pair of a member and another neuron, ties a half."""
    table = changes_table(None, seed)
    table["both"] = np.random.default_rng(seed).integers(0, 9, len(table))  # many ties
    flat = np.random.default_rng(seed).choice(LAYERS * NEURONS, size, replace=False)
    members = NeuronSet(flat // NEURONS, flat % NEURONS)
    value = table.set_index(["layer", "neuron"])["both"].to_dict()
    inside = np.array([value.pop(pair) for pair in pairs_of(members)])
    outside = np.array(list(value.values()))
    expected = (inside[:, None] > outside).mean() + 0.5 * (inside[:, None] == outside).mean()
    changes = Changes.of_table(table)
    assert changes.auroc("both", changes.indices(members)).tolist() == pytest.approx([expected])


def test_a_set_of_all_neurons_is_detected_as_by_chance() -> None:
    changes = Changes.of_table(changes_table(None))
    assert changes.auroc("both", np.arange(changes.activation.size)[None]).tolist() == [0.5]


def test_the_top_holds_the_most_changed() -> None:
    table = changes_table(None)
    found = Changes.of_table(table).top("writing", 17)
    most = table.nlargest(17, "writing")
    assert found.sum() == 17
    assert found[most["layer"] * NEURONS + most["neuron"]].all()


def test_the_order_of_facts_does_not_matter() -> None:
    dkn, table = random_sets(5, 1), [Changes.of_table(changes_table(None, seed)) for seed in range(2)]
    kn = random_sets(8, 2)
    first = overlap_records(FACTS_TABLE, dkn, kn, table, SETTINGS)
    second = overlap_records(FACTS_TABLE.iloc[::-1], dkn, kn, table, SETTINGS)
    keys = ["fact_id", "training", "neuron_set", "draw", "part"]
    left, right = (frame.sort_values(keys, ignore_index=True) for frame in (first, second))
    pd.testing.assert_frame_equal(left, right)
    assert set(first["neuron_set"]) == {DKN, KN, RANDOM, MATCHED, RANDOM_KN}
    assert set(OVERLAP.names) == set(first)


def test_members_count_facts() -> None:
    sets = {"a": NeuronSet(np.array([0, 1, 1]), np.array([5, 2, 2])), "b": NeuronSet(np.array([1]), np.array([2]))}
    known = {"a": NeuronSet(np.array([0, 3]), np.array([5, 0])), "b": NeuronSet(np.array([0]), np.array([5]))}
    found = overlap_members(sets, known, ["a", "b"])
    assert found.columns.tolist() == ["layer", "neuron", "dkn", "kn"]
    assert found.values.tolist() == [[0, 5, 1, 2], [1, 2, 2, 0], [3, 0, 0, 1]]  # a neuron counts once per fact
