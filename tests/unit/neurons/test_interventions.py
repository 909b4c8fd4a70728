"""Suppressed and enhanced neurons, compared with hooks on the Hugging Face model and with weights edited by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from dkn.decoder.adapters import Adapter
from dkn.decoder.encoded_facts import EncodedFact
from dkn.errors import UserError
from dkn.neurons import interventions
from dkn.neurons.edits import EditSettings
from dkn.neurons.interventions import ENHANCE, SITES, SUPPRESS, answer_log_probs, answer_scores, edited_weights
from dkn.neurons.sets import NO_NEURONS, NeuronSet
from tests.unit import plain, switches
from tests.unit.neuron_sets import assert_same_bits, by_hand, neuron_set, pairs_of, random_set, weights_of, whole_layer

MakeFact = Callable[..., EncodedFact]
FACTORS = (SUPPRESS, ENHANCE)


def test_factors() -> None:
    """Suppressing sets to zero, enhancing doubles."""
    assert (SUPPRESS, ENHANCE) == (0.0, 2.0)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("answer", [1, 3])
def test_values_equal_the_plain_hooks(
    adapter: Adapter, model64: PreTrainedModel, random_fact: MakeFact, answer: int, factor: float
) -> None:
    """Several sets per fact, facts of different lengths, in one call: each equals one hooked full pass."""
    facts = [random_fact(length, answer, seed) for seed, length in enumerate((4, 9, 1))]
    last = adapter.n_layers - 1
    variants = [
        [random_set(adapter, 20, 1), NO_NEURONS, neuron_set((last, 7)), whole_layer(adapter, 0)],
        [neuron_set((0, 3), (last, 3), (1, 0), (0, adapter.n_neurons - 1))],
        [random_set(adapter, 60, 2), whole_layer(adapter, last)],
    ]
    found = answer_log_probs(adapter, facts, variants, factor)
    for fact, edits, log_probs in zip(facts, variants, found, strict=True):
        assert log_probs.shape == (len(edits), answer)
        assert log_probs.dtype == np.float64
        for edit, row in zip(edits, log_probs, strict=True):
            expected = plain.answer_log_probs(model64, fact.prompt, fact.answer, pairs_of(edit), factor)
            assert np.abs(row - expected).max() < 2e-5
        intact = plain.answer_log_probs(model64, fact.prompt, fact.answer)
        assert np.abs(log_probs[0] - intact).max() > 1e-3, "the intervention does nothing, so the test shows nothing"


@pytest.mark.parametrize("max_rows", [1, 4, 5])
def test_chunks_change_nothing(adapter: Adapter, random_fact: MakeFact, max_rows: int) -> None:
    """Few branches at a time give what all at once give; a fact may have fewer sets than a chunk, or none."""
    facts = [random_fact(length, 2, seed) for seed, length in enumerate((5, 3, 6))]
    variants = [[random_set(adapter, 9, seed) for seed in range(count)] for count in (7, 2, 0)]
    whole = answer_log_probs(adapter, facts, variants)
    parts = answer_log_probs(adapter, facts, variants, max_rows=max_rows)
    assert [len(rows) for rows in parts] == [7, 2, 0]
    for one, other in zip(whole, parts, strict=True):
        assert one.shape == other.shape
        assert np.allclose(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("site", SITES)
def test_a_set_that_occurs_again_in_another_order_is_computed_once(
    adapter: Adapter, random_fact: MakeFact, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fact, other = random_fact(5, 2, seed=1), random_fact(6, 2, seed=2)
    first, second = random_set(adapter, 6, 1), random_set(adapter, 6, 2)
    turned = first.take(np.arange(6)[::-1])
    alone = [answer_scores(adapter, [fact], [[edit]], site=site)[0].log_probs[0] for edit in (first, second)]

    name = {"values": "_value_streams", "weights": "_weight_streams"}[site]
    streams, computed = getattr(interventions, name), []

    def watched(
        adapter: Adapter, facts: object, variants: list[list[NeuronSet]], *rest: object, **named: object
    ) -> object:
        computed.extend(len(edits) for edits in variants)
        return streams(adapter, facts, variants, *rest, **named)

    monkeypatch.setattr(interventions, name, watched)
    variants = [[second, first, turned, NO_NEURONS, second], [NO_NEURONS, first, NO_NEURONS]]
    found, others = answer_scores(adapter, [fact, other], variants, site=site)
    assert computed == [3, 2]
    for row, edit in enumerate((1, 0, 0, None, 1)):
        if edit is not None:
            np.testing.assert_allclose(found.log_probs[row], alone[edit], rtol=1e-4, atol=1e-5)
    assert len(others.log_probs) == 3
    assert np.array_equal(others.log_probs[0], others.log_probs[2])
    assert not np.allclose(others.log_probs[0], others.log_probs[1], atol=1e-6)


@pytest.mark.parametrize("factor", FACTORS)
def test_teacher_forcing_equals_token_by_token(
    adapter: Adapter, model64: PreTrainedModel, random_fact: MakeFact, factor: float
) -> None:
    """Reading all answer tokens at once equals one pass per token, with neurons changed and without."""
    fact, edit = random_fact(6, 4), random_set(adapter, 30, 5)
    changed, intact = answer_log_probs(adapter, [fact], [[edit, NO_NEURONS]], factor)[0]
    expected = plain.answer_log_probs_token_by_token(model64, fact.prompt, fact.answer, pairs_of(edit), factor)
    assert np.abs(changed - expected).max() < 2e-5
    expected = plain.answer_log_probs_token_by_token(model64, fact.prompt, fact.answer)
    assert np.abs(intact - expected).max() < 2e-5


def test_no_neurons_change_nothing(adapter: Adapter, random_fact: MakeFact) -> None:
    """Empty sets give the untouched model's log-probabilities, all the same ones, among other sets and alone."""
    fact = random_fact(6, 3)
    intact = plain.answer_log_probs(adapter.model, fact.prompt, fact.answer)
    edits = [NO_NEURONS, random_set(adapter, 10, 0), neuron_set((0, 1)), NO_NEURONS]
    among = answer_log_probs(adapter, [fact], [edits], SUPPRESS)[0]
    assert (among[0] == among[3]).all()
    alone = answer_log_probs(adapter, [fact], [[NO_NEURONS, NO_NEURONS]], SUPPRESS)[0]
    assert (alone[0] == alone[1]).all()
    scale = np.maximum(1, np.abs(intact))
    assert (np.abs(among[0] - intact) / scale).max() < 1e-6
    assert (np.abs(alone[0] - intact) / scale).max() < 1e-6


