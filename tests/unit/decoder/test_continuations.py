"""Answers to prompts that begin alike: the same as without sharing what they have in common."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dkn.decoder.continuations import answers_after, common_beginning
from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import LanguageModel
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
