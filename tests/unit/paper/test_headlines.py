"""The main numbers of experiments, as captions state them."""

from __future__ import annotations

import pytest

from dkn.paper.claims import CLAIMS
from dkn.paper.headlines import of_experiments
from tests.unit.captions import NUMBERS


@pytest.mark.parametrize(
    ("experiment", "estimate"),
    [
        ("suppression-values", {"population": "all", "neuron_set": "dkn", "query": "perturbed", "metric": "drop"}),
        ("fact-checking-dkn", {"detector": "dkn", "neurons": "relation", "wording": "triple", "metric": "auroc"}),
        ("overlap-fine-tuning", {"neuron_set": "dkn", "part": "both", "metric": "auroc"}),
        ("fine-tuning-dkn", {"neuron_set": "dkn", "split": "new", "metric": "accuracy"}),
    ],
)
def test_an_experiment_states_its_main_number_and_the_claims_contrasts(
    experiment: str, estimate: dict[str, str]
) -> None:
    """Of many estimates and contrasts, the one and those; a model's lines stand together."""
    wanted = [
        evidence.where
        for claim in CLAIMS
        for evidence in (*claim.primary, *claim.literal)
        if evidence.experiment == experiment
    ]
    estimates = [
        {**estimate, "mean": 0.25, **NUMBERS},
        {**estimate, "metric": "other", "mean": 0.99, **NUMBERS},
    ]
    contrasts = [{**where, "difference": 0.2, **NUMBERS} for where in wanted]
    contrasts.append({**wanted[0], "metric": "other", "difference": 0.99, **NUMBERS})
    one = {"experiment": experiment, "estimates": estimates, "contrasts": contrasts}
    lines = of_experiments([{**one, "model": "a"}, {**one, "model": "b"}]).splitlines()
    assert len(lines) == 2 * (1 + len(wanted))
    assert [line[2] for line in lines] == ["a"] * (len(lines) // 2) + ["b"] * (len(lines) // 2)
    assert not any("99" in line for line in lines)
    assert "25.0 % (10.0 … 30.0)" in lines[0]
    assert all("n = 1,234 facts of 56 subjects" in line for line in lines)


def test_an_experiment_that_was_not_run_says_so() -> None:
    summary = {
        "experiment": "fine-tuning-dkn",
        "model": "m",
        "not_run": "2 new facts",
        "estimates": [],
        "contrasts": [],
    }
    empty = {**summary, "not_run": None, "estimates": [{"neuron_set": "kn"}]}
    assert "accuracy on new facts: no fact to measure it on, n = 0 facts" in of_experiments([empty])
    assert of_experiments([summary]) == "- m, fine-tuning-dkn: not run: 2 new facts\n"
    assert "Nothing" in of_experiments([])