def test_values_leave_the_weights(adapter: Adapter, random_fact: MakeFact) -> None:
    """Value interventions never touch a weight."""
    before = weights_of(adapter.model)
    for factor in FACTORS:
        answer_log_probs(adapter, [random_fact(5, 2)], [[random_set(adapter, 40, 3), NO_NEURONS]], factor)
    assert_same_bits(adapter.model, before)


def test_mixed_answer_lengths_are_named(adapter: Adapter, random_fact: MakeFact) -> None:
    """Facts evaluated together have answers of one length."""
    with pytest.raises(UserError, match="one and the same length"):
        answer_log_probs(adapter, [random_fact(5, 1), random_fact(5, 2)], [[NO_NEURONS], [NO_NEURONS]])


@pytest.mark.parametrize("factor", [SUPPRESS, ENHANCE, 1.5])
@pytest.mark.parametrize("size", [0, 1, 50])
def test_edited_weights_equal_an_edit_by_hand(
    adapter: Adapter, random_fact: MakeFact, factor: float, size: int
) -> None:
    """Inside, the model is the hand-edited one bit for bit; afterwards it is itself bit for bit."""
    edit, prompt = random_set(adapter, size, 11), random_fact(7, 1).prompt
    before, expected = weights_of(adapter.model), by_hand(adapter.model, edit, factor)
    with edited_weights(adapter, edit, factor):
        assert_same_bits(adapter.model, weights_of(expected))
        with torch.no_grad():
            assert torch.equal(plain.logits(adapter.model, prompt), plain.logits(expected, prompt))
    assert_same_bits(adapter.model, before)


def test_suppressed_weights_silence_neurons_everywhere(
    adapter: Adapter, model64: PreTrainedModel, random_fact: MakeFact
) -> None:
    """Zero weights are neurons suppressed at all positions, and differ from values at answer positions only."""
    fact, edit = random_fact(7, 2), random_set(adapter, 40, 13)
    with edited_weights(adapter, edit, SUPPRESS):
        found = answer_log_probs(adapter, [fact], [[NO_NEURONS]])[0][0]
    with torch.no_grad(), plain.multiplied(model64, pairs_of(edit), SUPPRESS, first=0):
        everywhere = plain.answer_log_probs(model64, fact.prompt, fact.answer)
    assert np.abs(found - everywhere).max() < 2e-5
    at_answer = plain.answer_log_probs(model64, fact.prompt, fact.answer, pairs_of(edit), SUPPRESS)
    assert np.abs(found - at_answer).max() > 1e-3


