"""The summary of suppression and enhancement: metrics by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from dkn.errors import UserError
from dkn.statistics.inference import StatisticsSettings
from dkn.storage.schemas import PERTURBATION
from dkn.study.names import CHANGING, PERTURBATIONS, PRESERVING
from dkn.summaries.perturbation import PerturbedAverages, per_fact, summarise, with_metrics
from dkn.summaries.stored import only_match

SETTINGS = StatisticsSettings(resamples=500, confidence=0.95, seed=0)
SETS = {"none": 0, "dkn": 4, "kn": 12, "kn-matched": 4, "random": 4, "dkn-other-fact": 4, "dkn-other-relation": 4}


def made_records(
    losses: Callable[[np.random.Generator, str, int, str], float], facts: int = 60, seed: int = 0
) -> pd.DataFrame:
    """Records of facts, two per subject, with one, two or three BDCs in turn.

    Args:
        losses: the nats that a fact loses, from a generator, its neuron set, its BDCs and the class of its query.
    """
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(facts):
        about = {"fact_id": f"f{number:03}", "subject": f"s{number // 2}", "components": 1 + number % 3}
        for place, query in enumerate(("original", *PERTURBATIONS)):
            question = CHANGING if place and (number + place) % 3 == 0 else PRESERVING
            before = draw.uniform(-0.5, 0)
            for name, size in SETS.items():
                lost = losses(draw, name, about["components"], question) if size else 0.0
                sizes = {"neuron_set": name, "repeat": 0, "neurons": size, "shared": size if name == "dkn" else 1}
                measured = {"log_prob_before": before, "log_prob_after": before - lost, "greedy_before": True}
                rows.append({**about, "query": query, "question": question, **sizes, **measured})
    records = pd.DataFrame(rows)
    return records.assign(greedy_after=records["log_prob_after"] > -1)


def noise(draw: np.random.Generator) -> float:
    """What every set costs, its own or another one."""
    return float(draw.normal(0.02, 0.1))


def found(summary: dict, part: str, **where: str) -> dict:
    """The one row of a summary with these values."""
    row = only_match(summary[part], where)
    assert row is not None, where
    return dict(row)


def test_metrics_by_hand() -> None:
    """Draws are averaged first; ``perturbed`` is the mean over perturbed queries, ``interaction`` its excess."""
    rows = [
        ("original", "dkn", 0, 0.8, 0.4, True, False),
        ("replace", "dkn", 0, 0.5, 0.1, True, False),
        ("delete", "dkn", 0, 0.2, 0.4, False, True),
        ("original", "random", 0, 0.8, 0.8, True, True),
        ("original", "random", 1, 0.8, 0.4, True, False),
        ("replace", "random", 0, 0.5, 0.5, True, True),
    ]
    columns = ["query", "neuron_set", "repeat", "before", "after", "greedy_before", "greedy_after"]
    about = {"fact_id": "f", "subject": "s", "neurons": 2, "question": "preserving"}
    records = pd.DataFrame(rows, columns=columns).assign(**about)
    records["log_prob_before"], records["log_prob_after"] = np.log(records["before"]), np.log(records["after"])
    metrics = ("drop", "nats", "drop_per_neuron", "prob_gain", "accuracy", "regained", "lost")
    facts = per_fact(with_metrics(records), metrics).set_index(["neuron_set", "query"])
    dkn, random = facts.loc["dkn"], facts.loc["random"]
    assert dkn.loc["original", "drop"] == pytest.approx(0.5)
    assert dkn.loc["perturbed", "drop"] == pytest.approx((0.8 - 1) / 2)
    assert dkn.loc["interaction", "drop"] == pytest.approx(-0.1 - 0.5)
    assert dkn.loc["delete", "nats"] == pytest.approx(-np.log(2))
    assert dkn.loc["original", "drop_per_neuron"] == pytest.approx(0.25)
    assert dkn.loc["replace", "prob_gain"] == pytest.approx(-0.4)
    assert dkn.loc["perturbed", ["regained", "lost", "accuracy"]].tolist() == [0.5, 0.5, 0.5]
    assert random.loc["original", "drop"] == pytest.approx(0.25)
    assert random.loc["original", "lost"] == pytest.approx(0.5)
    assert set(random.index) == {"original", "replace", "perturbed", "interaction"}


def test_no_records_give_an_empty_summary() -> None:
    empty = PERTURBATION.empty_table().to_pandas()
    summary = summarise(empty, "suppression", SETTINGS)
    assert summary["estimates"] == summary["contrasts"] == []
    assert summary["counts"]["with_dkn"] == 0


def test_the_perturbation_alone_costs_what_the_original_query_has_more() -> None:
    """Relative to the original query's Prob, fact by fact; a query that a fact lacks does not count for it."""
    rows = [("f", "original", 0.8), ("f", "replace", 0.6), ("f", "delete", 0.2), ("g", "original", 0.5)]
    rows.append(("g", "replace", 0.5))
    records = pd.DataFrame(rows, columns=["fact_id", "query", "prob"]).assign(neuron_set="none", repeat=0, neurons=0)
    records = records.assign(subject=records["fact_id"], components=1, question=PRESERVING, shared=0)
    records["log_prob_before"] = records["log_prob_after"] = np.log(records["prob"])
    records = records.assign(greedy_before=True, greedy_after=True)
    others = [records.assign(neuron_set=name, log_prob_before=0.0) for name in ("dkn", "kn", "kn-matched", "random")]
    settings = StatisticsSettings(resamples=100, confidence=0.95, seed=0)
    estimates = summarise(pd.concat([records, *others]), "suppression", settings)["estimates"]
    found = {row["query"]: (row["mean"], row["facts"]) for row in estimates if row["metric"] == "query_drop"}
    assert found == {
        "replace": (pytest.approx((0.25 + 0) / 2), 2),
        "delete": (pytest.approx(0.75), 1),
        "perturbed": (pytest.approx((0.5 + 0) / 2), 2),
    }


