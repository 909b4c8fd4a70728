"""Answers to prompts that begin alike: the same as without sharing what they have in common."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from dkn.decoder.adapters import Adapter
from dkn.decoder.continuations import answers_after, common_beginning, greedy_continuations
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import LanguageModel
from dkn.errors import UserError
from tests.conftest import CONTEXT
from tests.unit import plain

MakeFact = Callable[..., EncodedFact]


def test_a_token_of_every_prompt_is_left() -> None:
    assert common_beginning([[5, 6, 7], [5, 6, 8, 9]]) == 2
    assert common_beginning([[5, 6], [5, 6, 8, 9]]) == 1
    assert common_beginning([[5, 6, 7]]) == 2
    assert common_beginning([[5, 6], [6, 6]]) == 0


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_answers_are_as_probable_as_token_by_token(
    language_model: LanguageModel, random_fact: MakeFact, batch: int
) -> None:
    """Prompts and answers of several lengths, and two answers to one prompt."""
    beginning = [3, 9, 4, 1, 5]
    facts = []
    for seed in range(8):
        fact = random_fact(2 + seed % 4, 1 + seed % 3, seed)
        for name, answer in (("one", fact.answer), ("other", [token - 1 for token in fact.answer])):
            facts.append(EncodedFact(f"{seed}-{name}", beginning + fact.prompt, answer))
    found = answers_after(language_model.adapter, facts, batch)
    model = language_model.adapter.model
    assert found == {
        fact.fact_id: pytest.approx(
            plain.answer_log_probs_token_by_token(model, fact.prompt, fact.answer).sum(), abs=1e-5
        )
        for fact in facts
    }


def test_prompts_that_do_not_begin_alike_are_refused(language_model: LanguageModel) -> None:
    facts = [EncodedFact("f", [4, 5], [6]), EncodedFact("g", [5, 5], [6])]
    with pytest.raises(ValueError, match="begin alike"):
        answers_after(language_model.adapter, facts, 2)


def token_by_token(model: LanguageModel, prompt: list[int], count: int, end: int | None) -> list[int]:
    """Greedy decoding by the Hugging Face model's own forward pass, over the whole sequence at every step."""
    tokens = list(prompt)
    while len(tokens) < min(len(prompt) + count, CONTEXT):
        choice = int(plain.logits(model.adapter.model, tokens)[-1].argmax())
        if choice == end:
            break
        tokens.append(choice)
    return tokens[len(prompt) :]


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_greedy_continuations_are_those_of_one_prompt_alone(
    language_model: LanguageModel, random_fact: MakeFact, batch: int
) -> None:
    """Prompts of several lengths, two of them equal, and some that the context cuts short; with a text's end, too."""
    prompts = [random_fact(length, 1, length).prompt for length in (2, 5, 5, 9, 14, CONTEXT - 3, CONTEXT)]
    prompts.append(prompts[0])
    with torch.no_grad():
        expected = [token_by_token(language_model, prompt, 8, None) for prompt in prompts]
        assert [len(one) for one in expected] == [8, 8, 8, 8, 8, 3, 0, 8]
        assert greedy_continuations(language_model.adapter, prompts, 8, batch) == expected
        end = expected[3][2]
        ended = [token_by_token(language_model, prompt, 8, end) for prompt in prompts]
    assert len(ended[3]) <= 2
    assert greedy_continuations(language_model.adapter, prompts, 8, batch, end) == ended


def test_a_broken_model_does_not_go_on(own_adapter: Adapter) -> None:
    assert greedy_continuations(own_adapter, [], 8, 2) == []
    with torch.no_grad():
        own_adapter.unembedding.fill_(torch.nan)
    with pytest.raises(UserError, match="not finite"):
        greedy_continuations(own_adapter, [[3, 4]], 8, 2)