def test_weights_come_back_after_an_error(adapter: Adapter) -> None:
    """An error in the body passes through, and the weights are restored bit for bit."""
    before = weights_of(adapter.model)
    with pytest.raises(KeyError, match="body"), edited_weights(adapter, random_set(adapter, 50, 17), SUPPRESS):
        raise KeyError("body")
    assert_same_bits(adapter.model, before)


def test_nested_and_repeated_edits_come_back(adapter: Adapter) -> None:
    """Edits within edits, of the same neurons, and a neuron named twice."""
    before, edit = weights_of(adapter.model), random_set(adapter, 30, 19)
    twice = edit.take([0, 0, 1])
    with edited_weights(adapter, edit, ENHANCE):
        inside = weights_of(adapter.model)
        with edited_weights(adapter, twice, SUPPRESS):
            pass
        assert_same_bits(adapter.model, inside)
    assert_same_bits(adapter.model, before)


@pytest.mark.parametrize("factor", [SUPPRESS, ENHANCE, 1.5])
@pytest.mark.parametrize("max_rows", [2048, 20])
def test_rows_with_own_weights_equal_edited_weights(
    own_adapter: Adapter, random_fact: MakeFact, factor: float, max_rows: int
) -> None:
    """Many sets of many facts in one pass: each equals the model with these weights edited, which stays as it is."""
    adapter, last = own_adapter, own_adapter.n_layers - 1
    facts = [random_fact(length, 2, seed) for seed, length in enumerate((4, 9, 1))]
    variants = [
        [random_set(adapter, 20, 1), NO_NEURONS, neuron_set((last, 7)), whole_layer(adapter, 0)],
        [neuron_set((1, 3), (last, 3), (1, 0), (1, 3))],
        [random_set(adapter, 60, 2), whole_layer(adapter, last), random_set(adapter, 5, 4)],
    ]
    before = weights_of(adapter.model)
    found = answer_scores(adapter, facts, variants, factor, "weights", max_rows)
    assert_same_bits(adapter.model, before)
    for fact, edits, scores in zip(facts, variants, found, strict=True):
        for edit, row, greedy in zip(edits, scores.log_probs, scores.greedy, strict=True):
            with edited_weights(adapter, edit, factor), torch.no_grad():
                logits = plain.logits(adapter.model, fact.context)[fact.answer_positions]
            expected = logits.double().log_softmax(-1)[range(2), fact.answer].numpy()
            assert np.abs(row - expected).max() < 1e-5 * max(1, np.abs(expected).max())
            assert greedy == (logits.argmax(-1).tolist() == fact.answer)


@pytest.mark.parametrize("site", SITES)
def test_greedy_means_that_every_answer_token_is_the_first_choice(
    adapter: Adapter, random_fact: MakeFact, site: str
) -> None:
    """Answers made of the edited model's own first choices are greedy under that edit; one other token is not."""
    edit, fact = random_set(adapter, 40, 3), random_fact(6, 1)
    prompt, answer = fact.prompt, list[int]()
    for _ in range(3):
        tokens = [*prompt, *answer]
        if site == "weights":
            with edited_weights(adapter, edit, SUPPRESS), torch.no_grad():
                logits = plain.logits(adapter.model, tokens)[-1]
        else:
            with plain.multiplied(adapter.model, pairs_of(edit), SUPPRESS, len(prompt) - 1), torch.no_grad():
                logits = plain.logits(adapter.model, tokens)[-1]
        answer.append(int(logits.argmax()))
    facts = [EncodedFact("greedy", prompt, answer)]
    facts += [EncodedFact(f"{place}", prompt, list(answer)) for place in range(3)]
    for place in range(3):
        facts[place + 1].answer[place] = (answer[place] + 1) % 100
    found = answer_scores(adapter, facts, [[edit]] * 4, SUPPRESS, site)
    assert [scores.greedy.tolist() for scores in found] == [[True], [False], [False], [False]]


def test_an_unknown_site_is_named(adapter: Adapter, random_fact: MakeFact) -> None:
    with pytest.raises(UserError, match="values, weights"):
        answer_scores(adapter, [random_fact(5, 1)], [[NO_NEURONS]], SUPPRESS, "biases")


