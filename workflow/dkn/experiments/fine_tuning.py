"""The fine-tuning experiment: can a model learn new facts by its degenerate knowledge neurons alone? (docs/method.md)

Selected neurons, or all parameters, are trained on new facts with false (counterfactual) answers, at several learning
rates. At regular epochs the model is asked for the new facts, for paraphrases of them that it has not seen, and for old
facts, which it must not forget. The development facts choose each neuron set's learning rate and epoch; every reported
number comes from the other facts.
"""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import torch

from dkn.decoder.encoded_facts import EncodedFact, batches, encode
from dkn.decoder.loading import LanguageModel
from dkn.decoder.prefix import read_prompts
from dkn.decoder.recall import recall
from dkn.errors import UserError
from dkn.experiments.learning_rates import RateGrid
from dkn.experiments.tuning_questions import Question
from dkn.models.answer_loss import Sentence
from dkn.neurons.sets import NeuronSet, layer_strata, matching_draw
from dkn.neurons.tuning import TuningSettings, train
from dkn.progress import progress
from dkn.randomness import generator
from dkn.study.names import ALL, DEVELOPMENT, DKN, DRAWN, KN, NEW, RANDOM

FULL_STOP = "."
NAMED_SETS, DKN_ALONE = "named", DKN  # whose neurons the sets train


@dataclass(frozen=True)
class Answers:
    """What a model answers to the questions of an exam.

    Attributes:
        correct: (questions,) whether greedy decoding gives exactly the answer.
        log_prob: (questions,) the natural log-probability of the answer.
    """

    correct: np.ndarray
    log_prob: np.ndarray


class Exam:
    """Questions in tokens, which are put to a model again and again while it is trained.

    Attributes:
        model: the model that is asked.
        questions: the questions, in the order of all answers.
        encoded: the same in tokens.
    """

    def __init__(self, model: LanguageModel, questions: Sequence[Question], batch: int):
        self.model, self.questions = model, questions
        self.encoded = [encode(model, question.key, question.prompt, question.answer) for question in questions]
        self._batches = list(batches(self.encoded, batch))
        self._index = {fact.fact_id: index for index, fact in enumerate(self.encoded)}

    def ask(self) -> Answers:
        """Ask the model all questions, in one forward pass for each batch of them."""
        correct = np.zeros(len(self.questions), dtype=bool)
        log_prob = np.zeros(len(self.questions))
        for group in self._batches:
            indices = [self._index[fact.fact_id] for fact in group]
            recalled = recall(self.model, group)
            correct[indices] = [answer.answered for answer in recalled]
            log_prob[indices] = [answer.log_probs.sum() for answer in recalled]
        return Answers(correct, log_prob)

    def development_score(self, answers: Answers) -> Fraction:
        """Return the score that chooses learning rates and epochs, between 0 and 1.

        It is the mean of the accuracies on the new, the augmented and the old questions about development facts, as an
        exact fraction of counts: two scores are equal only where they are.
        """
        asked, right = Counter[str](), Counter[str]()
        for question, correct in zip(self.questions, answers.correct.tolist(), strict=True):
            if question.role == DEVELOPMENT:
                asked[question.split] += 1
                right[question.split] += correct
        return sum((Fraction(right[split], asked[split]) for split in asked), Fraction()) / len(asked)

    def sentences(self) -> list[Sentence]:
        """Return what the model is trained on: every new fact, as a sentence with a full stop.

        The full stop is left out where it would change how the tokenizer divides the answer before it, or where it does
        not fit the model's context.
        """
        pairs = [pair for pair in zip(self.questions, self.encoded, strict=True) if pair[0].split == NEW]
        return [self._sentence(question, fact) for question, fact in pairs]

    def _sentence(self, question: Question, fact: EncodedFact) -> Sentence:
        statement = fact.prompt + fact.answer
        stopped = self.model.tokenizer(f"{question.prompt} {question.answer}{FULL_STOP}")["input_ids"]
        fits = stopped[: len(statement)] == statement and len(stopped) <= self.model.adapter.context
        return Sentence(stopped if fits else statement, len(fact.prompt))


@dataclass(frozen=True)
class Run:
    """One training run: a neuron set at a learning rate.

    Attributes:
        rate: the learning rate.
        epochs: the epochs after which the model was asked; the first is 0, before training.
        answers: what the model answered after each of these epochs.
        scores: the development score of each of these answers, exact.
        stop: the index of the highest score, the first of equals; the score before training does not count.
        changes: what ``Tuning.relative_changes`` returned at that epoch.
        parameters: how many numbers were trained.
        state_bytes: the size of the optimiser's state, in bytes.
        seconds: the time spent on training alone.
        peak_bytes: the most memory that the devices held, or the process where there is no GPU.
    """

    rate: float
    epochs: list[int]
    answers: list[Answers]
    scores: list[Fraction]
    stop: int
    changes: pd.DataFrame
    parameters: int
    state_bytes: int
    seconds: float
    peak_bytes: int

    @property
    def score(self) -> Fraction:
        """The development score at the chosen epoch."""
        return self.scores[self.stop]


