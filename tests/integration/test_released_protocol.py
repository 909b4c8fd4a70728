"""Protocol ``released`` as a whole: its stages, one after the other on files, against a plain second opinion."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import ByteLevelBPETokenizer
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, LlamaConfig, PreTrainedTokenizerFast

from dkn.models.sources import finish
from dkn.storage.files import read_json, read_table
from dkn.storage.schemas import (
    CANDIDATES,
    COMPONENTS,
    DEGENERACY,
    DISTANCES,
    FACTS,
    KNOWLEDGE_NEURONS,
    PERTURBATION,
    SCORES,
)
from dkn.study.protocol import SWITCHES, flags
from tests.integration import released_pipeline as plain
from tests.integration.scenarios import stage
from tests.unit.plain import relative_difference

BUNDLE = Path(__file__).parents[2] / "resources" / "facts"
CHOSEN = ("_X_ is the head coach of ", "The native language of ", "plays for _X_.")
SETTINGS = {"vocab_size": 600, "initializer_range": 0.2, "bos_token_id": 0, "eos_token_id": 1}
CONFIGS: dict[str, Any] = {
    "gpt2": GPT2Config(**SETTINGS, n_positions=160, n_embd=32, n_layer=4, n_inner=192, n_head=4),
    "llama": LlamaConfig(
        **SETTINGS,
        max_position_embeddings=160,
        hidden_size=32,
        intermediate_size=192,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
    ),
}
ENDS = {"bos_token": "<s>", "eos_token": "</s>"}
SITES = ("values", "weights")


def lines_of_facts() -> list[str]:
    """Six facts of the bundle: two whose queries begin with the gap, two without a date, two that name a club."""
    lines = [
        line for name in ("temporal", "static") for line in (BUNDLE / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]
    return [line for part in CHOSEN for line in [line for line in lines if part in json.loads(line)["query"]][1:41:20]]


def texts_of(lines: list[str]) -> list[str]:
    """What the tokenizer learns: the queries, and the answers in lower case, so that these are of a few tokens."""
    facts = [json.loads(line) for line in lines]
    return [
        text
        for fact in facts
        for name in [fact["answer"][0]["name"]]
        for text in (fact["query"], *[name, name.lower()] * 3)
    ]


def save_model(folder: Path, kind: str, texts: list[str]) -> None:
    """Save a random model with a byte-level tokenizer; that of LLaMA's shape puts a first token before every text."""
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(texts, vocab_size=600, special_tokens=["<s>", "</s>"], show_progress=False)
    if kind == "llama":
        first = TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 0)])
        bpe._tokenizer.post_processor = first
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, **ENDS)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(CONFIGS[kind])
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter += 0.2 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    finish(folder, "model-trained", {})


@dataclass(frozen=True)
class Run:
    """A folder in which the stages have run, and what the second opinion makes of its facts, by fact id."""

    kind: str
    folder: Path
    model: Any
    facts: dict[str, plain.Released]

    def table(self, name: str, schema: Any) -> pd.DataFrame:
        return read_table(self.folder / f"{name}.parquet", schema)

    def by_fact(self, name: str, schema: Any) -> dict[str, pd.DataFrame]:
        frames = dict(list(self.table(name, schema).groupby("fact_id")))
        return {fact_id: frames.get(fact_id, pd.DataFrame()) for fact_id in self.facts}

    def estimates(self, name: str, **where: str) -> dict[str, float]:
        """The means of a summary's estimates of the drop with these keys, by kind or query."""
        rows = read_json(self.folder / f"{name}.json")["estimates"]
        chosen = [row for row in rows if row.get("metric") == "drop" and where.items() <= row.items()]
        return {row.get("kind", row.get("query")): row["mean"] for row in chosen}


