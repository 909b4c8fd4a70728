"""Fine-tuning: can a model learn new facts by its degenerate knowledge neurons alone? (docs/method.md)

Counterfactual facts are taught to selected neurons, or to all parameters, at several learning rates. After every
epoch the model is asked for the new facts, for their unseen paraphrases and for old facts. Facts of development
choose each set's learning rate and epoch; what is reported comes from the others.
"""

from __future__ import annotations

import resource
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from dkn.decoder.encoded_facts import EncodedFact, batches, encode
from dkn.decoder.loading import LanguageModel
from dkn.decoder.prefix import read_prompts
from dkn.decoder.recall import recall
from dkn.experiments.tuning_questions import Question
from dkn.models.answer_loss import Sentence
from dkn.neurons.sets import NeuronSet, layer_strata, matching_draw
from dkn.neurons.tuning import FullTuning, NeuronTuning, TuningSettings, train
from dkn.progress import progress
from dkn.randomness import generator
from dkn.study.names import ALL, DEVELOPMENT, DKN, DRAWN, KN, NEW, RANDOM

FULL_STOP = "."


@dataclass(frozen=True)
class Answers:
    """Per question, whether greedy decoding gives exactly its answer, and the answer's natural log-probability."""

    correct: np.ndarray
    log_prob: np.ndarray


class Exam:
    """Questions in tokens, asked again and again of a model that changes."""

    def __init__(self, model: LanguageModel, questions: Sequence[Question], batch: int):
        self.model, self.questions = model, questions
        self.encoded = [encode(model, question.key, question.prompt, question.answer) for question in questions]
        self._batches = list(batches(self.encoded, batch))
        self._place = {fact.fact_id: place for place, fact in enumerate(self.encoded)}

    def ask(self) -> Answers:
        """One forward pass over all questions."""
        correct = np.zeros(len(self.questions), dtype=bool)
        log_prob = np.zeros(len(self.questions))
        for group in self._batches:
            places = [self._place[fact.fact_id] for fact in group]
            found = recall(self.model, group)
            correct[places] = [part.known for part in found]
            log_prob[places] = [part.log_probs.sum() for part in found]
        return Answers(correct, log_prob)

    def development_score(self, answers: Answers) -> float:
        """The mean over new, augmented and old of the accuracy on the facts of development."""
        frame = pd.DataFrame({"split": [part.split for part in self.questions], "correct": answers.correct})
        development = [part.role == DEVELOPMENT for part in self.questions]
        return float(frame[development].groupby("split")["correct"].mean().mean())

    def sentences(self) -> list[Sentence]:
        """What is learnt: every new fact with its full stop, where the tokenizer leaves the answer alone before it."""
        pairs = [pair for pair in zip(self.questions, self.encoded, strict=True) if pair[0].split == NEW]
        return [self._sentence(question, fact) for question, fact in pairs]

    def _sentence(self, question: Question, fact: EncodedFact) -> Sentence:
        statement = fact.prompt + fact.answer
        stopped = self.model.tokenizer(f"{question.prompt} {question.answer}{FULL_STOP}")["input_ids"]
        tokens = stopped if stopped[: len(statement)] == statement else statement
        return Sentence(tokens, len(fact.prompt))


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        rate: its learning rate.
        epochs: when it was asked: 0, before training, and after every ``ask_every`` epochs.
        answers: those it gave, and
        scores: their development scores.
        stop: which of them has the highest score, the first of equals, and not the one before training.
        changes: ``Tuning.relative_changes`` then.
        parameters: trained numbers.
        state_bytes: the optimiser's state.
        seconds: spent on training alone.
        peak_bytes: the most memory of the devices, or of the process where there is no GPU.
    """

    rate: float
    epochs: list[int]
    answers: list[Answers]
    scores: list[float]
    stop: int
    changes: pd.DataFrame
    parameters: int
    state_bytes: int
    seconds: float
    peak_bytes: int


def neuron_set(
    name: str, draw: int, model: LanguageModel, dkn: NeuronSet, kn: NeuronSet, seed: int
) -> NeuronSet | None:
    """The neurons that a named set trains, in its draw where it is random; None stands for all parameters."""
    if name in DRAWN:
        strata = layer_strata(model.adapter.n_layers, model.adapter.n_neurons)
        like = dkn if name == RANDOM else kn
        return matching_draw(like, strata, generator(seed, f"fine-tuning/{name}", str(draw)))
    return {DKN: dkn, KN: kn, ALL: None}[name]


def _peak_bytes(devices: Sequence[torch.device]) -> int:
    if devices[0].type == "cuda":
        return sum(map(torch.cuda.max_memory_allocated, devices))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def tune(exam: Exam, neurons: NeuronSet | None, rate: float, before: Answers, settings: TuningSettings) -> Run:
    """Train one set at one rate for the whole budget, and leave the model as it was."""
    adapter = exam.model.adapter
    for device in adapter.devices:
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
    tuning = FullTuning(adapter) if neurons is None else NeuronTuning(adapter, neurons)
    answers, scores, changes, costs = [before], [exam.development_score(before)], None, []
    with tuning:
        for cost in train(adapter, tuning, exam.sentences(), rate, settings):
            answers.append(exam.ask())
            scores.append(exam.development_score(answers[-1]))
            costs.append(cost)
            if changes is None or scores[-1] > max(scores[1:-1]):
                changes = tuning.relative_changes()
    assert changes is not None
    stop = 1 + int(np.argmax(scores[1:]))
    count = sum(parameter.numel() for parameter in tuning.parameters)
    seconds, (_, state) = sum(spent for spent, _ in costs), costs[-1]
    epochs = [settings.ask_every * place for place in range(len(answers))]
    return Run(rate, epochs, answers, scores, stop, changes, count, state, seconds, _peak_bytes(adapter.devices))


def tune_at_all_rates(
    exam: Exam, name: str, neurons: NeuronSet | None, rates: Sequence[float], settings: TuningSettings
) -> list[Run]:
    """A run for every learning rate, the best by its development score first (of equals, the smallest rate)."""
    before = exam.ask()
    bar = progress(sorted(rates), f"fine-tuning {name}", unit="run")
    runs = [tune(exam, neurons, rate, before, settings) for rate in bar]
    return sorted(runs, key=lambda run: -run.scores[run.stop])


def records(exam: Exam, name: str, draw: int, run: Run) -> pd.DataFrame:
    """One row per question and asked epoch; columns as in ``tables.FINE_TUNING``."""
    asked = pd.DataFrame([vars(question) for question in exam.questions]).drop(columns="prompt")
    parts = [
        asked.assign(
            neuron_set=name,
            draw=draw,
            learning_rate=run.rate,
            epoch=epoch,
            chosen=epoch == run.epochs[run.stop],
            correct=found.correct,
            log_prob=found.log_prob,
        )
        for epoch, found in zip(run.epochs, run.answers, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def report(name: str, draw: int, neurons: NeuronSet | None, runs: Sequence[Run]) -> dict[str, Any]:
    """What a set's runs cost and how its learning rate was chosen, ready for JSON."""
    best = runs[0]
    return {
        "neuron_set": name,
        "draw": draw,
        "neurons": None if neurons is None else len(neurons),
        "trained_parameters": best.parameters,
        "optimiser_state_bytes": best.state_bytes,
        "learning_rate": best.rate,
        "learning_rate_at_edge": len(runs) > 1 and best.rate in (min(r.rate for r in runs), max(r.rate for r in runs)),
        "epoch": best.epochs[best.stop],
        "asked_epochs": best.epochs,
        "development_scores": {str(run.rate): run.scores for run in sorted(runs, key=lambda run: run.rate)},
        "training_seconds": best.seconds,
        "peak_memory_bytes": best.peak_bytes,
    }


