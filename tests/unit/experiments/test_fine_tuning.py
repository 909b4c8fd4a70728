"""The fine-tuning experiment on models in which it is known who can learn."""

from __future__ import annotations

import copy
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from dkn.decoder.adapters import Adapter
from dkn.decoder.loading import LanguageModel, adapt
from dkn.errors import UserError
from dkn.experiments.fine_tuning import (
    Answers,
    Exam,
    Plan,
    Run,
    mean_activation,
    neuron_set,
    rate_choice,
    records,
    report,
    tune,
    tune_at_all_rates,
    tune_sets,
)
from dkn.experiments.learning_rates import RateGrid
from dkn.experiments.tuning_questions import Question
from dkn.neurons.sets import NeuronSet
from dkn.neurons.tuning import TuningSettings
from dkn.statistics.inference import StatisticsSettings
from dkn.storage.schemas import CHANGES, FINE_TUNING
from dkn.study.names import ALL, AUGMENTED, DEVELOPMENT, DKN, KN, NEW, OLD, RANDOM, RANDOM_KN, TEST
from dkn.summaries.fine_tuning import METRICS, summarise
from tests.conftest import CONTEXT, VOCABULARY
from tests.unit.neuron_sets import assert_same_bits, pairs_of, random_set, weights_of

SETTINGS = TuningSettings(epochs=20, ask_every=1, batch=4, seed=0)
LONG = TuningSettings(epochs=60, ask_every=5, batch=4, seed=0)
STATISTICS = StatisticsSettings(resamples=2000, confidence=0.95, seed=0)
DEAD = 1  # the layer whose MLP reads nothing
RATE = 0.03


def greedy_answer(model: LanguageModel, prompt: str) -> str:
    """The model's own first word of forty after a prompt."""
    tokens = torch.tensor([model.tokenizer(prompt)["input_ids"]])
    return f"w{int(model.adapter.model(tokens).logits[0, -1, 1:41].argmax())}"


def made_questions(model: LanguageModel, facts: int = 15) -> list[Question]:
    """As many new facts as old ones, each of a subject of its own; a third of them of development."""
    draw = np.random.default_rng(0)
    asked = []
    for number in range(2 * facts):
        subject = f"{'abcd'[number // 9]}{number % 9}"
        prompts = [f"{subject} w{7 + wording} w{3 + number % 4} w1" for wording in range(3)]
        role = DEVELOPMENT if number % 3 == 0 else TEST
        about = (subject, subject, "P1", role)
        if number % 2:
            asked.append(Question(*about, OLD, 0, prompts[0], greedy_answer(model, prompts[0])))
        else:
            answer = f"w{draw.integers(20, 40)}"
            asked.append(Question(*about, NEW, 0, prompts[0], answer))
            asked += [Question(*about, AUGMENTED, place, prompts[1 + place], answer) for place in range(2)]
    return asked


@pytest.fixture(scope="module")
def planted(adapter: Adapter, tokenizer: Any) -> LanguageModel:
    """A model with one layer whose MLP reads zeros, so that its neurons can learn nothing whatever they do."""
    model = copy.deepcopy(adapter.model)
    with torch.no_grad():
        if model.config.model_type == "gpt2":
            block = model.transformer.h[DEAD]
            for part in (block.ln_2.weight, block.ln_2.bias, block.mlp.c_fc.bias):
                part.zero_()
        else:
            block = model.model.layers[DEAD]
            block.post_attention_layernorm.weight.zero_()
            for bias in (block.mlp.gate_proj.bias, block.mlp.up_proj.bias):
                if bias is not None:
                    bias.zero_()
    return LanguageModel(adapt(model), tokenizer)


@pytest.fixture(scope="module")
def exam(planted: LanguageModel) -> Exam:
    return Exam(planted, made_questions(planted), batch=64)


def live_set(model: LanguageModel, seed: int, size: int = 70) -> NeuronSet:
    """Random neurons of the first layer."""
    return NeuronSet(np.zeros(size, dtype=int), np.random.default_rng(seed).choice(80, size, replace=False))