@dataclass(frozen=True)
class Plan:
    """The runs of every neuron set.

    Attributes:
        grid: the learning rates to try in a set's first run.
        draws: the number of draws of each random set; draw d is trained in the order of training d.
        trainings: the number of trainings of each other set, in as many orders of the sentences.
        tuned_sets: ``named``, every set trains its own neurons; or ``dkn``, all of them but ``all`` train the
            degenerate knowledge neurons, as in the released code, whatever they are called.

    Raises:
        UserError: ``tuned_sets`` is neither of the two.
    """

    grid: RateGrid
    draws: int
    trainings: int
    tuned_sets: str = NAMED_SETS

    def __post_init__(self) -> None:
        if self.tuned_sets not in (allowed := (NAMED_SETS, DKN_ALONE)):
            raise UserError(f"unknown tuned_sets {self.tuned_sets!r}; allowed: {', '.join(allowed)}")

    def runs(self, name: str) -> int:
        """Return how often the set of that name is trained at the learning rate that its first run chose."""
        return self.draws if name in DRAWN else self.trainings


def neuron_set(
    name: str,
    draw: int,
    model: LanguageModel,
    dkn: NeuronSet,
    kn: NeuronSet,
    seed: int,
    tuned_sets: str = NAMED_SETS,
) -> NeuronSet | None:
    """Return the neurons that a named set trains; None stands for all parameters.

    Args:
        name: the name of the set: dkn, kn, random, random-kn or all.
        draw: the number of the random draw; sets that are not random ignore it.
        model: the model that is trained, for its numbers of layers and neurons.
        dkn, kn: the degenerate knowledge neurons and the knowledge neurons of the new facts.
        seed: the seed of the study.
        tuned_sets: as ``Plan`` has it.
    Raises:
        KeyError: there is no set of that name.
    """
    if tuned_sets == DKN_ALONE:
        return {DKN: dkn, KN: dkn, **dict.fromkeys(DRAWN, dkn), ALL: None}[name]
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
    """Train a neuron set at one learning rate for all epochs, and leave the model as it was.

    Args:
        exam: the questions and the model.
        neurons: the neurons to train, or None for all parameters.
        rate: the learning rate.
        before: what the model answers before training.
        settings: the number of epochs, how often the model is asked, the batch size, the seed, and what is trained.
    Raises:
        UserError: what is to be trained is not there in models of this family.
    """
    adapter = exam.model.adapter
    for device in adapter.devices:
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
    tuning = settings.tuning(adapter, neurons)
    answers, scores, changes, costs = [before], [exam.development_score(before)], None, []
    with tuning:
        for cost in train(adapter, tuning, exam.sentences(), rate, settings):
            answers.append(exam.ask())
            scores.append(exam.development_score(answers[-1]))
            costs.append(cost)
            if changes is None or scores[-1] > max(scores[1:-1]):
                changes = tuning.relative_changes()
    assert changes is not None
    stop = max(range(1, len(scores)), key=scores.__getitem__)
    count = sum(parameter.numel() for parameter in tuning.parameters)
    seconds, (_, state) = sum(spent for spent, _ in costs), costs[-1]
    epochs = [settings.ask_every * index for index in range(len(answers))]
    return Run(rate, epochs, answers, scores, stop, changes, count, state, seconds, _peak_bytes(adapter.devices))


def tune_at_all_rates(
    exam: Exam, name: str, neurons: NeuronSet | None, grid: RateGrid, before: Answers, settings: TuningSettings
) -> list[Run]:
    """Train a neuron set at every learning rate of the grid, and beyond it while the best rate is at its edge.

    Args:
        exam: the questions and the model.
        name: the name of the set, for the progress bar.
        neurons: the neurons to train, or None for all parameters.
        grid: the learning rates, and how far they may be extended.
        before: what the model answers before training.
        settings: the number of epochs, how often the model is asked, the batch size and the seed.
    Returns:
        One run per rate, the one with the best development score first; of equals the one of the smallest rate.
    """
    bar = progress(sorted(grid.rates), f"fine-tuning {name}", unit="run")
    runs = _ranked(tune(exam, neurons, rate, before, settings) for rate in bar)
    while (rate := grid.beyond([run.rate for run in runs], runs[0].rate)) is not None:
        runs = _ranked([*runs, tune(exam, neurons, rate, before, settings)])
    return runs