def run_stages(folder: Path, kind: str) -> None:
    """All stages with all their switches, each on the files of those before it."""
    files = {
        name: folder / f"{name}.parquet"
        for name in ("facts", "known", "scores", "neurons", "distances", "candidates", "components", "degeneracy")
    }
    on_model = {"model": folder / "model", "device": "cpu"}
    on_facts = {**on_model, "facts": files["facts"], "known": files["known"]}
    neurons = {"neurons": files["neurons"]}
    statistics = {"model_name": "m", "resamples": 100, "confidence": 0.95, "seed": 0}

    def released(name: str, of: str = "", **arguments: object) -> None:
        stage(name, *flags(of or name, SWITCHES), **arguments)

    stage("known", **on_model, facts=files["facts"], wording="seen", minimum=0, output=files["known"])
    rule = {"baseline": "amig", "quadrature": "adaptive", "nodes": 3, "tolerance": 1e-3, "max_nodes": 96}
    completeness = folder / "completeness.parquet"
    shard = {"shard": "1-of-1", "which": "known", "floor": 0.05, "batch": 3}
    released("attribution", **on_facts, **rule, **shard, output=files["scores"], completeness=completeness)
    stage("knowledge-neurons", scores=files["scores"], fraction=plain.FRACTION, output=files["neurons"])
    released("distances", **on_model, **neurons, output=files["distances"])
    clustering = {"persistence": "difference", "tau1": 0.05, "quantile": plain.QUANTILE, "min_size": 2, "dimension": 0}
    on_distances = {**neurons, "distances": files["distances"]}
    diagrams = folder / "diagrams.parquet"
    released("candidates-ntc", **on_distances, **clustering, output=files["candidates"], diagrams=diagrams)
    test = {"candidates": files["candidates"], "test": "sufficiency", "tau2": 0.1}
    released("components", **on_facts, **neurons, **test, output=files["components"])
    tested = {**neurons, "components": files["components"]}
    subsets = {"grouping": "ntc", "max_subsets": 1000, "partitions": 1, "seed": 0}
    released("experiment-degeneracy", **on_facts, **tested, **subsets, output=files["degeneracy"])
    summary = {"completeness": completeness, "distances": files["distances"], "records": files["degeneracy"]}
    tables = {"facts": files["facts"], "known": files["known"], **tested, "grouping": "ntc", **statistics}
    outputs = {"output": folder / "degeneracy.json", "comparison": folder / "comparison.json"}
    released("summary-degeneracy", **summary, **tables, **outputs)
    for site in SITES:
        records, perturbed = folder / f"{site}.parquet", {"setting": "suppression", "site": site}
        asked = {"random_sets": 2, "queries": "preserving", "seed": 0, "output": records}
        released(
            "experiment-perturbation", f"experiment-suppression-{site}", **on_facts, **tested, **perturbed, **asked
        )
        gated = ["--gated"] if kind == "llama" else []
        stated = {**perturbed, **statistics, "records": records, "experiment": site, "output": folder / f"{site}.json"}
        stage("summary-perturbation", *flags("summary-perturbation", SWITCHES), *gated, **stated)