def trained(
    exam: Exam, name: str, neurons: NeuronSet | None, draw: int = 0, settings: TuningSettings = SETTINGS
) -> pd.DataFrame:
    run = tune(exam, neurons, RATE, exam.ask(), replace(settings, training=draw))
    return records(exam, name, draw, run)


def contrasts(first: pd.DataFrame, *others: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(summarise(first, pd.concat(others), STATISTICS)["contrasts"])


def test_planted_neurons_learn_and_dead_ones_cannot(exam: Exam) -> None:
    """The live set reaches full training; the dead set learns nothing and forgets nothing."""
    before = weights_of(exam.model.adapter.model)
    live = live_set(exam.model, 0)
    dead = NeuronSet(np.full(len(live), DEAD), live.neurons)
    sets = ((DKN, live), (RANDOM, dead), (ALL, None))
    tables = [pd.concat(trained(exam, name, part, draw, LONG) for draw in range(2)) for name, part in sets]
    assert_same_bits(exam.model.adapter.model, before)
    found = contrasts(*tables).set_index(["second", "split", "metric"])
    assert found.loc[(RANDOM, NEW, "accuracy"), "difference"] > 0.8
    assert found.loc[(RANDOM, NEW, "accuracy"), "p_holm"] < 0.05
    assert found.loc[(ALL, NEW, "accuracy"), "difference"] > -0.1
    assert found.loc[(ALL, NEW, "accuracy"), "first_draws"] == 2
    after, start = (tables[1][tables[1]["epoch"] == epoch]["log_prob"].to_numpy() for epoch in (LONG.epochs, 0))
    assert np.array_equal(after, start)


def test_a_random_set_is_one_of_its_control(exam: Exam) -> None:
    """The planted null: of eight random sets three in turn are taken for trainings of DKNs, and four for the control.

    Resampling facts alone does not know that two random sets, once trained, differ: it errs more often than it says.
    """
    sets = [trained(exam, DKN, live_set(exam.model, seed), seed) for seed in range(8)]
    wrong, wrong_over_facts = [], []
    for place in range(8):
        own = pd.concat([sets[(place + step) % 8].assign(draw=step) for step in range(3)])
        control = [sets[(place + step) % 8].assign(neuron_set=RANDOM, draw=step) for step in range(3, 7)]
        found = contrasts(own, *control)
        assert len(found) == 3 * len(METRICS)
        wrong.append((found["p_holm"] < 0.05).any())
        wrong_over_facts.append((found["p_facts"] < 0.05).mean())
    assert sum(wrong) <= 1
    assert np.mean(wrong_over_facts) > 0.05


def test_the_same_seed_gives_the_same_records(exam: Exam) -> None:
    first, second = (trained(exam, DKN, live_set(exam.model, 3)) for _ in range(2))
    assert first.equals(second)
    assert (first.groupby("epoch")["chosen"].nunique() == 1).all()
    assert first.loc[first["chosen"], "epoch"].nunique() == 1


def test_answers_are_those_of_one_question_alone(exam: Exam) -> None:
    """Whatever the batch, in the questions' own order: by the Hugging Face model."""
    found = exam.ask()
    for place in (0, 4, 11, 30):
        question = exam.questions[place]
        tokens = exam.model.tokenizer(f"{question.prompt} {question.answer}")["input_ids"]
        logits = exam.model.adapter.model(torch.tensor([tokens])).logits[0]
        expected = logits[-2].log_softmax(-1)[tokens[-1]]
        assert found.log_prob[place] == pytest.approx(float(expected), abs=1e-4)
        assert found.correct[place] == (
            int(logits[-2].argmax()) == tokens[-1]
            and not exam.model.tokenizer.decode(int(logits[-1].argmax()))[0].isalnum()
        )


def test_sentences_are_the_new_facts_with_their_full_stop(exam: Exam) -> None:
    new = [question for question in exam.questions if question.split == NEW]
    decode = exam.model.tokenizer.decode
    assert [decode(sentence.tokens) for sentence in exam.sentences()] == [f"{q.prompt} {q.answer}." for q in new]
    assert [decode(s.tokens[s.answer_start :]) for s in exam.sentences()] == [f" {q.answer}." for q in new]


def test_a_full_stop_that_does_not_fit_the_context_is_left_out(exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
    longest = max(len(sentence.tokens) for sentence in exam.sentences())
    monkeypatch.setattr(exam.model.adapter, "context", longest - 1)
    assert max(len(sentence.tokens) for sentence in exam.sentences()) == longest - 1


def test_the_development_score_by_hand(exam: Exam) -> None:
    """Mean of the three accuracies, of development alone; what happens to test facts does not matter."""
    correct = np.zeros(len(exam.questions), dtype=bool)
    new = [place for place, part in enumerate(exam.questions) if (part.split, part.role) == (NEW, DEVELOPMENT)]
    old = [place for place, part in enumerate(exam.questions) if (part.split, part.role) == (OLD, DEVELOPMENT)]
    correct[[*new[:2], *old]] = True
    for value in (False, True):
        correct[[part.role == TEST for part in exam.questions]] = value
        score = exam.development_score(Answers(correct, np.zeros(len(correct))))
        assert score == (Fraction(2, len(new)) + 0 + 1) / 3


def test_scores_are_equal_where_counts_are(exam: Exam) -> None:
    """Three of five answered here or there: in floating point 3/5 and 1/5 + 2/5 have different thirds."""
    scores = []
    for right in ((0, 0, 3), (1, 0, 2), (3, 0, 0)):
        left = dict(zip((NEW, AUGMENTED, OLD), right, strict=True))
        correct = np.zeros(len(exam.questions), dtype=bool)
        for place, question in enumerate(exam.questions):
            if question.role == DEVELOPMENT and left[question.split]:
                correct[place], left[question.split] = True, left[question.split] - 1
        scores.append(exam.development_score(Answers(correct, np.zeros(len(correct)))))
    assert (0 + 0 + 3 / 5) / 3 != (1 / 5 + 0 + 2 / 5) / 3
    assert scores == [Fraction(1, 5)] * 3


def test_the_best_rate_wins_and_of_equals_the_smallest(exam: Exam) -> None:
    edit = live_set(exam.model, 0)
    runs = tune_at_all_rates(exam, DKN, edit, RateGrid([1e-9, 0.03, 1e-10], 0), exam.ask(), SETTINGS)
    assert [run.rate for run in runs] == [0.03, 1e-10, 1e-9]
    best = runs[0]
    assert best.score == best.scores[best.stop] == max(best.scores[1:])
    assert best.scores.index(best.score, 1) == best.stop
    assert runs[1].stop == 1, "of equal epochs the first"
    assert report(DKN, 0, edit, best)["trained_parameters"] == 2 * len(edit) * exam.model.adapter.width
    choice = rate_choice(runs)
    assert (choice["lowest_rate"], choice["highest_rate"], choice["learning_rate_inside"]) == (1e-10, 0.03, False)
    assert [row["learning_rate"] for row in choice["tried_rates"]] == [1e-10, 1e-9, 0.03]
    assert choice["tried_rates"][-1]["score"] == pytest.approx(float(best.score))


def test_the_search_goes_on_until_the_best_rate_is_inside(exam: Exam) -> None:
    """From rates at which nothing is learnt up to one that is too high; with a lower limit it ends before."""
    edit, before = live_set(exam.model, 0), exam.ask()
    runs = tune_at_all_rates(exam, DKN, edit, RateGrid([0.001, 0.01], 3), before, SETTINGS)
    rates = [run.rate for run in runs]
    assert rates[0] > 0.001
    assert rate_choice(runs)["learning_rate_inside"] == (min(rates) < rates[0] < max(rates))
    assert rate_choice(runs)["learning_rate_inside"] or len(runs) == 5
    assert rates[0] == min(run.rate for run in runs if run.score == max(run.score for run in runs))
    few = tune_at_all_rates(exam, DKN, edit, RateGrid([1e-9, 1e-4], 1), before, SETTINGS)
    assert len(few) <= 3


def test_changes_are_those_of_the_chosen_epoch(exam: Exam) -> None:
    """Training to the chosen epoch and no further gives the same changes."""
    edit, before = live_set(exam.model, 0), exam.ask()
    best = tune(exam, edit, RATE, before, LONG)
    assert best.stop < len(best.epochs) - 1
    again = tune(exam, edit, RATE, before, replace(LONG, epochs=best.epochs[best.stop]))
    assert again.stop == best.stop
    pd.testing.assert_frame_equal(again.changes, best.changes)


def test_named_sets(planted: LanguageModel) -> None:
    dkn, kn = random_set(planted.adapter, 20, 0), random_set(planted.adapter, 50, 1)
    assert neuron_set(ALL, 0, planted, dkn, kn, 0) is None
    assert neuron_set(DKN, 0, planted, dkn, kn, 0) is dkn
    assert neuron_set(KN, 0, planted, dkn, kn, 0) is kn
    for name, like in ((RANDOM, dkn), (RANDOM_KN, kn)):
        found, other = (neuron_set(name, draw, planted, dkn, kn, 0) for draw in (0, 1))
        assert found is not None
        assert other is not None
        assert pairs_of(found) != pairs_of(other)
        assert np.array_equal(np.sort(found.layers), np.sort(like.layers))
        assert pairs_of(found) != sorted(pairs_of(like))


def test_mean_activation_by_hooks(exam: Exam) -> None:
    """Of every new fact once, at the positions that predict its answer."""
    adapter, seen = exam.model.adapter, []
    handle = adapter.projections(0)[1].register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0][0, -1]))
    new = [question for question in exam.questions if question.split == NEW]
    for question in new:
        adapter.model(torch.tensor([exam.model.tokenizer(question.prompt)["input_ids"]]))
    handle.remove()
    found = mean_activation(exam)
    assert found.shape == (adapter.n_layers, adapter.n_neurons)
    assert np.allclose(found[0], torch.stack(seen).abs().mean(0).numpy(), atol=1e-5)
    assert not found[DEAD].any()