def mean_activation(exam: Exam) -> np.ndarray:
    """(layers, neurons): mean absolute value at the answer-predicting positions, averaged over the new facts."""
    adapter = exam.model.adapter
    chosen = [fact for question, fact in zip(exam.questions, exam.encoded, strict=True) if question.split == NEW]
    total = torch.zeros(adapter.n_layers, adapter.n_neurons, dtype=torch.float64)
    for group in batches(chosen, 32):
        prefix = read_prompts(
            adapter, [fact.context for fact in group], [fact.answer_positions for fact in group], cache=False
        )
        total += torch.stack([part.double().abs().mean(1).sum(0).cpu() for part in prefix.neurons])
    return (total / len(chosen)).numpy()


def tune_sets(
    exam: Exam,
    names: tuple[str, ...],
    draws: int,
    dkn: NeuronSet,
    kn: NeuronSet,
    rates: list[float],
    settings: TuningSettings,
) -> tuple[pd.DataFrame, pd.DataFrame, list[dict[str, Any]]]:
    """Records, changes and reports of one experiment's sets; a random set's first draw chooses the rate of all."""
    answered, changed, reports = [], [], []
    activation = mean_activation(exam)
    for name in names:
        tried = rates
        for draw in range(draws if name in DRAWN else 1):
            neurons = neuron_set(name, draw, exam.model, dkn, kn, settings.seed)
            runs = tune_at_all_rates(exam, name, neurons, tried, settings)
            tried = [runs[0].rate]
            answered.append(records(exam, name, draw, runs[0]))
            changes = runs[0].changes.assign(neuron_set=name, draw=draw)
            changed.append(changes.assign(activation=activation[changes["layer"], changes["neuron"]]))
            reports.append(report(name, draw, neurons, runs))
    return pd.concat(answered, ignore_index=True), pd.concat(changed, ignore_index=True), reports