def test_an_effect_of_degenerate_facts_alone_is_found_in_them() -> None:
    """D matters where it has two BDCs or more: less than the whole effect in all facts with a DKN."""
    records = made_records(lambda draw, name, bdcs, _: noise(draw) + (0.5 if name == "dkn" and bdcs >= 2 else 0))
    summary = summarise(records, "suppression", SETTINGS)
    where = {"second": "random", "query": "perturbed", "metric": "nats"}
    of_all, degenerate = (
        found(summary, "contrasts", population=population, **where) for population in ("all", "degenerate")
    )
    assert (of_all["facts"], degenerate["facts"]) == (60, 40)
    assert of_all["difference"] == pytest.approx(0.33, abs=0.06)
    assert degenerate["low"] < 0.5 < degenerate["high"]
    assert degenerate["p_holm"] < 0.05
    assert {row["population"] for row in summary["contrasts"] + summary["estimates"]} == {"all", "degenerate"}


def test_an_effect_of_single_components_is_not_one_of_degenerate_facts() -> None:
    records = made_records(lambda draw, name, bdcs, _: noise(draw) + (0.5 if name == "dkn" and bdcs == 1 else 0))
    summary = summarise(records, "suppression", SETTINGS)
    where = {"second": "random", "query": "original", "metric": "nats"}
    assert found(summary, "contrasts", population="all", **where)["p_holm"] < 0.05
    row = found(summary, "contrasts", population="degenerate", **where)
    assert row["low"] < 0 < row["high"]
    assert row["p_holm"] > 0.05


def test_only_specific_neurons_matter_more_than_those_of_other_facts() -> None:
    specific = made_records(lambda draw, name, *_: noise(draw) + (0.4 if name == "dkn" else 0))
    general = made_records(lambda draw, name, *_: noise(draw) + (0.4 if name.startswith("dkn") else 0))
    for second in ("dkn-other-fact", "dkn-other-relation"):
        where = {"population": "all", "second": second, "query": "perturbed", "metric": "nats"}
        row = found(summarise(specific, "suppression", SETTINGS), "contrasts", **where)
        assert row["p_holm"] < 0.05
        assert row["difference"] == pytest.approx(0.4, abs=0.08)
        row = found(summarise(general, "suppression", SETTINGS), "contrasts", **where)
        assert row["p_holm"] > 0.05
        assert row["low"] < 0 < row["high"]


def test_classes_of_queries_have_their_own_estimates_where_both_are_asked() -> None:
    """D costs more on queries that keep the question; a study that asks no others states no classes."""
    records = made_records(
        lambda draw, name, _, kind: noise(draw) + (0.4 if (name, kind) == ("dkn", PRESERVING) else 0)
    )
    summary = summarise(records, "suppression", SETTINGS)
    where = {"population": "all", "metric": "nats"}
    kept, changed = (
        found(summary, "contrasts", **where, second="random", query=f"perturbed-{name}")
        for name in (PRESERVING, CHANGING)
    )
    assert kept["difference"] == pytest.approx(0.4, abs=0.06)
    assert kept["p_holm"] < 0.05
    assert changed["low"] < 0 < changed["high"]
    assert changed["p_holm"] > 0.05
    both = found(summary, "estimates", **where, neuron_set="dkn", query="perturbed")["mean"]
    assert both == pytest.approx((2 * 0.4 + 0) / 3, abs=0.06)
    assert summary["counts"]["changing_queries"] == {"original": 0, "replace": 20, "add": 20, "delete": 20}
    alone = summarise(records[records["question"] == PRESERVING], "suppression", SETTINGS)
    assert not {row["query"] for row in alone["estimates"]} & {"perturbed-preserving", "perturbed-changing"}


