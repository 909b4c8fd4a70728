"""The summary of fact-checking: where thresholds come from, and that nothing gives nothing."""

from __future__ import annotations

from dkn.statistics.inference import StatisticsSettings
from dkn.summaries.fact_checking import summarise
from tests.unit.planted_statements import planted_records

STATISTICS = StatisticsSettings(resamples=1000, confidence=0.95, seed=0)


def test_thresholds_come_from_the_training_split_alone() -> None:
    """Test scores shifted by a constant change the test metrics and leave the threshold."""
    records = planted_records("planted")
    shifted = records.assign(score=records["score"].where(records["split"] == "train", records["score"] + 100))
    before, after = (summarise(frame, "dkn", STATISTICS)["estimates"] for frame in (records, shifted))
    assert [row["threshold"] for row in before] == [row["threshold"] for row in after]
    recall = {row["metric"]: row["mean"] for row in after if row["detector"] == "dkn"}
    assert recall["recall"] == 1
    assert recall["precision"] == 0.5
    assert recall["auroc"] == 1


def test_no_records_give_an_empty_summary() -> None:
    summary = summarise(planted_records("planted").iloc[:0], "dkn", STATISTICS)
    assert summary["estimates"] == summary["contrasts"] == []
