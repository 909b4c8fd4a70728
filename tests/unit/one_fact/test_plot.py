"""The figure of one fact."""

from __future__ import annotations

from pathlib import Path

import dkn


def test_the_figure_is_of_the_fact(fact: dkn.OneFact, tmp_path: Path) -> None:
    figure = dkn.plot(fact)
    assert f"{len(fact.neurons)} knowledge neurons" in figure.axes[0].get_title()
    assert fact.model.name in figure.axes[0].get_title()
    figure.savefig(tmp_path / "fact.png")
    assert (tmp_path / "fact.png").stat().st_size > 10_000
