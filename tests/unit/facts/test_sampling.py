"""Samples of facts: whole subjects, whatever the order of facts."""

from __future__ import annotations

import pandas as pd
import pytest

from dkn.facts.sampling import sample_by_subject
from tests.unit.statement_facts import facts_table


def test_samples_are_whole_subjects_whatever_the_order() -> None:
    frame = facts_table([(f"{n}", f"s{n // 4}", "P1", None, ["x"]) for n in range(80)])
    found = sample_by_subject(frame, 30, 0, "fact-checking/sample")
    assert len(found) == 32
    assert (found.groupby("subject").size() == 4).all()
    shuffled = sample_by_subject(frame.sample(frac=1, random_state=1), 30, 0, "fact-checking/sample")
    assert set(shuffled["fact_id"]) == set(found["fact_id"])
    assert set(sample_by_subject(frame, 30, 1, "fact-checking/sample")["fact_id"]) != set(found["fact_id"])
    assert (
        len(sample_by_subject(frame, None, 0, "fact-checking/sample"))
        == len(sample_by_subject(frame, 80, 0, "fact-checking/sample"))
        == 80
    )


def facts_of(counts: dict[str, int]) -> pd.DataFrame:
    rows = [(f"{subject}-{year}", subject) for subject, count in counts.items() for year in range(count)]
    return pd.DataFrame(rows, columns=["fact_id", "subject"]).set_index("fact_id", drop=False)


def test_a_sample_has_whole_subjects_and_ignores_the_order_of_facts() -> None:
    facts = facts_of({f"s{number}": 1 + number % 4 for number in range(40)})
    sample = sample_by_subject(facts, 30, 0, "sensitivity")
    assert 30 <= len(sample) < 30 + 4
    sizes = facts.groupby("subject").size()
    assert (sample.groupby("subject").size() == sizes.loc[sample["subject"].unique()].sort_index()).all()
    shuffled = sample_by_subject(facts.sample(frac=1, random_state=1), 30, 0, "sensitivity")
    assert set(shuffled.index) == set(sample.index)
    assert set(sample_by_subject(facts, 50, 0, "sensitivity").index) > set(sample.index)
    assert set(sample_by_subject(facts, 30, 1, "sensitivity").index) != set(sample.index)


@pytest.mark.parametrize("count", [None, 1000])
def test_a_sample_may_be_everything(count: int | None) -> None:
    facts = facts_of({"a": 3, "b": 2})
    pd.testing.assert_frame_equal(sample_by_subject(facts, count, 0, "sensitivity"), facts)
