"""Contexts that the edited model extends itself, compared with one hooked pass of the Hugging Face model per step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.neurons.edits import EditSettings
from dkn.neurons.interventions import ENHANCE, SUPPRESS, answer_log_probs, answer_scores
from dkn.neurons.sets import NO_NEURONS, NeuronSet
from dkn.neurons.stepwise import stepwise_answers
from tests.unit import switches
from tests.unit.neuron_sets import assert_same_bits, by_hand, neuron_set, pairs_of, random_set, weights_of, whole_layer

MakeFact = Callable[..., EncodedFact]
RELEASED = EditSettings("preactivation", "last", "first-choice", "bare")


def some_sets(adapter: Adapter) -> list[list[NeuronSet]]:
    """For three facts: sets that change much, little and nothing, one of them twice."""
    first, last = whole_layer(adapter, 0), adapter.n_layers - 1
    return [
        [random_set(adapter, 20, 1), NO_NEURONS, neuron_set((last, 7)), first, NO_NEURONS],
        [neuron_set((0, 3), (last, 3), (1, 0))],
        [random_set(adapter, 60, 2), whole_layer(adapter, last), first],
    ]


@pytest.mark.parametrize("factor", [SUPPRESS, ENHANCE])
@pytest.mark.parametrize("site", ["neurons", "preactivation"])
@pytest.mark.parametrize("positions", ["answer", "last"])
@pytest.mark.parametrize("max_rows", [2048, 9])
def test_values_on_paths_of_first_choices_equal_hooked_passes(
    adapter: Adapter,
    model64: PreTrainedModel,
    random_fact: MakeFact,
    site: str,
    positions: str,
    factor: float,
    max_rows: int,
) -> None:
    """Every set extends its own context, and the answer's tokens are asked for there, whatever they are."""
    facts = [random_fact(length, 3, seed) for seed, length in enumerate((4, 9, 1))]
    variants = some_sets(adapter)
    edits = EditSettings(site, positions, "first-choice")
    found = answer_scores(adapter, facts, variants, factor, max_rows=max_rows, edits=edits)
    for fact, sets, scores in zip(facts, variants, found, strict=True):
        assert scores.log_probs.dtype == np.float64
        for edit, row, greedy in zip(sets, scores.log_probs, scores.greedy, strict=True):
            expected, chosen = switches.answer_log_probs(
                *(model64, fact.prompt, fact.answer, pairs_of(edit), factor),
                site=site,
                positions=positions,
                answer_path="first-choice",
            )
            assert np.abs(row - expected).max() < 2e-5 * max(1, np.abs(expected).max())
            assert greedy == chosen
    forced = answer_log_probs(adapter, facts, variants, factor, edits=EditSettings(site, positions))
    assert all(np.abs(one.log_probs - other)[:, 1:].max() > 1e-2 for one, other in zip(found, forced, strict=True))


@pytest.mark.parametrize("factor", [SUPPRESS, ENHANCE])
@pytest.mark.parametrize("max_rows", [2048, 9])
def test_weights_on_paths_of_first_choices_equal_edited_models(
    adapter: Adapter, model64: PreTrainedModel, random_fact: MakeFact, factor: float, max_rows: int
) -> None:
    facts = [random_fact(length, 3, seed) for seed, length in enumerate((4, 9, 1))]
    variants = some_sets(adapter)
    before = weights_of(adapter.model)
    edits = EditSettings(answer_path="first-choice")
    found = answer_scores(adapter, facts, variants, factor, "weights", max_rows, edits)
    assert_same_bits(adapter.model, before)
    for fact, sets, scores in zip(facts, variants, found, strict=True):
        for edit, row, greedy in zip(sets, scores.log_probs, scores.greedy, strict=True):
            expected, chosen = switches.answer_log_probs(
                *(by_hand(model64, edit, factor), fact.prompt, fact.answer, (), 1.0), answer_path="first-choice"
            )
            assert np.abs(row - expected).max() < 2e-5 * max(1, np.abs(expected).max())
            assert greedy == chosen


