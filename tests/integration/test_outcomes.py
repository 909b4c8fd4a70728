"""Whatever comes out of a study, it ends with every table, figure and page, which say what could not be computed."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from dkn.storage import provenance
from dkn.study.names import CONTROL, NTC, SELECTIONS, TESTED_CONTROLS, of_first_draw
from tests.integration.last_stages import FIGURES, TABLES, finish_study
from tests.integration.made_study import make_study
from tests.integration.scenarios import Scenario
from tests.workflow_rules import figure_names, table_names

TWO = ("one", "two")
NO_COMPONENT: dict[str, Any] = {"tau1": 5.0}
SCENARIOS = {
    "something of everything": Scenario(models=TWO),
    "three models": Scenario(models=("one", "two", "three"), subjects=6, last={"layers": 6}),
    "several seeds": Scenario(models=("one", "one-s1", "two")),
    "no component in one of two seeds": Scenario(models=("one", "one-s1"), last=NO_COMPONENT),
    "three facts": Scenario(subjects=3, relations=1),
    "three facts in two models": Scenario(models=TWO, subjects=3, relations=1),
    "one fact": Scenario(subjects=1, relations=1),
    "one subject": Scenario(subjects=1, relations=3, dates=4),
    "one relation": Scenario(relations=1),
    "all answers equal": Scenario(answers=1),
    "no known fact": Scenario(known=0.0, attributed=False),
    "no known fact in one model": Scenario(models=TWO, last={"known": 0.0, "attributed": False}),
    "no knowledge neuron": Scenario(attributed=False),
    "one knowledge neuron": Scenario(size=1),
    "two knowledge neurons": Scenario(size=2, neurons=2),
    "no component": Scenario(**NO_COMPONENT),
    "no component in one model": Scenario(models=TWO, last=NO_COMPONENT),
    "no finite distance": Scenario(linked=False),
    "one layer": Scenario(layers=1),
    "nothing degenerate": Scenario(recovery=0.0),
    "nothing to recover": Scenario(recovery=float("nan")),
    "all components pass": Scenario(recovery=1.0),
    "no test split": Scenario(splits=("train",)),
    "no training split": Scenario(splits=("test",)),
    "fine-tuning not run": Scenario(minimum=99),
    "fine-tuning not run in one model": Scenario(models=TWO, last={"minimum": 99}),
    "fine-tuning of two facts": Scenario(subjects=2, relations=1, recovery=1.0, minimum=1),
    "Chinese facts": Scenario(script="chinese"),
    "queries of one word": Scenario(script="one word"),
    "dated facts only": Scenario(dates=2, subjects=8),
    "ids of digits": Scenario(ids="{:04d}"),
    "ids that look alike": Scenario(ids="fact/{}\u200a|*_$x$"),
    "another example": Scenario(models=TWO, example=3, last={"known": 0.05}),
    "an example without neurons": Scenario(example=20, known=0.5),
}


NO_NUMBER = "nothing to state"
NOT_TUNED = "not run: 0 degenerate facts"
# What tables and the captions of figures say where there is nothing, and what the drawings say.
WITHOUT_DKN = {
    "tables/sharing.md": NO_NUMBER,
    "tables/suppression.md": NO_NUMBER,
    "tables/fine_tuning.md": NOT_TUNED,
    "tables/overlap.md": NOT_TUNED,
    "figures/degeneracy.rst": "no fact to measure it on",
    "figures/sharing.rst": "no fact with two or more BDCs",
    "figures/suppression.rst": "no fact to measure it on",
    "figures/fine_tuning.rst": NOT_TUNED,
    "degeneracy": "no fact with two or more components",
    "sharing": "no fact with two or more BDCs",
    "suppression": "no fact with a DKN",
    "fine_tuning": NOT_TUNED,
    "overlap": NOT_TUNED,
}
WITHOUT_COMPONENT = {
    **WITHOUT_DKN,
    "figures/component_sizes.rst": "Nothing to state",
    "component_sizes": "no component",
}
WITHOUT_NEURONS = {
    **WITHOUT_COMPONENT,
    "tables/degeneracy.md": NO_NUMBER,
    "tables/fact_checking.md": NO_NUMBER,
    "tables/contrasts.md": NO_NUMBER,
    "tables/ablation.md": NO_NUMBER,
    "figures/ablation.rst": "no fact with knowledge neurons",
    "figures/reported.rst": "this study: no number",
    "figures/complexity.rst": "no main number was computed",
    "fact_checking": "no statement to test",
    "groupings": "no bin with",
    "ablation": "no fact with knowledge neurons",
    "persistence": "no knowledge neurons of this fact",
    "kn_graph": "no knowledge neurons of this fact",
    "complexity": "no main number was computed",
}
SAID = {
    "something of everything": {"seeds": "nothing to combine", "tables/seeds.md": "nothing to state"},
    "several seeds": {"tables/seeds.md": "2 of 2", "figures/seeds.rst": "one, over seeds", "verdicts": "over seeds"},
    "no component in one of two seeds": {"tables/seeds.md": "1 of 2", "figures/seeds.rst": "not combined, in 1 of 2"},
    "no known fact": {**WITHOUT_NEURONS, "figures/funnel.rst": "of 24 facts 0 are answered"},
    "no knowledge neuron": WITHOUT_NEURONS,
    "no component": WITHOUT_COMPONENT,
    "no component in one model": {"suppression": "no fact with a DKN", "fine_tuning": NOT_TUNED},
    "no known fact in one model": {"tables/suppression.md": NO_NUMBER, "kn_graph": "no knowledge neurons of this fact"},
    "no finite distance": {"persistence": "no two neurons at a finite distance"},
    "nothing degenerate": {**WITHOUT_DKN, "figures/groupings.rst": "without a degenerate fact"},
    "nothing to recover": WITHOUT_DKN,
    "no test split": {"fact_checking": "no statement to test", "tables/fact_checking.md": NO_NUMBER},
    "all answers equal": {"fact_checking": "no statement to test", "fine_tuning": NOT_TUNED},
    "three facts": {"tables/contrasts.md": "degeneracy-ntc", "figures/degeneracy.rst": "no interval: too few subjects"},
    "an example without neurons": {
        "figures/kn_graph.rst": "0 knowledge neurons",
        "persistence": "no knowledge neurons",
    },
    "fine-tuning not run": {"fine_tuning": "fewer than the minimum", "overlap": "fewer than the minimum"},
}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Draw each figure once and coarsely; the words in them, by the figures' names."""
    savefig, words = Figure.savefig, {}

    def coarsely(self: Figure, path: Path, *, format: str, **options: Any) -> None:
        if format == "png":
            savefig(self, path, format=format, dpi=20)
            words[path.name.strip(".").split(".")[0]] = "\n".join(text.get_text() for text in self.findobj(Text))

    monkeypatch.setattr(Figure, "savefig", coarsely)
    monkeypatch.setattr(provenance, "_versions", functools.cache(provenance._versions))
    return words