def _ranked(runs: Iterable[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: (-run.score, run.rate))


def records(exam: Exam, name: str, draw: int, run: Run) -> pd.DataFrame:
    """Return a run's answers: one row per question and epoch at which it was asked.

    Args:
        exam: the questions.
        name: the name of the neuron set.
        draw: the number of the training, and of the random draw of a random set.
        run: the run.
    Returns:
        The columns of ``schemas.FINE_TUNING``.
    """
    asked = pd.DataFrame([vars(question) for question in exam.questions]).drop(columns="prompt")
    tables = [
        asked.assign(
            neuron_set=name,
            draw=draw,
            learning_rate=run.rate,
            epoch=epoch,
            chosen=epoch == run.epochs[run.stop],
            correct=answers.correct,
            log_prob=answers.log_prob,
        )
        for epoch, answers in zip(run.epochs, run.answers, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def rate_choice(runs: Sequence[Run]) -> dict[str, Any]:
    """Return how a neuron set's learning rate was chosen, ready for JSON.

    Args:
        runs: a run for every rate that was tried, the best one first.
    Returns:
        ``lowest_rate`` and ``highest_rate`` that were tried; ``learning_rate_inside``, which says whether the best one
        lies between them; and ``tried_rates``, each with its best development score and the epoch of it.
    """
    tried = sorted(runs, key=lambda run: run.rate)
    lowest, highest = tried[0].rate, tried[-1].rate
    return {
        "lowest_rate": lowest,
        "highest_rate": highest,
        "learning_rate_inside": lowest < runs[0].rate < highest,
        "tried_rates": [
            {"learning_rate": run.rate, "score": float(run.score), "epoch": run.epochs[run.stop]} for run in tried
        ],
    }


def report(name: str, draw: int, neurons: NeuronSet | None, run: Run) -> dict[str, Any]:
    """Return what a training run cost and how it was stopped, ready for JSON.

    Args:
        name: the name of the neuron set.
        draw: the number of the training, and of the random draw of a random set.
        neurons: its neurons, or None for all parameters.
        run: the run.
    """
    return {
        "neuron_set": name,
        "draw": draw,
        "neurons": None if neurons is None else len(neurons),
        "trained_parameters": run.parameters,
        "optimiser_state_bytes": run.state_bytes,
        "learning_rate": run.rate,
        "epoch": run.epochs[run.stop],
        "asked_epochs": run.epochs,
        "development_scores": [float(score) for score in run.scores],
        "training_seconds": run.seconds,
        "peak_memory_bytes": run.peak_bytes,
    }


def mean_activation(exam: Exam) -> np.ndarray:
    """Return (layers, neurons) how active each neuron is on the new facts.

    It is the absolute value of the neuron, averaged over a fact's answer-predicting positions and over the new facts.
    """
    adapter = exam.model.adapter
    chosen = [fact for question, fact in zip(exam.questions, exam.encoded, strict=True) if question.split == NEW]
    total = torch.zeros(adapter.n_layers, adapter.n_neurons, dtype=torch.float64)
    for group in batches(chosen, 32):
        prefix = read_prompts(
            adapter, [fact.context for fact in group], [fact.answer_positions for fact in group], cache=False
        )
        total += torch.stack([values.double().abs().mean(1).sum(0).cpu() for values in prefix.neurons])
    return (total / len(chosen)).numpy()


def tune_sets(
    exam: Exam, names: tuple[str, ...], plan: Plan, dkn: NeuronSet, kn: NeuronSet, settings: TuningSettings
) -> tuple[pd.DataFrame, pd.DataFrame, list[dict[str, Any]]]:
    """Train all neuron sets of one experiment.

    The first run of a set chooses the learning rate of its others, which differ in the order of the sentences and, of a
    random set, in its neurons.

    Args:
        exam: the questions and the model.
        names: the names of the neuron sets.
        plan: the learning rates to try, the number of runs, and whose neurons the sets train.
        dkn, kn: the degenerate knowledge neurons and the knowledge neurons of the new facts.
        settings: the number of epochs, how often the model is asked, the batch size and the seed.
    Returns:
        The answers with the columns of ``schemas.FINE_TUNING``, the neurons' changes with those of ``schemas.CHANGES``,
        and one report per set and run.
    """
    answered, changed, reports = [], [], []
    activation, before = mean_activation(exam), exam.ask()
    for name in names:
        choice: dict[str, Any] = {}
        for draw in range(plan.runs(name)):
            neurons = neuron_set(name, draw, exam.model, dkn, kn, settings.seed, plan.tuned_sets)
            ordered = replace(settings, training=draw)
            if draw == 0:
                runs = tune_at_all_rates(exam, name, neurons, plan.grid, before, ordered)
                run, choice = runs[0], rate_choice(runs)
            else:
                run = tune(exam, neurons, run.rate, before, ordered)
            answered.append(records(exam, name, draw, run))
            changes = run.changes.assign(neuron_set=name, draw=draw)
            changed.append(changes.assign(activation=activation[changes["layer"], changes["neuron"]]))
            reports.append({**report(name, draw, neurons, run), **choice})
    return pd.concat(answered, ignore_index=True), pd.concat(changed, ignore_index=True), reports