@pytest.mark.parametrize("positions", ["answer", "last"])
@pytest.mark.parametrize("site", ["values", "weights"])
def test_greedy_means_the_answer_is_the_path(
    adapter: Adapter, model64: PreTrainedModel, random_fact: MakeFact, site: str, positions: str
) -> None:
    """The edited model's own path is greedy, and an answer that leaves it anywhere is not."""
    edit, prompt = random_set(adapter, 40, 3), random_fact(6, 1).prompt
    model, pairs = (by_hand(model64, edit, SUPPRESS), []) if site == "weights" else (model64, pairs_of(edit))
    path: list[int] = []
    while len(path) < 3:  # the one token that is the first choice after the path
        path.append(
            next(
                token
                for token in range(100)
                if switches.answer_log_probs(model, prompt, [*path, token], pairs, SUPPRESS, positions=positions)[1]
            )
        )
    others = [[*path[:place], (path[place] + 1) % 100, *path[place + 1 :]] for place in range(3)]
    facts = [EncodedFact(f"{place}", prompt, answer) for place, answer in enumerate([path, *others])]
    edits = EditSettings(positions=positions, answer_path="first-choice")
    found = answer_scores(adapter, facts, [[edit]] * 4, SUPPRESS, site, edits=edits)
    assert [scores.greedy.tolist() for scores in found] == [[True], [False], [False], [False]]
    forced = answer_log_probs(adapter, facts[:1], [[edit]], edits=EditSettings(positions=positions))
    if site == "values":
        np.testing.assert_allclose(found[0].log_probs, forced[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("factor", [SUPPRESS, ENHANCE])
def test_the_released_codes_evaluation_equals_hooked_passes(
    adapter: Adapter, model64: PreTrainedModel, random_fact: MakeFact, factor: float
) -> None:
    """All of its settings together, for values and for weights, with sets of several sizes."""
    facts = [random_fact(length, 4, seed) for seed, length in enumerate((6, 3))]
    variants = [[random_set(adapter, size, size) for size in (1, 10, 100)]] * 2
    values, weights = (
        answer_scores(adapter, facts, variants, factor, site, edits=RELEASED) for site in ("values", "weights")
    )
    for number, fact in enumerate(facts):
        for row, edit in enumerate(variants[number]):
            expected, _ = switches.answer_log_probs(
                *(model64, fact.prompt, fact.answer, pairs_of(edit), factor),
                site="preactivation",
                positions="last",
                answer_path="first-choice",
            )
            scale = max(1, np.abs(expected).max())
            assert np.abs(values[number].log_probs[row] - expected).max() < 2e-5 * scale
            edited = by_hand(model64, edit, factor)
            bare = [switches.answer_log_probs(edited, fact.prompt, [token], (), 1.0)[0][0] for token in fact.answer]
            assert np.abs(weights[number].log_probs[row] - bare).max() < 2e-5 * max(1, np.abs(bare).max())


def test_sets_whose_paths_are_the_same_share_a_context(adapter: Adapter, random_fact: MakeFact) -> None:
    """Contexts are read together up to about as many tokens as are allowed, those of as many sets with each other."""
    facts, variants = [random_fact(5, 2, 1), random_fact(3, 2, 2)], [[NO_NEURONS] * 7, [NO_NEURONS]]
    read: list[list[tuple[int, int]]] = []

    def streams(
        _adapter: Adapter, asked: Sequence[EncodedFact], sets: Sequence[Sequence[NeuronSet]], _factor: float, _rows: int
    ) -> Iterator[tuple[int, Tensor]]:
        """Streams of noise, so that the last three sets of the first fact leave the path of the others."""
        read.append([(len(fact.context), len(own)) for fact, own in zip(asked, sets, strict=True)])
        for place, own in enumerate(sets):
            generator = torch.Generator().manual_seed(len(asked[place].prompt))
            stream = torch.randn(1, 1, adapter.width, generator=generator).expand(len(own), -1, -1).clone()
            stream[4:] *= -1
            yield place, stream[:2]
            if len(own) > 2:
                yield place, stream[2:]

    stepwise_answers(streams, adapter, facts, variants, 0.0, 100, last_only=True)
    assert read == [[(5, 7)], [(3, 1)], [(6, 4), (6, 3)], [(4, 1)]]
    read.clear()
    log_probs, choices = stepwise_answers(streams, adapter, facts, variants, 0.0, 1, last_only=True)[0]
    assert read == [[(5, 7)], [(3, 1)], [(6, 4)], [(6, 3)], [(4, 1)]]
    assert [len(set(choices[rows, 0])) for rows in (slice(4), slice(4, 7), slice(7))] == [1, 1, 2]
    assert [len(set(log_probs[rows, 0].round(3))) for rows in (slice(4), slice(4, 7), slice(7))] == [1, 1, 2]


@pytest.mark.parametrize("site", ["values", "weights"])
def test_facts_without_sets_have_no_scores(adapter: Adapter, random_fact: MakeFact, site: str) -> None:
    facts, sets = [random_fact(5, 2, seed) for seed in range(2)], [[], [random_set(adapter, 5, 1)]]
    edits = EditSettings(answer_path="first-choice")
    nothing, one = answer_scores(adapter, facts, sets, SUPPRESS, site, edits=edits)
    assert (nothing.log_probs.shape, nothing.greedy.shape) == ((0, 2), (0,))
    alone = answer_scores(adapter, facts[1:], sets[1:], SUPPRESS, site, edits=edits)[0]
    np.testing.assert_allclose(one.log_probs, alone.log_probs, rtol=1e-5, atol=1e-5)
    assert [len(one.log_probs) for one in answer_scores(adapter, facts, [[], []], site=site, edits=edits)] == [0, 0]
