"""The degeneracy experiment and its summary, on models whose answer is known and on records made by hand."""

from math import comb

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.experiments.degeneracy import DegeneracySettings, degeneracy_records, proper_subsets, with_controls
from dkn.experiments.degeneracy_measures import per_fact, with_metrics
from dkn.neurons.sets import NeuronSet
from dkn.statistics.inference import StatisticsSettings
from dkn.study.names import CONTROL
from dkn.summaries.degeneracy import summarise

SETTINGS = DegeneracySettings(max_subsets=32, partitions=2, seed=0)


@given(st.integers(2, 12), st.integers(2, 64), st.integers(0, 99))
def test_subsets_are_proper_different_and_of_every_size(components: int, limit: int, seed: int) -> None:
    found = proper_subsets(components, limit, np.random.default_rng(seed))
    assert len(set(found)) == len(found)
    assert {len(subset) for subset in found} == set(range(1, components))
    assert all(len(set(subset)) == len(subset) and max(subset) < components for subset in found)
    if 2**components - 2 <= limit:
        assert len(found) == 2**components - 2
    else:
        assert len(found) <= max(limit, components - 1)
        per_size = max(1, limit // (components - 1))
        counts = np.bincount([len(subset) for subset in found], minlength=components)
        assert all(counts[size] == min(per_size, comb(components, size)) for size in range(1, components))


def test_records_match_control_in_number_of_neurons_and_ignore_order(adapter: Adapter) -> None:
    """The same facts in another order or another batch give the same records."""
    facts = [EncodedFact("x", [5, 6, 7], [4]), EncodedFact("y", [8, 9, 10, 11], [3])]
    neurons = NeuronSet(np.array([0, 0, 1, 1, 2, 2, 2]), np.array([1, 5, 2, 3, 0, 4, 6]))
    places = [np.array([0, 2]), np.array([1, 3, 4])]
    members = {"x": neurons, "y": neurons}
    groups = {fact.fact_id: with_controls(fact.fact_id, "bdc", places, 7, SETTINGS, "ntc") for fact in facts}
    both = degeneracy_records(adapter, facts, members, groups, SETTINGS)
    alone = pd.concat([degeneracy_records(adapter, [fact], members, groups, SETTINGS) for fact in reversed(facts)])
    keys = ["fact_id", "grouping", "repeat", "suppressed_neurons", "suppressed_components"]
    left, right = (frame.sort_values(keys, ignore_index=True) for frame in (both, alone))
    pd.testing.assert_frame_equal(left, right, rtol=1e-4, atol=1e-5)
    counts = both.groupby(["fact_id", "grouping", "repeat"])["suppressed_neurons"].apply(sorted)
    assert all(values == [2, 3, 5] for values in counts)


def made_records(drops: dict[tuple[str, str], list[tuple[int, float]]]) -> pd.DataFrame:
    """Records of two-component facts from (grouping, fact) -> [(suppressed components, Prob left of 1)]."""
    rows = [
        {
            "fact_id": fact,
            "subject": fact,
            "relation": "P36",
            "selection": "bdc",
            "grouping": grouping,
            "repeat": 0,
            "components": 2,
            "suppressed": list(range(count)),
            "suppressed_components": count,
            "suppressed_neurons": 2 * count,
            "log_prob_before": 0.0,
            "log_prob_after": float(np.log(left)),
        }
        for (grouping, fact), values in drops.items()
        for count, left in values
    ]
    return pd.DataFrame(rows)


def test_metrics_by_hand() -> None:
    records = made_records({("ntc", "f"): [(1, 0.9), (1, 0.7), (2, 0.4)]})
    row = per_fact(with_metrics(records)).iloc[0]
    assert row["drop_partial"] == pytest.approx(0.2)
    assert row["drop_full"] == pytest.approx(0.6)
    assert row["drop_gap"] == pytest.approx(0.4)
    assert row["nats_full"] == pytest.approx(-np.log(0.4))
    assert row["drop_per_neuron_full"] == pytest.approx(0.15)


def test_a_planted_effect_is_found_and_a_null_is_not() -> None:
    """Redundant groups (little lost until all are gone) against a control that loses evenly; and no difference."""
    draw = np.random.default_rng(0)
    planted, null = {}, {}
    for number in range(30):
        noise = draw.uniform(-0.03, 0.03, 4)
        planted["ntc", f"f{number}"] = [(1, 0.95 + noise[0]), (2, 0.3 + noise[1])]
        planted[CONTROL, f"f{number}"] = [(1, 0.7 + noise[2]), (2, 0.4 + noise[3])]
        null["ntc", f"f{number}"] = [(1, 0.7 + noise[0]), (2, 0.4 + noise[1])]
        null[CONTROL, f"f{number}"] = [(1, 0.7 + noise[2]), (2, 0.4 + noise[3])]
    settings = StatisticsSettings(resamples=500, confidence=0.95, seed=0)

    def gap(drops: dict) -> dict:
        contrasts = summarise(made_records(drops), settings)["contrasts"]
        return next(row for row in contrasts if row["metric"] == "drop" and row["kind"] == "gap")

    assert gap(planted)["difference"] == pytest.approx(0.35, abs=0.05)
    assert gap(planted)["p_holm"] < 0.05
    assert gap(null)["p_holm"] > 0.05


def test_no_records_give_an_empty_summary() -> None:
    empty = made_records({("ntc", "f"): [(1, 0.9)]}).iloc[:0]
    summary = summarise(empty, StatisticsSettings(500, 0.95, 0))
    assert summary == {"estimates": [], "curves": [], "by_neurons": [], "contrasts": []}