def test_runs_of_a_set_share_the_rate_that_the_first_one_chose(exam: Exam) -> None:
    """Every run has its answers, changes and report; what the search said of the first run it says of all."""
    dkn, kn = live_set(exam.model, 0, 20), live_set(exam.model, 1, 30)
    short = TuningSettings(epochs=2, ask_every=1, batch=8, seed=0)
    plan = Plan(RateGrid([1e-3, 0.03], 0), draws=2, trainings=3)
    answers, changes, reports = tune_sets(exam, (DKN, RANDOM), plan, dkn, kn, short)
    runs = [(DKN, 0), (DKN, 1), (DKN, 2), (RANDOM, 0), (RANDOM, 1)]
    assert [(part["neuron_set"], part["draw"]) for part in reports] == runs
    for name in (DKN, RANDOM):
        own = [part for part in reports if part["neuron_set"] == name]
        for key in ("learning_rate", "learning_rate_inside", "lowest_rate", "highest_rate", "tried_rates"):
            assert all(part[key] == own[0][key] for part in own)
        assert not own[-1]["learning_rate_inside"], "of two rates without extensions one is always at the edge"
    assert set(FINE_TUNING.names) <= set(answers)
    assert answers.groupby(["neuron_set", "draw"]).size().to_dict() == dict.fromkeys(runs, 3 * len(exam.questions))
    assert set(CHANGES.names) <= set(changes)
    assert changes.groupby(["neuron_set", "draw"]).size().to_dict() == dict.fromkeys(runs, len(dkn))
    own_changes = changes[changes["neuron_set"] == DKN]
    places = own_changes["layer"], own_changes["neuron"]
    assert own_changes["activation"].to_numpy() == pytest.approx(mean_activation(exam)[places])


