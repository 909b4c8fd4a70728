"""The stored tables of a small study whose models were never run: everything that a model would measure is drawn.

What a stage without a model can make is made by that stage; only the probabilities of the model stages are made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from safetensors.numpy import save_file

from dkn.experiments import degeneracy, sharing
from dkn.experiments.ablation import AblationSettings, Scored, orders, steps
from dkn.experiments.degeneracy import DegeneracySettings, Groups, all_groups, degeneracy_records, groups_of_other_facts
from dkn.experiments.fact_checking import relation_sets
from dkn.experiments.perturbation import PerturbationSettings, all_queries, named_sets
from dkn.experiments.sharing import SharingSettings, degenerate_facts, plan, suppression_records
from dkn.experiments.statements import SCORE, STATEMENT, as_records, sampled_statements
from dkn.experiments.tuning_questions import TuningFactsSettings, choose_questions
from dkn.facts.stored import study_facts
from dkn.neurons.edits import AS_TEXT, EditSettings
from dkn.neurons.sets import NeuronSet, dkn_sets, neuron_sets
from dkn.storage import schemas
from dkn.storage.files import read_table, write_json
from dkn.structure.candidates import candidates_table
from dkn.structure.distances import distance_matrix
from dkn.structure.functional_test import FunctionalTest
from dkn.study.names import (
    ALL,
    DETECTORS,
    KEPT,
    KN,
    NEW,
    NTC,
    RANDOM_KN,
    SITES,
    SUPPRESSED,
    TESTED_CONTROLS,
    TUNED_SETS,
)
from tests.integration.scenarios import Scenario, draw, stage, write, write_records

METHODS = ("hierarchical", "kmeans")  # of the clusterings, those that need the most to work on
GROUPINGS = (NTC, *METHODS, "amig", *TESTED_CONTROLS)
EPOCHS = (0, 2)
WORDINGS = {
    "latin": ("the place where {} was born is", "one can find {} near the town of"),
    "chinese": ("{}的首都是", "想要参观{}的人应该去"),
    "one word": ("{}", "{}"),
}


def make_facts(folder: Path, scenario: Scenario) -> None:
    """Write the facts."""
    prompt, in_other_words = WORDINGS[scenario.script]
    rows = []
    for subject in range(scenario.subjects):
        for relation in range(scenario.relations):
            for date in [str(2000 + number) for number in range(scenario.dates)] or [None]:
                name = f"{'主题' if scenario.script == 'chinese' else 'Subject'}{subject}"
                number = len(rows)
                rows.append(
                    {
                        "fact_id": scenario.ids.format(number),
                        "subject": name,
                        "relation": f"P{relation}",
                        "date": date,
                        "answers": [f"answer {(subject + relation + number) % scenario.answers}"],
                        "answer_ids": [f"Q{(subject + relation + number) % scenario.answers}"],
                        "query": f"{prompt.format(name)} _X_.",
                        "prompt": prompt.format(name),
                        "paraphrases": [f"{words} {prompt.format(name)}" for words in ("all say", "so", "yet")],
                        "complex": in_other_words.format(name),
                        "split": scenario.splits[subject % len(scenario.splits)],
                        "source": "made",
                    }
                )
    write(folder / "facts" / "facts.parquet", pd.DataFrame(rows), schemas.FACTS, "facts")


def make_neurons(folder: Path, facts: pd.DataFrame, scenario: Scenario) -> None:
    """Write which facts a model knows, their knowledge neurons, and the distances between these."""
    known = np.arange(len(facts)) < round(scenario.known * len(facts))
    paths = {"token": 0, "layer": 0, "prob": 0.7, "change": 0.6, "total": 0.6, "error": 1e-5, "nodes": 3}
    paths = facts.loc[known, ["fact_id"]].assign(**paths, converged=True)
    write(folder / "attribution" / "1-of-1.completeness.parquet", paths, schemas.COMPLETENESS, "attribution")
    answers = facts[["fact_id"]].assign(answer=facts["answers"].str[0], log_prob=-0.3, prob=0.74)
    answers = answers.assign(
        answered=known,
        answered_unseen=False,
        known=known,
        geometric_mean_prob=0.9,
        first_token_rank=0,
        prompt_tokens=9,
        answer_tokens=2,
    )
    write(folder / "known.parquet", answers, schemas.KNOWN, "known", dtype="float32")
    chosen, pairs = [pd.DataFrame()], [pd.DataFrame()]
    for fact_id in facts.loc[known & scenario.attributed, "fact_id"]:
        dice = draw(folder.name, fact_id)
        layers = scenario.layers if scenario.linked else 1
        flat = np.sort(dice.choice(layers * scenario.neurons, scenario.size, replace=False))
        layer = flat // scenario.neurons
        members = {"place": range(len(flat)), "layer": layer, "neuron": flat % scenario.neurons}
        chosen.append(pd.DataFrame({"fact_id": fact_id, **members, "score": dice.random(len(flat)) + 0.1}))
        reading, writing = dice.normal(size=(2, len(flat), 4)).astype(np.float32)
        matrix = distance_matrix(layer, reading, writing)
        first, second = np.nonzero(np.triu(np.isfinite(matrix), 1))
        ends = {"first": first, "second": second, "distance": matrix[first, second]}
        pairs.append(pd.DataFrame({"fact_id": fact_id, **ends}))
    write(folder / "knowledge_neurons.parquet", pd.concat(chosen), schemas.KNOWLEDGE_NEURONS, "knowledge-neurons")
    write(folder / "distances.parquet", pd.concat(pairs), schemas.DISTANCES, "distances")


def make_components(folder: Path, scenario: Scenario) -> None:
    """Write the candidates of every grouping, and the components that pass a functional test."""
    tables = {"neurons": folder / "knowledge_neurons.parquet", "distances": folder / "distances.parquet"}
    files = {name: folder / "candidates" / f"{name}.parquet" for name in GROUPINGS}
    clustering = {"persistence": "difference", "tau1": scenario.tau1, "quantile": 0.5, "min_size": 2}
    diagrams = folder / "diagrams.parquet"
    stage("candidates-ntc", **tables, **clustering, dimension=1, output=files[NTC], diagrams=diagrams)
    methods = [part for name in METHODS for part in ("--method", name, "--output", str(files[name]))]
    samples = {"dbscan_min_samples": 2, "hdbscan_min_samples": 2, "max_groups": 4, "variance": 0.9, "restarts": 1}
    stage("candidates-groupings", *methods, **tables, min_size=2, **samples, seed=0)
    random = {"neurons": tables["neurons"], "candidates": files[NTC], "repeats": 2, "seed": 0}
    controls = [part for name in TESTED_CONTROLS for part in ("--control", name, "--output", str(files[name]))]
    stage("candidates-random", *controls, **random)
    sizes = read_table(tables["neurons"], schemas.KNOWLEDGE_NEURONS).groupby("fact_id").size()
    pairs = {fact: [[np.array([0, 1]), np.array([2, 3])]] for fact, size in sizes.items() if size > 3}
    write(files["amig"], candidates_table(pairs), schemas.CANDIDATES, "candidates-amig")
    test = FunctionalTest("sufficiency", 0.1)
    for name, file in files.items():
        tested = read_table(file, schemas.CANDIDATES)
        dice = draw(folder.name, name)
        recovery = dice.random(len(tested)) if scenario.recovery is None else np.full(len(tested), scenario.recovery)
        probs = {"prob_intact": 0.7, "prob_all_suppressed": 0.2, "prob_without_component": 0.5, "drop": 0.2}
        tested = tested.assign(**probs, recovery=recovery, prob_only_component=0.4)
        path = folder / "components" / f"{name}.parquet"
        write(path, tested.assign(kept=test.passes(tested)), schemas.COMPONENTS, "components", **vars(test))


def answered(
    _: object, facts: Sequence[Any], variants: Sequence[Sequence[NeuronSet]], edits: EditSettings = AS_TEXT
) -> list[np.ndarray]:
    """Log-probabilities that fall with the number of suppressed neurons, in place of ``answer_log_probs``."""
    return [
        np.array([[-0.1 - 0.1 * len(edit) - 0.01 * draw(fact.fact_id, edit.key()).random()] for edit in edits])
        for fact, edits in zip(facts, variants, strict=True)
    ]


def make_degeneracy(folder: Path, frame: pd.DataFrame, members: dict[str, NeuronSet]) -> None:
    """Write the records of the degeneracy experiments."""
    settings = DegeneracySettings(6, 2, 0)
    for name in GROUPINGS:
        groups: dict[str, list[Groups]] = {}
        components = read_table(folder / "components" / f"{name}.parquet", schemas.COMPONENTS)
        found = [all_groups(components, members, name, settings)]
        if name == NTC:
            found.append(groups_of_other_facts(components, members, frame, settings))
        for fact_id, groups_of_fact in chain(*found):
            groups.setdefault(fact_id, []).extend(groups_of_fact)
        asked = [SimpleNamespace(fact_id=fact_id) for fact_id in groups]
        with patch.object(degeneracy, "answer_log_probs", answered):
            records = degeneracy_records(None, asked, groups, settings)  # type: ignore[arg-type]
        write_records(folder, f"degeneracy-{name}/records", "degeneracy", records, frame, schemas.DEGENERACY, settings)


def make_sharing(
    folder: Path, frame: pd.DataFrame, members: dict[str, NeuronSet], components: pd.DataFrame, scenario: Scenario
) -> None:
    """Write the records of the experiment on shared neurons."""
    settings = SharingSettings(8, 2, 2, 0)
    shape = SimpleNamespace(n_layers=scenario.layers, n_neurons=scenario.neurons)
    counted, asked = plan(degenerate_facts(components, frame, settings), frame, members, shape, settings)
    with patch.object(sharing, "answer_log_probs", answered):
        suppressed = suppression_records(shape, [SimpleNamespace(fact_id=fact_id) for fact_id in asked], asked)
    write_records(folder, "sharing/members", "sharing", counted, frame, schemas.SHARING_MEMBERS, settings)
    write_records(folder, "sharing/records", "sharing", suppressed, frame, schemas.SHARING, settings)


def make_perturbation(
    folder: Path, frame: pd.DataFrame, members: dict[str, NeuronSet], components: pd.DataFrame, neurons: int
) -> None:
    """Write the records of the suppression and the enhancement experiments."""
    dkns = dkn_sets(components, members)
    counts = components[components["kept"]].groupby("fact_id").size()
    for setting in ("suppression", "enhancement"):
        for site in SITES:
            settings = PerturbationSettings(setting, site, 2, "any", 0)
            sets = named_sets(dkns, members, frame, neurons, settings)
            rows = []
            for query in all_queries(frame, frame.loc[list(dkns)], settings).to_dict("records"):
                fact = query["fact_id"]
                for named in sets[fact]:
                    dice = draw(setting, site, *query.values(), named.name, named.repeat)
                    about = {"neuron_set": named.name, "repeat": named.repeat, "neurons": len(named.neurons)}
                    about["shared"] = named.shared
                    lost = 0 if named.name == "none" else dice.random()
                    log_probs = {"log_prob_before": -0.5, "log_prob_after": -0.5 - lost}
                    greedy = {"greedy_before": True, "greedy_after": bool(lost < 0.5)}
                    rows.append({**query, **about, **log_probs, **greedy, "components": counts[fact]})
            name = f"{setting}-{site}/records"
            write_records(folder, name, "perturbation", rows, frame, schemas.PERTURBATION, settings)


def make_ablation(folder: Path, frame: pd.DataFrame, members: dict[str, NeuronSet], scenario: Scenario) -> None:
    """Write the records of the ablation experiment."""
    settings, shape = AblationSettings(2, 0), (scenario.layers, scenario.neurons)
    total, rows = scenario.layers * scenario.neurons, []
    for fact, own in members.items():
        scored = Scored(own, np.ones(len(own)), len(own))
        about = {"fact_id": fact, "kns": len(own), "scored": len(own), "total": total, "log_prob_before": -0.5}
        for order in orders(fact, scored, draw(fact).random(shape), settings):
            for intervention in (SUPPRESSED, KEPT):
                for count in steps(total, len(own)):
                    lost = (
                        len(order.variant(intervention, count)) / total * (1 + draw(fact, order.name, count).random())
                    )
                    of_order = {"order": order.name, "repeat": order.repeat, "intervention": intervention}
                    rows.append({**about, **of_order, "neurons": count, "log_prob_after": -0.5 - lost})
    write_records(folder, "ablation/records", "ablation", rows, frame, schemas.ABLATION, settings)


def make_fact_checking(
    folder: Path, frame: pd.DataFrame, members: dict[str, NeuronSet], components: pd.DataFrame
) -> None:
    """Write the records of the fact-checking experiments."""
    dkns = dkn_sets(components, members)
    statements = sampled_statements(frame, members, None, None, 0)
    own = {"dkn": set(dkns), "random": set(dkns), KN: set(members), RANDOM_KN: set(members)}
    of_relation = {name: set(relation_sets(sets, frame, 9)) for name, sets in (("dkn", dkns), (KN, members))}
    of_relation |= {"random": of_relation["dkn"], RANDOM_KN: of_relation[KN]}
    for name, detectors in DETECTORS.items():
        scores = []
        for row in statements.itertuples(index=False):
            for detector in detectors:
                origins = {
                    "own": row.fact_id in own.get(detector, ()),
                    "relation": row.relation in of_relation.get(detector, ()),
                    "none": name == "plm",
                }
                for origin in (origin for origin, there in origins.items() if there):
                    score = 0.3 * row.truth + draw(row.statement, detector, origin).random()
                    about = {"detector": detector, "neurons": origin, "draw": 0, "size": 3}
                    scores.append({"statement": row.statement, **about, "score": score})
        table = pd.DataFrame(scores, columns=SCORE)
        records = as_records(statements[STATEMENT], table, schemas.FACT_CHECKING.names)
        stated = "experiment-fact-checking-plm" if name == "plm" else "experiment-fact-checking"
        path = folder / "experiments" / f"fact-checking-{name}" / "records.parquet"
        write(path, records, schemas.FACT_CHECKING, stated)


def make_fine_tuning(folder: Path, frame: pd.DataFrame, degenerate: set[str], scenario: Scenario) -> None:
    """Write the records, the changes and the costs of the fine-tuning experiments."""
    questions = choose_questions(frame, degenerate, TuningFactsSettings(12, 12, 0.34, 0))
    new = [question for question in questions if question.split == NEW]
    for tuned, names in TUNED_SETS.items():
        target = folder / "experiments" / f"fine-tuning-{tuned}"
        stated: dict[str, Any] = {"subset": tuned, "minimum": scenario.minimum, "new_facts": len(new)}
        answered, changed, sets = [pd.DataFrame()], [pd.DataFrame()], []
        if len(new) < scenario.minimum:
            stated["not_run"] = f"{len(new)} degenerate facts of different subjects, fewer than the minimum"
        runs = [(name, number) for name in names for number in range(2)]
        for name, number in [] if "not_run" in stated else runs:
            asked = pd.DataFrame([vars(question) for question in questions])
            for epoch in EPOCHS:
                correct = draw(name, number, epoch).random(len(asked)) < 0.6
                about = {"neuron_set": name, "draw": number, "learning_rate": 0.1, "epoch": epoch}
                answered.append(asked.assign(**about, chosen=epoch > 0, correct=correct, log_prob=-1.0))
            changed.append(_changes(scenario).assign(neuron_set=name, draw=number))
            costs = {"neurons": 3, "trained_parameters": 9, "optimiser_state_bytes": 9, "peak_memory_bytes": 9}
            rates = {"learning_rate": 0.1, "lowest_rate": 0.1, "highest_rate": 0.1, "learning_rate_inside": False}
            tried = [{"learning_rate": 0.1, "score": 0.5, "epoch": 2}]
            run = {"neuron_set": name, "draw": number, "epoch": 2, "training_seconds": 0.5}
            sets.append({**run, **costs, **rates, "tried_rates": tried})
        write(target / "records.parquet", pd.concat(answered), schemas.FINE_TUNING, "experiment-fine-tuning")
        write(target / "changes.parquet", pd.concat(changed), schemas.CHANGES, "experiment-fine-tuning")
        write_json(target / "training.json", stated if "not_run" in stated else {**stated, "sets": sets})
    full, overlap = folder / "experiments" / f"fine-tuning-{ALL}", folder / "experiments" / "overlap-fine-tuning"
    stage(
        "experiment-overlap",
        changes=full / "changes.parquet",
        learnt=full / "records.parquet",
        neurons=folder / "knowledge_neurons.parquet",
        components=folder / "components" / "ntc.parquet",
        draws=2,
        seed=0,
        output=overlap / "records.parquet",
        curves=overlap / "curves.parquet",
        members=overlap / "members.parquet",
    )


def _changes(scenario: Scenario) -> pd.DataFrame:
    """Changes of every neuron."""
    shape = scenario.layers, scenario.neurons
    layer, neuron = (index.ravel() for index in np.indices(shape))
    parts = ("activation", "reading", "writing", "both", "absolute")
    columns = {part: draw(part).random(layer.size) for part in parts}
    return pd.DataFrame({"layer": layer, "neuron": neuron, **columns})


def make_model(folder: Path, scenario: Scenario) -> None:
    """Write a folder of weights that nobody reads."""
    folder.mkdir(parents=True)
    save_file({"weights": np.zeros(scenario.layers * scenario.neurons, np.float32)}, folder / "model.safetensors")
    settings = {"layers": scenario.layers, "width": 8, "architecture": "gpt2"}
    write_json(folder / "provenance.json", {"stage": "model-trained", "settings": settings})


def make_study(folder: Path, scenario: Scenario) -> None:
    """Write everything that the stages without a model read."""
    make_facts(folder, scenario)
    facts = folder / "facts" / "facts.parquet"
    for name in scenario.models:
        of_model, home = scenario.of_model(name), folder / name
        make_model(home / "model", of_model)
        make_neurons(home, read_table(facts, schemas.FACTS), of_model)
        make_components(home, of_model)
        frame = study_facts(facts, home / "known.parquet", "all")
        members = neuron_sets(read_table(home / "knowledge_neurons.parquet", schemas.KNOWLEDGE_NEURONS))
        components = read_table(home / "components" / "ntc.parquet", schemas.COMPONENTS)
        make_degeneracy(home, frame, members)
        make_sharing(home, frame, members, components, of_model)
        make_perturbation(home, frame, members, components, of_model.neurons)
        make_ablation(home, frame, members, of_model)
        make_fact_checking(home, frame, members, components)
        make_fine_tuning(home, frame, set(dkn_sets(components, members, fewest=2)), of_model)