# --- settings of the released code --------------------------------------------------------------------------


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize(
    ("site", "positions"), [("preactivation", "answer"), ("neurons", "last"), ("preactivation", "last")]
)
@pytest.mark.parametrize("max_rows", [2048, 4])
def test_edits_elsewhere_equal_the_plain_hooks(
    adapter: Adapter,
    model64: PreTrainedModel,
    random_fact: MakeFact,
    site: str,
    positions: str,
    factor: float,
    max_rows: int,
) -> None:
    """Several sets per fact, facts of different lengths: each answer token equals one hooked pass over its context."""
    facts = [random_fact(length, 3, seed) for seed, length in enumerate((4, 9, 1))]
    variants = [
        [random_set(adapter, 20, 1), NO_NEURONS, whole_layer(adapter, 0)],
        [neuron_set((0, 3), (adapter.n_layers - 1, 3), (1, 0))],
        [random_set(adapter, 60, 2), whole_layer(adapter, 1)],
    ]
    edits = EditSettings(site=site, positions=positions)
    found = answer_scores(adapter, facts, variants, factor, max_rows=max_rows, edits=edits)
    as_text = answer_log_probs(adapter, facts, variants, factor)
    settings = {"site": site, "positions": positions}
    for fact, sets, scores, other in zip(facts, variants, found, as_text, strict=True):
        for edit, row, greedy in zip(sets, scores.log_probs, scores.greedy, strict=True):
            expected, chosen = switches.answer_log_probs(
                model64, fact.prompt, fact.answer, pairs_of(edit), factor, **settings
            )
            assert np.abs(row - expected).max() < 2e-5 * max(1, np.abs(expected).max())
            assert greedy == chosen
        # The activation functions give zero for zero, so that suppressing before them is suppressing after them.
        alike = (site, positions, factor) == ("preactivation", "answer", SUPPRESS)
        assert (np.abs(scores.log_probs[0] - other[0]).max() < 1e-4) == alike
        assert np.array_equal(
            answer_log_probs(adapter, [fact], [sets[:1]], factor, max_rows, edits)[0],
            answer_scores(adapter, [fact], [sets[:1]], factor, max_rows=max_rows, edits=edits)[0].log_probs,
        )


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("answer_path", ["answer", "first-choice"])
def test_a_bare_prompt_gives_all_answer_tokens_under_edited_weights(
    adapter: Adapter, model64: PreTrainedModel, random_fact: MakeFact, factor: float, answer_path: str
) -> None:
    """Read off the prompt's last position in one plain pass of the edited model, whatever path there would be."""
    facts = [random_fact(length, 3, seed) for seed, length in enumerate((4, 9))]
    variants = [[random_set(adapter, 20, 1), NO_NEURONS], [random_set(adapter, 60, 2)]]
    bare = EditSettings(weights_context="bare", answer_path=answer_path)
    for fact, sets, found in zip(
        facts, variants, answer_scores(adapter, facts, variants, factor, "weights", edits=bare), strict=True
    ):
        for edit, row in zip(sets, found.log_probs, strict=True):
            with torch.no_grad():
                logits = plain.logits(by_hand(model64, edit, factor), fact.prompt)[-1]
            expected = logits.log_softmax(-1)[fact.answer].numpy()
            assert np.abs(row - expected).max() < 1e-5 * max(1, np.abs(expected).max())
        assert not found.greedy.any()
    values = answer_log_probs(adapter, facts, variants, factor, edits=EditSettings(weights_context="bare"))
    assert all(map(np.array_equal, values, answer_log_probs(adapter, facts, variants, factor)))


def test_the_same_token_again_is_the_first_choice_of_a_bare_prompt(adapter: Adapter, random_fact: MakeFact) -> None:
    edit, prompt = random_set(adapter, 20, 1), random_fact(5, 1).prompt
    with torch.no_grad():
        choice = int(plain.logits(by_hand(adapter.model, edit, SUPPRESS), prompt)[-1].argmax())
    facts = [EncodedFact("same", prompt, [choice, choice]), EncodedFact("other", prompt, [choice, choice + 1])]
    found = answer_scores(adapter, facts, [[edit]] * 2, SUPPRESS, "weights", edits=EditSettings(weights_context="bare"))
    assert [scores.greedy.tolist() for scores in found] == [[True], [False]]