def test_the_last_stages_are_those_of_the_rules() -> None:
    assert set(FIGURES) == set(figure_names()) - {"sensitivity", "audit", "audit_path", "audit_verdicts"}
    assert set(TABLES) == set(table_names()) - {"sensitivity", "audit"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_outcome_ends_with_all_files(name: str, tmp_path: Path, drawn: dict[str, str]) -> None:
    scenario = SCENARIOS[name]
    make_study(tmp_path, scenario)
    finish_study(tmp_path, scenario.models, None if scenario.example is None else scenario.ids.format(scenario.example))
    for place, said in SAID.get(name, {}).items():
        assert said in ((tmp_path / place).read_text() if "/" in place else drawn[place]), place
    page = (tmp_path / "index.html").read_text("utf-8")
    assert page.count("<figure ") == len(FIGURES)
    assert page.count('<details class="table"') == len(TABLES)
    for table in TABLES:
        pd.read_csv(tmp_path / "tables" / f"{table}.csv")
        for kind in ("md", "tex", "html"):
            assert (tmp_path / "tables" / f"{table}.{kind}").read_text().strip()
    for figure in FIGURES:
        pd.read_csv(tmp_path / "figures" / f"{figure}.csv")
        assert (tmp_path / "figures" / f"{figure}.rst").read_text().strip()
        assert (tmp_path / "figures" / f"{figure}.png").read_bytes()


def degenerate_facts(results: Path) -> pd.DataFrame:
    """Every place that says how many facts have two components that pass the test: the grouping's name there, and n."""
    funnel = pd.read_csv(results / "tables" / "funnel.csv").query("step == 'degenerate'")
    figure = pd.read_csv(results / "figures" / "groupings.csv").query("selection == 'bdc' and kind == 'partial'")
    figure = figure[figure["grouping"] != CONTROL]  # of a method, whose name stands beside it
    table = pd.read_csv(results / "tables" / "degeneracy.csv")
    table = table[(table["components"] == SELECTIONS["bdc"]) & (table["measure"] == "partial drop")]
    return pd.concat(part[["grouping", "facts"]] for part in (funnel, figure, table))


def test_one_name_has_one_number_of_facts(tmp_path: Path, drawn: dict[str, str]) -> None:
    """A tested control is drawn twice. The funnel counts its first draw, all else any draw, under other names."""
    make_study(tmp_path, Scenario(relations=4, tau1=0.0))
    finish_study(tmp_path, ("one",), None)
    counts = degenerate_facts(tmp_path).groupby("grouping")["facts"].agg(["nunique", "size", "first"])
    assert set(counts["nunique"]) == {1}, counts
    assert counts.loc[NTC, "size"] == 3
    for control in TESTED_CONTROLS:
        assert counts.loc[of_first_draw(control), "first"] < counts.loc[control, "first"]
    [titled] = re.findall(r"one: (\d+) of \d+ known facts\nhave ≥ 2 base degenerate", drawn["degeneracy"])
    assert int(titled) == counts.loc[NTC, "first"]
