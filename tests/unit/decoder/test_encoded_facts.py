"""Facts as tokens: what is joined, what cannot be, and batches of answers of one length."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from dkn.decoder.encoded_facts import EncodedFact, batches, encode, encode_all
from dkn.decoder.loading import LanguageModel
from dkn.errors import UserError
from tests.conftest import END


def text_of(model: LanguageModel, tokens: list[int]) -> str:
    return model.tokenizer.decode(tokens)


def test_prompt_and_answer_are_joined_by_a_space(language_model: LanguageModel) -> None:
    fact = encode(language_model, "f", "a1 w2", "w3 w4")
    assert (fact.fact_id, fact.special) == ("f", 0)
    assert fact.prompt == language_model.tokenizer("a1 w2")["input_ids"]
    assert text_of(language_model, fact.prompt) + text_of(language_model, fact.answer) == "a1 w2 w3 w4"
    assert text_of(language_model, fact.context) == "a1 w2 w3"
    assert fact.answer_positions == [len(fact.prompt) - 1, len(fact.prompt)]


def test_leading_special_tokens_are_counted(language_model: LanguageModel) -> None:
    fact = encode(language_model, "f", f"{END} w1", "w3")
    assert fact.special == 1
    assert fact.prompt[0] == language_model.tokenizer.eos_token_id


@pytest.mark.parametrize(
    ("prompt", "answer", "cause"),
    [
        (END, "w3", "the prompt '<|endoftext|>' has no tokens"),
        ("a1", " ".join(["w3"] * 40), "tokens exceed the model's context of 32"),
    ],
)
def test_what_cannot_be_asked_names_the_fact(
    language_model: LanguageModel, prompt: str, answer: str, cause: str
) -> None:
    with pytest.raises(UserError) as caught:
        encode(language_model, "the fact", prompt, answer)
    assert str(caught.value).startswith("fact the fact: ")
    assert cause in str(caught.value)


def test_a_table_is_encoded_row_by_row_in_its_order(language_model: LanguageModel) -> None:
    rows = [("c", "a1 w2", "w3"), ("a", "b4", "w5 w6"), ("b", "c7 w8 w9", "w1")]
    frame = pd.DataFrame(rows, columns=["fact_id", "prompt", "answer"]).assign(answers=[["other"]] * 3)
    found = encode_all(language_model, frame)
    assert found == [encode(language_model, *row) for row in rows]
    assert encode_all(language_model, frame[::-1]) == found[::-1]
    assert encode_all(language_model, frame.iloc[:0]) == []


def test_batches_hold_answers_of_one_length_and_every_fact_once(random_fact: Callable[..., EncodedFact]) -> None:
    facts = [random_fact(2 + seed % 5, 1 + seed % 3, seed) for seed in range(23)]
    found = list(batches(facts, 4))
    assert max(map(len, found)) == 4
    assert all(len({len(fact.answer) for fact in group}) == 1 for group in found)
    assert sorted(fact.fact_id for group in found for fact in group) == sorted(fact.fact_id for fact in facts)
    assert found == list(batches(facts[::-1], 4)), "whatever the order of facts"
    lengths = [len(fact.prompt) for group in found for fact in group if len(fact.answer) == 1]
    assert lengths == sorted(lengths)


def test_batches_may_be_of_facts_alike_in_something_else(random_fact: Callable[..., EncodedFact]) -> None:
    facts = [random_fact(4, 1, seed) for seed in range(6)]
    cost = {fact.fact_id: -place for place, fact in enumerate(facts)}
    found = list(batches(facts, 2, alike=lambda fact: cost[fact.fact_id]))
    assert [fact for group in found for fact in group] == facts[::-1]