@pytest.mark.parametrize("setting", ["suppression", "enhancement"])
def test_noise_gives_no_finding_in_any_population_or_class(setting: str) -> None:
    studies = [summarise(made_records(lambda draw, *_: noise(draw), 30, seed), setting, SETTINGS) for seed in range(10)]
    assert {len(study["contrasts"]) for study in studies} == {2 * 5 * 8 * 2}  # populations, sets, queries, metrics
    wrong = sum(min(row["p_holm"] for row in study["contrasts"]) < 0.05 for study in studies)
    assert wrong <= 1, "5 % of 10 studies and two standard errors more"
    assert np.mean([row["p"] < 0.05 for study in studies for row in study["contrasts"]]) < 0.08


def test_counts_say_which_sets_facts_lack_and_what_sets_share() -> None:
    records = made_records(lambda draw, *_: noise(draw))
    lacking = (records["neuron_set"] == "dkn-other-fact") & (records["components"] == 3)
    summary = summarise(records[~lacking], "suppression", SETTINGS)
    counts = summary["counts"]
    assert (counts["with_dkn"], counts["degenerate"]) == (60, 40)
    assert counts["neuron_sets"] == {**dict.fromkeys(SETS, 60), "dkn-other-fact": 40}
    assert counts["share_of_own"]["dkn"] == 1
    assert counts["share_of_own"]["dkn-other-relation"] == 0.25
    where = {"population": "degenerate", "second": "dkn-other-fact", "query": "add", "metric": "drop"}
    assert found(summary, "contrasts", **where)["facts"] == 20, "paired over the facts that have both"
    none = summarise(records[records["neuron_set"] != "dkn-other-fact"], "suppression", SETTINGS)
    assert "dkn-other-fact" not in {row["second"] for row in none["contrasts"]}


def test_a_fact_whose_own_query_is_too_long_has_no_excess_over_it() -> None:
    records = made_records(lambda draw, *_: noise(draw))
    records = records[(records["fact_id"] != "f000") | (records["query"] != "original")]
    summary = summarise(records, "suppression", SETTINGS)
    where = {"population": "all", "neuron_set": "dkn", "metric": "drop"}
    sizes = {
        query: found(summary, "estimates", **where, query=query)["facts"] for query in ("perturbed", "interaction")
    }
    assert sizes == {"perturbed": 60, "interaction": 59}


def released_reduction(records: pd.DataFrame, name: str, limit: float | None) -> float:
    """The released code's drop: mean Prob of perturbed queries against that of original ones, after the intervention.

    A fact's queries are averaged first.
    """
    original: dict[str, float] = {}
    perturbed: dict[str, list[float]] = {}
    for row in records[records["neuron_set"] == name].itertuples():
        after = np.exp(row.log_prob_after)
        if limit is None or after < limit:
            if row.query == "original":
                original[row.fact_id] = after
            else:
                perturbed.setdefault(row.fact_id, []).append(after)
    shared = sorted(original.keys() & perturbed.keys())
    before = np.mean([original[fact] for fact in shared])
    return -(np.mean([np.mean(perturbed[fact]) for fact in shared]) - before) / before


@pytest.mark.parametrize(("site", "limit"), [("values", 0.7), ("weights", None)])
def test_the_released_averages_are_those_by_hand(site: str, limit: float | None) -> None:
    records = made_records(lambda draw, *_: draw.uniform(0, 1))
    averages = PerturbedAverages(below_values=0.7, reduction="means")
    summary = summarise(records, "suppression", SETTINGS, averages, site)
    where = {"population": "all", "query": "perturbed", "metric": "drop"}
    means = {name: released_reduction(records, name, limit) for name in ("dkn", "kn", "random")}
    for name, expected in means.items():
        assert found(summary, "estimates", **where, neuron_set=name)["mean"] == pytest.approx(expected)
    row = found(summary, "contrasts", **where, first="dkn", second="random")
    assert row["difference"] == pytest.approx(means["dkn"] - means["random"])
    assert (row["facts"] < 60) == (limit is not None)


def test_a_limit_that_no_record_keeps_leaves_an_empty_summary() -> None:
    records = made_records(lambda *_: 0.1)
    summary = summarise(records, "enhancement", SETTINGS, PerturbedAverages(below_weights=1e-9), "weights")
    assert (summary["estimates"], summary["contrasts"]) == ([], [])


def test_an_unknown_reduction_is_refused() -> None:
    with pytest.raises(UserError, match="unknown reduction 'sums'; allowed: facts, means"):
        PerturbedAverages(reduction="sums")
