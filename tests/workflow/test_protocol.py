"""The released code's protocol in a whole study: what each switch reruns, and a study of all of them to its end."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.image import imread

from dkn.paper.claims import CLAIMS
from dkn.study.protocol import SWITCHES
from tests.short_study import Checkout, short_config
from tests.workflow_rules import ON_REQUEST, figure_names, table_names

# Rules that come before the summaries: none of them may run again for a switch of a summary.
BEFORE_SUMMARIES = (
    *("make_facts", "model_", "known", "attribution", "knowledge_neurons", "distances", "candidates_", "components"),
    "experiment_",
)
RESULTS = "released"
FEWER = {  # of what takes long; whether it is done at all is what counts
    "experiments": {
        "degeneracy": {"max_subsets": 6, "partitions": 1},
        "ablation": {"facts": 12},
        "sharing": {"facts": 12, "others": 1, "draws": 2},
        "fact_checking": {"facts": 60, "complex_facts": 20, "random_sets": 2},
    }
}


def planned(study: Checkout, **changes: object) -> set[str]:
    """The rules that a run with other switches would run after the finished study of the text."""
    study.configure({**short_config(), **changes})
    try:
        return study.planned()
    finally:
        study.configure(short_config())


def of_inputs(rules: set[str]) -> set[str]:
    """Those of the rules that come before the summaries."""
    return {rule for rule in rules if rule.startswith(BEFORE_SUMMARIES)}


def test_a_switch_of_averages_reruns_summaries_and_what_follows(study: Checkout) -> None:
    rules = planned(study, switches={"sign": "released"})
    assert not of_inputs(rules)
    assert {rule for rule in rules if rule.startswith("summary_")} == {"summary_degeneracy"}
    follow = {"table_degeneracy", "figure_degeneracy", "figure_groupings", "make_verdicts", "figure_verdicts"}
    assert rules >= {*follow, "table_contrasts", "table_reported", "make_complexity", "make_report"}
    assert not rules & {"figure_suppression", "table_fact_checking", "make_explorer"}


def test_a_switch_of_thresholds_reruns_fact_checking_and_what_follows(study: Checkout) -> None:
    rules = planned(study, switches={"threshold": "released"})
    assert not of_inputs(rules)
    assert {rule for rule in rules if rule.startswith("summary_")} == {"summary_fact_checking"}
    assert rules >= {"table_fact_checking", "figure_fact_checking", "make_verdicts", "make_report"}
    assert not rules & {"figure_degeneracy", "table_degeneracy", "figure_suppression", "make_explorer"}


def test_a_switch_of_the_clustering_keeps_what_comes_before_it(study: Checkout) -> None:
    rules = planned(study, switches={"clustering": "released"})
    after = {"candidates_ntc", "candidates_random", "components", "experiment_degeneracy", "experiment_perturbation"}
    assert rules >= {*after, "summary_degeneracy", "make_explorer", "make_report"}
    before = {"attribution", "knowledge_neurons", "distances", "candidates_groupings", "candidates_amig"}
    assert not rules & {*before, "known", "model_trained", "make_facts", "experiment_ablation"}


def test_a_switch_of_the_wording_reruns_attribution_and_what_follows(study: Checkout) -> None:
    rules = planned(study, switches={"wording": "released"})
    assert rules >= {"attribution", "knowledge_neurons", "distances", "components", "experiment_degeneracy"}
    assert not rules & {"known", "model_trained", "make_facts"}


def test_released_with_every_switch_as_in_the_text_reruns_nothing(study: Checkout) -> None:
    assert planned(study, protocol="released", switches=dict.fromkeys(SWITCHES, "text")) == set()


@pytest.fixture(scope="module")
def released(study: Checkout) -> Path:
    """The folder of the finished study with all switches, of the model of GPT-2's shape that the text's study made."""
    folder = study.path / "results" / "gpt2-short" / "model"
    models = [{"name": "gpt2-short", "source": "folder", "path": str(folder)}]
    text = short_config()
    experiments = {**text["experiments"], **FEWER["experiments"]}
    content = {**text, "models": models, "protocol": "released", "results": RESULTS, "experiments": experiments}
    study.configure(content)
    try:
        result = study.run()
        assert result.returncode == 0, result.stdout[-4000:]
        assert study.planned() == set()
    finally:
        study.configure(text)
    return study.path / RESULTS


def test_a_study_of_the_released_protocol_is_complete(released: Path) -> None:
    for name in set(figure_names()) - ON_REQUEST:
        assert (released / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF"), name
        assert imread(released / "figures" / f"{name}.png").std() > 0.01, name
    for name in set(table_names()) - ON_REQUEST:
        assert (released / "tables" / f"{name}.md").read_text("utf-8").strip(), name
    assert (released / "report.html").stat().st_size > 100_000
    page = (released / "gpt2-short" / "explorer.html").read_text("utf-8")
    assert '"clustering":"short-edges"' in page.replace(" ", "")


def test_a_study_of_the_released_protocol_says_what_it_compared(released: Path) -> None:
    experiments = released / "gpt2-short" / "experiments"
    suppression = json.loads((experiments / "suppression-values" / "summary.json").read_text())
    assert set(suppression["counts"]["neuron_sets"]) <= {"none", "dkn"}
    assert suppression["contrasts"] == []
    verdicts = pd.read_csv(released / "figures" / "verdicts.csv")
    assert set(verdicts["claim"]) >= {claim.name for claim in CLAIMS}
    title = (released / "tables" / "fact_checking.tex").read_text("utf-8")
    assert "at fixed thresholds of attribution" in title
    checked = pd.read_csv(released / "figures" / "fact_checking.csv")
    points = checked[(checked["what"] == "point") & (checked["detector"].isin(["dkn", "kn"]))]
    assert set(points["threshold"]) <= {5e-7, 5e-6}
