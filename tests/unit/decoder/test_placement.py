"""One model over several devices gives what it gives on one, and never mixes tensors of two."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch

from dkn.attribution.integrated_gradients import AttributionSettings, attribute
from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import LanguageModel, adapt
from dkn.decoder.placement import runs
from dkn.models.answer_loss import Sentence
from dkn.neurons.interventions import ENHANCE, answer_scores, edited_weights
from dkn.neurons.sets import NO_NEURONS, NeuronSet
from dkn.neurons.tuning import FullTuning, NeuronTuning, TuningSettings, train
from dkn.structure.distances import connection_vectors
from tests.unit.pretended_devices import pretended_devices

NEURONS = NeuronSet(np.array([0, 1, 1, 2]), np.array([3, 5, 70, 9]))


@pytest.mark.parametrize(
    ("rest", "layers", "devices", "expected"),
    [
        (0, [1, 1, 1, 1], 2, [0, 0, 1, 1]),
        (2, [1, 1, 1, 1], 2, [0, 1, 1, 1]),
        (2, [1] * 10, 3, [0, 0, 1, 1, 1, 1, 2, 2, 2, 2]),
        (100, [1, 1], 2, [1, 1]),
        (0, [1], 3, [1]),
        (1, [5, 5, 5], 1, [0, 0, 0]),
    ],
)
def test_layers_are_cut_into_runs_of_equal_size(
    rest: int, layers: list[int], devices: int, expected: list[int]
) -> None:
    assert runs(rest, layers, devices) == expected


def everything(model: LanguageModel, facts: list[EncodedFact]) -> list[np.ndarray]:
    """The numbers of all that is done with a model."""
    adapter = model.adapter
    found: list[np.ndarray] = []
    for settings in (
        AttributionSettings(),
        AttributionSettings(baseline="zero", quadrature="gauss-legendre"),
        AttributionSettings(baseline="zero", site="preactivation"),
    ):
        for one in attribute(adapter, facts, 0, settings):
            found += [one.scores.numpy(), one.prob, one.change, one.total]
    variants = [[NO_NEURONS, NEURONS, NEURONS.take([2, 3])], [NEURONS.take([3])]]
    for site in ("values", "weights"):
        for scores in answer_scores(adapter, facts, variants, ENHANCE, site):
            found += [scores.log_probs, scores.greedy]
    found.append(answer_scores(adapter, facts[:1], [[NO_NEURONS]], site="weights")[0].log_probs)
    with edited_weights(adapter, NEURONS, ENHANCE):
        found.append(answer_scores(adapter, facts[:1], [[NO_NEURONS]])[0].log_probs)
    found += connection_vectors(adapter, NEURONS, fold_norm=True)
    return found


def after_training(model: LanguageModel, facts: list[EncodedFact], neurons: NeuronSet | None) -> list[np.ndarray]:
    """What fine-tuning does, and that the model is afterwards what it was."""
    adapter = model.adapter
    tuning = FullTuning(adapter) if neurons is None else NeuronTuning(adapter, neurons)
    sentences = [Sentence(fact.prompt + fact.answer, len(fact.prompt)) for fact in facts]
    with tuning:
        for _ in train(adapter, tuning, sentences, 0.01, TuningSettings(epochs=3, ask_every=3, batch=2, seed=1)):
            inside = [scores.log_probs for scores in answer_scores(adapter, facts, [[NO_NEURONS]] * len(facts))]
        changes = tuning.relative_changes().to_numpy()
    return [*inside, changes, *(part.log_probs for part in answer_scores(adapter, facts, [[NO_NEURONS]] * len(facts)))]


def over_devices(
    count: int, model: LanguageModel, measure: Callable[..., list[np.ndarray]], *arguments: object
) -> list[np.ndarray]:
    """What ``measure`` gives for a copy of the model over so many devices."""
    with pretended_devices(count) as devices:
        adapter = adapt(copy.deepcopy(model.adapter.model), devices)
        assert adapter.devices == devices
        assert adapter.device == devices[0]
        return measure(LanguageModel(adapter, model.tokenizer), *arguments)


@pytest.fixture
def facts(random_fact: Callable[..., EncodedFact]) -> list[EncodedFact]:
    return [random_fact(6, 2), random_fact(9, 2, seed=1)]


@pytest.mark.parametrize("count", [2, 3])
def test_a_model_over_several_devices_gives_the_numbers_of_one(
    language_model: LanguageModel, facts: list[EncodedFact], count: int
) -> None:
    found, expected = (over_devices(number, language_model, everything, facts) for number in (count, 1))
    assert all(map(np.array_equal, found, expected))
    for one, other in zip(found, everything(language_model, facts), strict=True):  # other kernels: other rounding
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("neurons", [NEURONS, None], ids=["neurons", "all"])
def test_it_is_fine_tuned_as_on_one(
    language_model: LanguageModel, facts: list[EncodedFact], neurons: NeuronSet | None
) -> None:
    found, expected = (over_devices(number, language_model, after_training, facts, neurons) for number in (2, 1))
    assert all(map(np.array_equal, found, expected))
    assert len(found) == len(expected) == 5


def test_pretended_devices_do_not_mix(own_adapter: Adapter) -> None:
    """The tests above could not fail otherwise."""
    with pretended_devices(2) as (first, second):
        with pytest.raises(RuntimeError, match="meta:0, meta:1"):
            torch.ones(2, device=first) + torch.ones(2, device=second)
        with pytest.raises(RuntimeError, match="cpu, meta:1"):
            torch.ones(2, device=second) @ torch.ones(2)
        assert (torch.ones(2, device=second) + 1).device == second
        adapter = adapt(own_adapter.model, (first, second))
        hidden = torch.ones(1, 1, adapter.width, device=first)
        with pytest.raises(RuntimeError, match="meta:0, meta:1"):
            adapter.neurons(adapter.n_layers - 1, hidden)
