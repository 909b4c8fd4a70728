"""Drops of a fact, some of its components suppressed and all of them: by hand."""

import numpy as np
import pytest

from dkn.experiments.degeneracy_measures import per_fact, with_metrics
from tests.unit.degeneracy_records import made_records


def test_metrics_by_hand() -> None:
    records = made_records({("ntc", "f"): [(1, 0.9), (1, 0.7), (2, 0.4)]})
    row = per_fact(with_metrics(records)).iloc[0]
    assert row["drop_partial"] == pytest.approx(0.2)
    assert row["drop_full"] == pytest.approx(0.6)
    assert row["drop_gap"] == pytest.approx(0.4)
    assert row["nats_full"] == pytest.approx(-np.log(0.4))
    assert row["drop_per_neuron_full"] == pytest.approx(0.15)
