"""Figure funnel: its steps in order, and its caption."""

import pandas as pd
import pytest

from dkn.figures import funnel
from tests.unit.captions import rendered
from tests.unit.example_fact import drawn


def test_steps_come_in_order_and_others_are_refused() -> None:
    steps = list(funnel.STEPS)
    rows = [(m, g, s, 120 - 10 * steps.index(s)) for m in "ba" for g in ("ntc", "amig") for s in reversed(steps)]
    frame = pd.DataFrame(rows, columns=["model", "grouping", "step", "facts"])
    wide = funnel.counts(frame)
    assert wide.index.tolist() == [("b", "ntc"), ("b", "amig"), ("a", "ntc"), ("a", "amig")]
    assert wide.iloc[0].tolist() == [120, 110, 100, 90, 80, 70, 60, 50, 40, 30, 20, 10]
    with pytest.raises(ValueError, match="steps"):
        funnel.counts(frame[frame["step"] != "known"])
    drawn(funnel.draw(frame))


def test_the_caption_counts_ntcs_facts() -> None:
    steps = {step: 12 - at for at, step in enumerate(funnel.STEPS)}
    rows = [{"model": "m", "grouping": g, "step": s, "facts": n} for g in ("ntc", "kmeans") for s, n in steps.items()]
    assert rendered(funnel.caption(pd.DataFrame(rows))) == (
        "m, NTC: of 12 facts 11 are answered, 10 in the unseen wording too, and 9 are known; 8 have converged "
        "attributions, 5 finite distances, 2 have a BDC, and 1 have two or more"
    )