def test_trainings_differ_and_each_is_what_tuning_alone_gives(exam: Exam) -> None:
    dkn = live_set(exam.model, 0, 20)
    short = TuningSettings(epochs=2, ask_every=1, batch=8, seed=0)
    answers, _, reports = tune_sets(exam, (DKN,), Plan(RateGrid([RATE], 3), 2, 2), dkn, dkn, short)
    expected = [trained(exam, DKN, dkn, draw, short) for draw in range(2)]
    pd.testing.assert_frame_equal(answers, pd.concat(expected, ignore_index=True))
    ends = [table.loc[table["epoch"] == 2, "log_prob"].to_numpy() for table in expected]
    assert not np.allclose(*ends)
    assert (reports[0]["neurons"], reports[0]["learning_rate_inside"]) == (20, False)


def test_draws_take_the_orders_of_the_trainings(exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw d of a random set is trained in the order of training d."""
    dkn = live_set(exam.model, 0, 20)
    run, seen = tune(exam, dkn, RATE, exam.ask(), TuningSettings(2, 1, 8, 0)), []

    def tuned(*arguments: Any) -> Run:
        seen.append(arguments[-1].training)
        return run

    monkeypatch.setattr("dkn.experiments.fine_tuning.tune", tuned)
    tune_sets(exam, (DKN, RANDOM), Plan(RateGrid([RATE], 0), 3, 2), dkn, dkn, SETTINGS)
    assert seen == [0, 1, 0, 1, 2]


def test_sets_of_every_name_may_train_the_same_neurons(exam: Exam) -> None:
    """All but ``all``: what they answer and change is what ``dkn`` does in as many trainings."""
    dkn, kn = live_set(exam.model, 0, 20), live_set(exam.model, 1, 30)
    short = TuningSettings(epochs=2, ask_every=1, batch=8, seed=0)
    plan = Plan(RateGrid([RATE], 0), draws=2, trainings=2, tuned_sets="dkn")
    answers, changes, reports = tune_sets(exam, (DKN, KN, RANDOM, RANDOM_KN, ALL), plan, dkn, kn, short)
    alone = tune_sets(exam, (DKN,), replace(plan, tuned_sets="named"), dkn, kn, short)
    for table, expected in ((answers, alone[0]), (changes, alone[1])):
        for name in (DKN, KN, RANDOM, RANDOM_KN):
            own = table[table["neuron_set"] == name].assign(neuron_set=DKN).reset_index(drop=True)
            pd.testing.assert_frame_equal(own, expected)
    assert [part["neurons"] for part in reports] == [20] * 8 + [None] * 2
    with pytest.raises(UserError, match="unknown tuned_sets 'kn'; allowed: named, dkn"):
        replace(plan, tuned_sets="kn")


def test_tuning_follows_the_settings(exam: Exam) -> None:
    """Reading vectors, biases, embeddings and last norm are counted, learn, and are restored; LLaMA refuses."""
    adapter = exam.model.adapter
    before, edit = weights_of(adapter.model), live_set(exam.model, 0, 20)
    settings = TuningSettings(epochs=4, ask_every=2, batch=8, seed=0, trained="reading-and-embeddings", steps=2)
    if adapter.model.config.model_type != "gpt2":
        with pytest.raises(UserError, match="gpt2 only, not of llama"):
            tune(exam, edit, RATE, exam.ask(), settings)
        return
    run = tune(exam, edit, RATE, exam.ask(), settings)
    outside = (VOCABULARY + CONTEXT + 2) * adapter.width
    assert report(DKN, 0, edit, run)["trained_parameters"] == 20 * (adapter.width + 1) + outside
    new = [part.split == NEW for part in exam.questions]
    assert run.answers[-1].log_prob[new].mean() > run.answers[0].log_prob[new].mean() + 1
    assert (run.changes["writing"] == 0).all()
    assert (run.changes["reading"] > 0).all()
    assert_same_bits(adapter.model, before)
    everything = tune(exam, None, RATE, exam.ask(), settings)
    assert everything.parameters == sum(part.numel() for part in adapter.model.parameters())
