"""Fact-checking: the neuron sets of relations, and detection on a planted model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dkn.experiments.fact_checking import attribution_records, relation_sets, with_control
from dkn.neurons.sets import NeuronSet
from dkn.statistics.inference import StatisticsSettings
from dkn.storage.schemas import FACT_CHECKING
from dkn.summaries.fact_checking import summarise
from tests.unit import planted
from tests.unit.planted_statements import planted_records, planted_statements

STATISTICS = StatisticsSettings(resamples=1000, confidence=0.95, seed=0)


def test_relation_sets_count_training_subjects_and_see_no_test_subject() -> None:
    """One subject's many years do not outvote two subjects; the neuron of all test facts is not there."""
    frame = pd.DataFrame(
        {
            "relation": ["P1"] * 6 + ["P2"],
            "subject": ["A", "A", "A", "B", "T", "T", "T"],
            "split": ["train"] * 4 + ["test"] * 3,
        },
        index=["a1", "a2", "a3", "b1", "t1", "t2", "t3"],
    )
    neurons = {"a1": [(0, 1), (1, 5)], "a2": [(0, 1)], "a3": [(0, 1), (0, 2)], "b1": [(1, 5), (0, 2)]}
    neurons |= {name: [(2, 9), (0, 1)] for name in ("t1", "t2", "t3")}
    members = {name: NeuronSet(*np.array(pairs).T) for name, pairs in neurons.items()}
    found = relation_sets(members, frame, 2)
    assert set(found) == {"P1"}
    assert list(zip(found["P1"].layers, found["P1"].neurons, strict=True)) == [(0, 2), (1, 5)]
    whole = relation_sets(members, frame, 9)["P1"]
    assert list(zip(whole.layers, whole.neurons, strict=True)) == [(0, 2), (1, 5), (0, 1)]
    assert relation_sets({"t1": members["t1"]}, frame, 2) == {}


@pytest.mark.parametrize(("detector", "control"), [("dkn", "random"), ("kn", "random-kn")])
def test_every_set_has_as_many_random_neurons_per_layer_beside_it(detector: str, control: str) -> None:
    own = NeuronSet(np.array([0, 0, 2]), np.array([1, 4, 3]))
    sets = with_control(detector, "relation", "P1", own, 50, 0)
    assert [(one.detector, one.origin) for one in sets] == [(detector, "relation"), (control, "relation")]
    random = sets[1].neurons
    assert sorted(random.layers) == [0, 0, 2]
    assert not set(zip(random.layers, random.neurons, strict=True)) & {(0, 1), (0, 4), (2, 3)}
    assert [
        one.detector for one in with_control(detector, "own", "f", NeuronSet(np.zeros(2, int), np.arange(2)), 2, 0)
    ] == [detector], "a set of all neurons of its layer has none"


@pytest.mark.parametrize("labels", ["planted", "random"])
def test_scores_depend_neither_on_order_nor_on_batch(labels: str) -> None:
    asked = planted_statements(labels)
    scores = attribution_records(asked.model, asked.statements, asked.encoded, asked.sets, 5)
    turned = asked.statements[::-1], dict(reversed(asked.encoded.items()))
    again = attribution_records(asked.model, *turned, asked.sets, 3)
    keys = ["statement", "detector"]
    left, right = (frame.sort_values(keys, ignore_index=True) for frame in (scores, again))
    pd.testing.assert_frame_equal(left, right, rtol=1e-4, atol=1e-7)


def test_planted_neurons_tell_true_from_false_and_random_ones_do_not() -> None:
    records = planted_records("planted")
    assert set(records.columns) == set(FACT_CHECKING.names)
    summary = summarise(records, "dkn", STATISTICS)
    metric = {
        (row["detector"], row["metric"]): row["mean"] for row in summary["estimates"] if row["wording"] == "triple"
    }
    assert metric["dkn", "auroc"] == metric["dkn", "f1"] == metric["dkn", "balanced_accuracy"] == 1
    assert metric["random", "balanced_accuracy"] < 0.8
    assert all(row["sees_label"] for row in summary["estimates"])
    contrasts = {(row["second"], row["metric"]): row for row in summary["contrasts"]}
    assert contrasts["kn", "f1"]["difference"] == 0
    assert contrasts["kn", "f1"]["p_holm"] == 1
    assert contrasts["random", "balanced_accuracy"]["difference"] > 0.2
    assert contrasts["random", "auroc"]["difference"] > 0.2
    assert summary["counts"] == {
        "facts": planted.FACTS,
        "train": 6,
        "test": 6,
        "with_own_neurons": planted.FACTS,
        "with_relation_neurons": 0,
    }


def test_random_labels_tell_nothing() -> None:
    summary = summarise(planted_records("random"), "dkn", STATISTICS)
    assert all(row["p_holm"] > 0.05 for row in summary["contrasts"])
    assert next(row["mean"] for row in summary["estimates"] if row["metric"] == "auroc") < 0.9
