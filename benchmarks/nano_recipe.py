"""How much nano models resemble a pretrained one, by the recipe that they are trained with.

    python benchmarks/nano_recipe.py                                       # the candidates of gpt2, minutes each
    python benchmarks/nano_recipe.py --architecture llama --candidates default other-answers
    python benchmarks/nano_recipe.py --model results/smollm2/smollm2-135m/model     # the reference alone

Each candidate is trained on the bundled facts, and four figures of it are printed beside those of SmolLM2-135M: the
median Prob of the facts that it knows, the share of Prob that is left with all of a fact's knowledge neurons (KNs)
suppressed, how evenly KNs are spread over layers, and the share of neurons that are a KN of some fact. The last three
are measured on as many known facts of every model. The distance of a candidate is the sum of the four absolute
differences. Nothing else of a model is looked at, no grouping and no experiment.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))

import numpy as np
import pandas as pd
import torch
import yaml
from transformers.utils import logging

from dkn.attribution.integrated_gradients import AttributionSettings, attribute, score_rows
from dkn.attribution.selection import knowledge_neurons
from dkn.decoder.encoded_facts import batches, encode_all, facts_that_fit
from dkn.decoder.known_facts import known_facts
from dkn.decoder.loading import LanguageModel, adapt, load
from dkn.decoder.row_budget import RowBudget
from dkn.facts.schema import Fact
from dkn.facts.sources import FactsSource, read_facts, read_templates
from dkn.models.nano import TrainingSettings, train
from dkn.neurons.interventions import answer_log_probs
from dkn.neurons.sets import NO_NEURONS, neuron_sets
from dkn.randomness import generator

ROOT = Path(__file__).parents[1]
FLOOR, FRACTION = 0.05, 0.2  # of a fact's largest score: what is kept, and what is a KN; the default study's


@dataclass(frozen=True)
class Resemblance:
    """The four figures, each from 0 to 1.

    Attributes:
        prob: the median Prob of the facts that the model knows.
        left: the mean share of a fact's Prob that is left with all of its KNs suppressed.
        spread: the entropy of the KNs' distribution over layers, relative to that of an even one.
        shared: the share of all neurons that are a KN of some fact.
    """

    prob: float
    left: float
    spread: float
    shared: float

    def distance(self, other: Resemblance) -> float:
        """Return the sum of the four absolute differences, from 0 to 4."""
        return float(np.abs(np.subtract(astuple(self), astuple(other))).sum())


SMOLLM2 = Resemblance(prob=0.297, left=0.030, spread=0.727, shared=0.035)  # as --model prints it
BARE: dict[str, Any] = {"dropout": 0.0, "weight_decay": 0.01, "label_smoothing": 0.0}
SMALL: dict[str, Any] = {"layers": 6, "width": 64, "learning_rate": 0.004}
CANDIDATES: dict[str, dict[str, Any]] = {
    "default": {},
    "learnt-by-heart": {**BARE, "dropout": 0.1, "epochs": 36},
    "early-stop": {**BARE, "dropout": 0.1, "epochs": 16},
    "no-dropout": {**BARE, "epochs": 16},
    "no-dropout-early": {**BARE, "epochs": 10},
    "weight-decay": {**BARE, "epochs": 16, "weight_decay": 1.0},
    "smooth": {**BARE, "epochs": 14, "label_smoothing": 0.2},
    "smooth-short": {**BARE, "epochs": 11, "label_smoothing": 0.2},
    "smooth-long": {**BARE, "epochs": 20, "label_smoothing": 0.2},
    "smoother": {**BARE, "epochs": 14, "label_smoothing": 0.3},
    "smooth-decay": {**BARE, "epochs": 14, "label_smoothing": 0.2, "weight_decay": 0.5},
    "smooth-dropout": {**BARE, "epochs": 24, "label_smoothing": 0.2, "dropout": 0.1},
    "smooth-neurons": {**BARE, "epochs": 14, "label_smoothing": 0.2, "neurons": 1024},
    "small": {**BARE, **SMALL, "epochs": 14},
    "small-smooth": {**BARE, **SMALL, "epochs": 14, "label_smoothing": 0.2},
    "shallow": {**BARE, "epochs": 12, "layers": 4},
    "shallow-smooth": {**BARE, "epochs": 14, "layers": 4, "label_smoothing": 0.2},
    "wide": {**BARE, "layers": 4, "width": 64, "neurons": 1024, "learning_rate": 0.004, "epochs": 12},
}


def bundled_facts() -> list[Fact]:
    """All facts of the default study."""
    folder = ROOT / "resources" / "facts"
    sources = [FactsSource(str(folder / f"{name}.jsonl")) for name in ("temporal", "static")]
    return read_facts(sources, read_templates([folder / "templates.yaml"]), seed=0)[0]


def default_settings(architecture: str) -> TrainingSettings:
    """The default study's settings of an architecture, without a target."""
    models = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))["models"]
    entry = next(model for model in models if model["architecture"] == architecture)
    fields = TrainingSettings.__dataclass_fields__
    given = {**BARE, **entry, "target": 0.0}
    return TrainingSettings(**{name: value for name, value in given.items() if name in fields})


