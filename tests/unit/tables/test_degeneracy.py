"""Table degeneracy: what NTC's controls and other facts stand beside, and in which column."""

from __future__ import annotations

from typing import Any

from dkn.study.names import BEFORE_TEST, GROUP_WORDS, NTC, OTHER_FACT, SELECTIONS, SHUFFLED
from dkn.tables.degeneracy import ALONE, lines
from dkn.tables.lines import long_table, wide_table
from tests.unit.table_rows import contrast, found

DROP = {"selection": "bdc", "metric": "drop"}
BDCS = SELECTIONS["bdc"]


def summaries() -> dict[str, dict[str, Any]]:
    """NTC and its control on exchanged vectors, with one number of each kind."""
    ntc = {
        "grouping": NTC,
        "estimates": [
            found(0.3, 50, grouping=NTC, **DROP, kind="full"),
            found(0.02, 48, grouping=OTHER_FACT, **DROP, kind="full"),
            found(0.5, 60, grouping=NTC, measure="recovery"),
            found(0.4, 60, grouping=SHUFFLED, measure="recovery"),
        ],
        "contrasts": [
            contrast(0.28, 0.01, 48, first=NTC, second=OTHER_FACT, **DROP, kind="full"),
            contrast(0.1, 0.02, 60, first=NTC, second=SHUFFLED, measure="recovery"),
        ],
    }
    shuffled = {
        "grouping": SHUFFLED,
        "estimates": [found(0.4, 60, grouping=SHUFFLED, measure="recovery")],
        "contrasts": [],
    }
    gap = {"kind": "gap", **DROP}
    comparison = {
        "estimates": [found(0.2, 45, grouping=SHUFFLED, **gap)],
        "contrasts": [contrast(0.05, 0.03, 40, first=NTC, second=SHUFFLED, **gap)],
    }
    return {f"degeneracy-{NTC}": ntc, f"degeneracy-{SHUFFLED}": shuffled, "degeneracy": comparison}


def test_the_control_and_the_other_fact_stand_beside_ntc() -> None:
    wide = wide_table(long_table(lines, {"m": summaries()}))
    shuffled, other, before = GROUP_WORDS[SHUFFLED], GROUP_WORDS[OTHER_FACT], BEFORE_TEST[SHUFFLED]
    rows = {labels[1:]: {name: cell for name, cell in row.items() if cell == cell} for labels, row in wide.iterrows()}
    assert list(rows) == [(BDCS, NTC), (BDCS, shuffled), (BDCS, other), (ALONE, NTC), (ALONE, before)]
    assert rows[BDCS, NTC]["full drop"].startswith("30.0 (")
    assert rows[BDCS, shuffled]["NTC minus it"].startswith("5.0 (")
    assert rows[BDCS, shuffled]["NTC minus it"].endswith("n = 40")
    assert rows[BDCS, other].keys() == {"full drop", "NTC minus it", "n"}
    assert rows[BDCS, other]["NTC minus it"].startswith("28.0 (")
    assert rows[ALONE, before]["brought back"].startswith("40.0 (")
    assert rows[ALONE, before]["NTC minus it"].startswith("10.0 (")
    assert rows[ALONE, NTC].keys() == {"brought back", "n"}