@pytest.fixture(scope="module", params=CONFIGS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All stages on six facts, and the second opinion."""
    kind, folder = request.param, tmp_path_factory.mktemp(request.param)
    lines = lines_of_facts()
    (folder / "facts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    save_model(folder / "model", kind, texts_of(lines))
    source = {"source": folder / "facts.jsonl", "templates": BUNDLE / "templates.yaml", "seed": 0}
    stage("facts", **source, output=folder / "facts.parquet", downloads=folder / "d.json")
    run_stages(folder, kind)
    model, tokenizer = (of.from_pretrained(folder / "model") for of in (AutoModelForCausalLM, AutoTokenizer))
    model.requires_grad_(False)
    joined = read_table(folder / "facts.parquet", FACTS).set_index("fact_id")
    answers = pd.read_parquet(folder / "known.parquet").set_index("fact_id")["answer"]
    facts = {
        fact_id: plain.attribution_of(model, tokenizer, fact_id, joined["query"][fact_id], answers[fact_id])
        for fact_id in sorted(joined.index)
    }
    for fact in facts.values():
        plain.with_structure(model, fact)
    return Run(kind, folder, model, facts)


def test_the_facts_are_of_the_kinds_that_the_protocols_treat_apart(run: Run) -> None:
    assert len(run.facts) == 6
    assert sum(fact.prompt.startswith("_X_") for fact in run.facts.values()) == 2
    assert sum(len(fact.answer) > 1 for fact in run.facts.values()) >= 4
    assert all((fact.answer[0] == 0) == (run.kind == "llama") for fact in run.facts.values())
    assert any(fact.lowered != fact.answer for fact in run.facts.values())


def test_scores_are_those_of_the_second_opinion(run: Run) -> None:
    for fact_id, rows in run.by_fact("scores", SCORES).items():
        expected = run.facts[fact_id].scores
        found = torch.zeros_like(expected)
        found[rows["layer"].tolist(), rows["neuron"].tolist()] = torch.tensor(rows["score"].tolist()).double()
        stored = torch.where(expected > 0.05 * expected.max(), expected, 0)
        assert relative_difference(found, stored) < 1e-4, fact_id


def test_neurons_and_distances_are_those_of_the_second_opinion(run: Run) -> None:
    neurons, distances = run.by_fact("neurons", KNOWLEDGE_NEURONS), run.by_fact("distances", DISTANCES)
    spans = set()
    for fact_id, fact in run.facts.items():
        assert list(zip(neurons[fact_id]["layer"], neurons[fact_id]["neuron"], strict=True)) == fact.neurons
        found = np.full_like(fact.square, np.inf)
        for row in distances[fact_id].itertuples():
            found[row.first, row.second] = row.distance
            spans.add(abs(fact.neurons[row.first][0] - fact.neurons[row.second][0]))
        upper = np.triu_indices(len(found), 1)
        np.testing.assert_allclose(found[upper], fact.square[upper], rtol=1e-4)
    assert spans == {1, 2, 3}


def test_clusters_are_those_of_the_second_opinion(run: Run) -> None:
    total = 0
    for fact_id, rows in run.by_fact("candidates", CANDIDATES).items():
        found = {tuple(row.places): (row.birth, row.death) for row in rows.itertuples()}
        expected = {tuple(sorted(places)): (birth, death) for places, birth, death in run.facts[fact_id].clusters}
        assert found.keys() == expected.keys()
        for places, values in expected.items():
            np.testing.assert_allclose(found[places], values, rtol=1e-4)
        total += len(found)
    assert total >= 12


def test_the_functional_test_is_that_of_the_second_opinion(run: Run) -> None:
    verdicts = []
    for fact_id, rows in run.by_fact("components", COMPONENTS).items():
        fact = run.facts[fact_id]
        drops = dict(zip(fact.groups, fact.drops, strict=True))
        for row in rows.itertuples():
            np.testing.assert_allclose(row.drop, drops[tuple(row.places)], rtol=1e-3, atol=1e-5)
            assert row.kept == (tuple(row.places) in fact.kept)
            verdicts.append(row.kept)
    assert set(verdicts) == {True, False}


def test_drops_and_their_averages_are_those_of_the_second_opinion(run: Run) -> None:
    """The summary counts every subset alike, calls a gain a drop, and leaves outliers out."""
    suppressed = plain.suppressed_subsets(run.model, list(run.facts.values()))
    expected = {(one.fact_id, one.subset): one.gain for one in suppressed}
    records = run.table("degeneracy", DEGENERACY)
    own = records[(records["selection"] == "bdc") & (records["grouping"] == "ntc")]
    found = {
        (row.fact_id, tuple(row.suppressed)): np.expm1(row.log_prob_after - row.log_prob_before)
        for row in own.itertuples()
    }
    assert found.keys() == expected.keys()
    for key, gain in expected.items():
        np.testing.assert_allclose(found[key], gain, rtol=1e-3, atol=1e-5)
    sizes = pd.Series([fact_id for fact_id, _ in expected]).value_counts()
    assert sizes.nunique() > 1, "else facts and subsets weigh the same"
    means = run.estimates("degeneracy", selection="bdc", grouping="ntc")
    np.testing.assert_allclose(
        [means[kind] for kind in ("partial", "full", "gap")],
        [plain.averages(suppressed)[kind] for kind in ("partial", "full", "gap")],
        rtol=1e-3,
    )


@pytest.mark.parametrize("site", SITES)
def test_suppression_is_that_of_the_second_opinion(run: Run, site: str) -> None:
    """Every query of every fact, without anything and without the DKN, and the reduction over those that count."""
    tokenizer = AutoTokenizer.from_pretrained(run.folder / "model")
    how = plain.prob if site == "values" else plain.prob_without_weights
    records = run.table(site, PERTURBATION)
    assert set(records["neuron_set"]) == {"none", "dkn"}
    with_dkn = {fact_id for fact_id, fact in run.facts.items() if fact.kept}
    assert set(records["fact_id"]) == with_dkn
    for row in records.itertuples():
        fact = run.facts[row.fact_id]
        edit = fact.members(sorted(place for group in fact.kept for place in group)) if row.neuron_set == "dkn" else []
        tokens = tokenizer(row.prompt)["input_ids"]
        before, after = (how(run.model, tokens, fact.answer, chosen) for chosen in ((), edit))
        np.testing.assert_allclose(np.exp([row.log_prob_before, row.log_prob_after]), [before, after], rtol=1e-3)


@pytest.mark.parametrize("site", SITES)
def test_the_reduction_is_that_of_the_second_opinion(run: Run, site: str) -> None:
    """Over the records whose Prob after the intervention is small; a fact's perturbed queries are averaged first."""
    limit = plain.kept_below(run.model, site)
    records = run.table(site, PERTURBATION)
    after = np.exp(records["log_prob_after"])
    counted = records if limit is None else records[after < limit]
    if limit is not None:
        assert len(counted) < len(records)
    of_dkn = counted[counted["neuron_set"] == "dkn"].assign(prob=np.exp(counted["log_prob_after"]))
    original, perturbed = [], []
    for _, rows in of_dkn.groupby("fact_id"):
        own, others = (rows.loc[rows["query"].eq("original") == is_own, "prob"].tolist() for is_own in (True, False))
        if own and others:
            original.append(own[0])
            perturbed.append(float(np.mean(others)))
    found = run.estimates(site, neuron_set="dkn", population="all")
    assert "original" not in found, "the released code has no drop of the original query alone"
    if original:
        np.testing.assert_allclose(found["perturbed"], plain.reduction(original, perturbed), rtol=1e-6)
    else:
        assert "perturbed" not in found or not np.isfinite(found["perturbed"])


def test_perturbed_queries_hold_the_markers(run: Run) -> None:
    records = run.table("values", PERTURBATION)
    prompts = records.drop_duplicates(["fact_id", "query"]).set_index(["fact_id", "query"])["prompt"]
    assert set(prompts.index.get_level_values("query")) == {"original", "replace", "add", "delete"}
    for (fact_id, query), prompt in prompts.items():
        asked, words = run.facts[fact_id].prompt, prompt.split(" ")
        marker = {"replace": "[REPLACED]", "add": "[ADDED]"}.get(query)
        if query == "original":
            assert prompt == asked
        elif query == "delete":
            own = asked.split(" ")
            assert words in [own[:place] + own[place + 1 :] for place in range(1, len(own) - 1)]
        elif query == "add":
            assert [word for word in words if word != marker] == asked.split(" ")
            assert marker in words[1:-1]
        else:
            place = words.index(marker)
            assert 0 < place < len(words) - 1
            assert words[:place] + words[place + 1 :] == [*asked.split(" ")[:place], *asked.split(" ")[place + 1 :]]


def test_fine_tuning_departs_from_the_text_where_the_release_runs(run: Run, tmp_path: Path) -> None:
    """The released fine-tuning does not run on models with a gate. With too few facts nothing is trained here."""
    files = {name: run.folder / f"{name}.parquet" for name in ("facts", "known", "neurons", "components")}
    numbers = {"new_facts": 9, "old_facts": 9, "development": 0.3, "minimum": 1000, "epochs": 2, "ask_every": 1}
    plan = {"batch": 2, "draws": 2, "trainings": 2, "rate": 0.1, "extensions": 0, "seed": 0, "subset": "random"}
    outputs = {"output": tmp_path / "r.parquet", "changes": tmp_path / "c.parquet", "training": tmp_path / "t.json"}
    switches = flags("experiment-fine-tuning", SWITCHES)
    on_model = {"model": run.folder / "model", "device": "cpu"}
    stage("experiment-fine-tuning", *switches, **on_model, **files, **numbers, **plan, **outputs)
    stated = read_json(tmp_path / "t.json")["provenance"]["settings"]
    released = "dkn", "reading-and-embeddings", 2
    text = "named", "vectors", 1
    found = stated["tuned_sets"], stated["trained"], stated["steps"]
    assert found == (text if run.kind == "llama" else released)