def with_knowledge_neurons(model: LanguageModel, facts: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """The facts' KNs, and the mean share of Prob that is left without them."""
    settings, budget = AttributionSettings(), RowBudget.for_model(model.adapter)
    groups = list(batches(encode_all(model, facts), 8))
    scores = [
        score_rows(result, FLOOR)
        for group in groups
        for result in attribute(model.adapter, group, model.mask_token, settings, budget)
    ]
    neurons, _ = knowledge_neurons(pd.concat(scores), FRACTION, None)
    members = neuron_sets(neurons)
    left = []
    for group in groups:
        variants = [[NO_NEURONS, members[fact.fact_id]] for fact in group]
        for log_probs in answer_log_probs(model.adapter, group, variants):
            before, after = log_probs.sum(1)
            left.append(np.exp(after - before))
    return neurons, float(np.mean(left))


def resemblance(model: LanguageModel, facts: list[Fact], sample: int) -> tuple[Resemblance, dict[str, float]]:
    """The four figures of a model, and other numbers to print beside them."""
    frame, _ = facts_that_fit(model, pd.DataFrame([asdict(fact) for fact in facts]))
    table = frame.merge(known_facts(model, frame, 64), on="fact_id")
    known = table[table["known"]]
    chosen = generator(0, "nano recipe").choice(len(known), min(sample, len(known)), replace=False)
    neurons, left = with_knowledge_neurons(model, known.iloc[np.sort(chosen)])
    adapter = model.adapter
    shares = np.bincount(neurons["layer"], minlength=adapter.n_layers) / len(neurons)
    entropy = -np.sum(shares[shares > 0] * np.log(shares[shares > 0]))
    distinct = len(neurons[["layer", "neuron"]].drop_duplicates())
    figures = Resemblance(
        float(known["prob"].median()),
        left,
        float(entropy / np.log(adapter.n_layers)),
        distinct / (adapter.n_layers * adapter.n_neurons),
    )
    return figures, {"known": len(known), "sample": len(chosen), "KNs per fact": len(neurons) / len(chosen)}


def main() -> None:
    """Print one row per candidate, or the row of a prepared model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="gpt2", choices=["gpt2", "llama"])
    parser.add_argument("--candidates", nargs="+", default=list(CANDIDATES), choices=list(CANDIDATES))
    parser.add_argument("--model", type=Path, help="a prepared model's folder; nothing is trained")
    parser.add_argument("--sample", type=int, default=150, help="known facts whose KNs are sought")
    options = parser.parse_args()
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    facts = bundled_facts()
    print("| recipe | CPU seconds | known | KNs per fact | median Prob | left | spread | neurons | distance |")
    print("|---|---|---|---|---|---|---|---|---|")
    print(f"| SmolLM2-135M | | | | {' | '.join(f'{value:.3f}' for value in astuple(SMOLLM2))} | 0 |", flush=True)
    for name in [None] if options.model else options.candidates:
        start = time.process_time()
        if name is None:
            model = load(options.model, device="cpu")
        else:
            settings = replace(default_settings(options.architecture), **CANDIDATES[name])
            trained, tokenizer, _ = train(facts, settings, seed=0)
            model = LanguageModel(adapt(trained), tokenizer)
        seconds = time.process_time() - start
        figures, others = resemblance(model, facts, options.sample)
        cells = [name or str(options.model), f"{seconds:.0f}", f"{others['known']}", f"{others['KNs per fact']:.1f}"]
        cells += [f"{value:.3f}" for value in (*astuple(figures), figures.distance(SMOLLM2))]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
