"""A stored audit made by hand: a few comparisons of one model, among them numbers that are undefined."""

from __future__ import annotations

from typing import Any

from dkn.audit.numbers import ON_THE_PATH
from dkn.audit.stored import SHORT
from dkn.study.protocol import STATED

NUMBER = {"before": 0.2, "after": 0.25, "value": 0.05, "low": 0.01, "high": 0.09, "se": 0.02, "facts": 9, "subjects": 8}
UNDEFINED = {**dict.fromkeys(("before", "after", "value", "low", "high", "se")), "facts": 0, "subjects": 0}
SAME = {**NUMBER, "after": 0.2, "value": 0.0, "low": 0.0, "high": 0.0}
BEFORE = {"C1/primary": "supported", "C3/literal": "inconclusive"}


def counts(with_dkn: int, degenerate: int = 10) -> dict[str, int]:
    """How many facts have knowledge neurons, a DKN, and two components."""
    return {"with_knowledge_neurons": 40, "with_dkn": with_dkn, "degenerate": degenerate}


def comparison(
    direction: str,
    switch: str,
    changed: dict[str, Any] | None = None,
    verdicts: dict[str, str] | None = None,
    jaccard: float | None = 1.0,
) -> dict[str, Any]:
    """A comparison in which the numbers ``changed`` are otherwise, and all others stay."""
    names = ON_THE_PATH if direction == "step" else tuple(SHORT)
    after = {**BEFORE, **(verdicts or {})}
    return {
        "direction": direction,
        "switch": switch,
        "jaccard": jaccard,
        "jaccard_facts": 40,
        "counts_before": counts(20),
        "counts_after": counts(20 if jaccard == 1.0 else 14),
        "numbers": {name: (changed or {}).get(name, SAME) for name in names},
        "verdicts": {} if direction == "step" else {name: [BEFORE[name], after[name]] for name in BEFORE},
    }


def made_audit(model: str = "a_nano", largest: float = 1.5, lacks: str = "connection") -> dict[str, Any]:
    """An audit of four switches; ``largest`` is what flipping ``sign`` changes in the gap.

    Flipping ``site`` changes the gap by 5 points and two verdicts, and ``compared`` leaves suppression undefined.
    """
    huge = {**NUMBER, "after": 0.2 + largest, "value": largest, "low": None, "high": None}
    site = {"gap": NUMBER, "suppression": {**NUMBER, "value": -0.03, "low": -0.08, "high": 0.02, "after": 0.17}}
    lost = {"suppression": {**UNDEFINED, "before": 0.17}}
    both = {"C1/primary": "contradicted", "C3/literal": "supported"}
    state = {"switches": [], "counts": counts(20), "numbers": {name: {**SAME, "value": 0.2} for name in SHORT}}
    last = {**state["numbers"], "suppression": UNDEFINED, "gap": {**NUMBER, "low": None, "high": None}}
    return {
        "model": model,
        "sample": 50,
        "known": 40,
        "states": {
            "text": {**state, "verdicts": BEFORE},
            "released": {**state, "numbers": last, "verdicts": {**BEFORE, "C1/primary": "contradicted"}},
        },
        "comparisons": [
            comparison("flipped", "site", site, both, 0.5),
            comparison("flipped", "sign", {"gap": huge}),
            comparison("flipped", "compared", lost, {"C3/literal": "not run"}),
            comparison("mended", "site", {"fact_checking": NUMBER}, jaccard=None),
            comparison("mended", "sign"),
            comparison("mended", "compared", {"suppression": UNDEFINED}, {"C3/literal": "too few facts"}),
            comparison("step", "site", site, jaccard=0.5),
            comparison("step", "sign", {"gap": huge}),
            comparison("step", "compared", lost),
        ],
        "missing": {lacks: "there is no such thing"},
        "stated": STATED,
        "steps": {"scores": 3},
    }
