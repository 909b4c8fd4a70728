"""The fact that figures take as their example."""

import pandas as pd
import pytest

from dkn.figures.example import choose_example


def test_the_example_has_most_components_where_it_has_fewest() -> None:
    def table(**kept: list[bool]) -> pd.DataFrame:
        return pd.DataFrame(
            [(fact, flag) for fact, flags in kept.items() for flag in flags], columns=["fact_id", "kept"]
        )

    one = table(a=[True] * 7, b=[True] * 3, c=[True] * 3, d=[True] * 9)
    two = table(a=[True, False], b=[True] * 2, c=[True] * 3)
    assert choose_example({"one": one, "two": two}) == "c"
    with pytest.raises(ValueError, match="no fact"):
        choose_example({"one": table(a=[True]), "two": table(b=[True])})
