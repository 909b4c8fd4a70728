"""Figure verdicts: what its caption counts and decides."""

from __future__ import annotations

from dkn.figures import verdicts
from tests.unit.captions import NUMBERS, rendered


def test_the_verdicts_caption_counts_and_decides() -> None:
    part = {"experiment": "suppression-values", "first": "dkn", "second": "kn", "metric": "drop", **NUMBERS}
    good, bad = ({**part, "difference": d, "verdict": v} for d, v in ((0.2, "supported"), (-0.4, "not supported")))
    rows = [
        {"claim": "C3", "text": "Q* falls", "model": "m_", "verdict": "not supported", "evidence": [good, bad]},
        {"claim": "C4", "text": "t", "model": "m_", "verdict": "not run", "evidence": [{"verdict": "not run"}]},
        {
            "claim": "C8",
            "text": "grows",
            "model": None,
            "verdict": "not run",
            "note": "1 model",
            "evidence": [{"model": "m_", "mean": 0.2, **NUMBERS}],
        },
    ]
    said = rendered(verdicts.caption(rows))
    assert said.startswith("m_: of 2 claims 0 supported, 1 not supported, 0 inconclusive, 1 not run C3: Q* falls. ")
    assert "m_: not supported. D minus N (suppression-values: drop): -40 points" in said
    assert "m_: not run. no contrast over enough subjects" in said
    assert "all models: not run. 1 model; m_ 0.2 (0.1 … 0.3), n = 1,234 facts" in said
