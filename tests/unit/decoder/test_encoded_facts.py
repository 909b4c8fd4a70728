"""Facts as tokens: what is joined, what cannot be, and batches of answers of one length."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from dkn.decoder.encoded_facts import (
    EncodedFact,
    EncodingSettings,
    batches,
    encode,
    encode_all,
    encode_fitting,
    facts_that_fit,
)
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


def test_messages_name_what_an_id_names_without_separators(language_model: LanguageModel) -> None:
    with pytest.raises(UserError) as caught:
        encode(language_model, "f\x1fcomplex\x1fTrue", "a1", " ".join(["w3"] * 40))
    assert str(caught.value).startswith("fact f (complex, True): 41 tokens exceed")
    assert EncodedFact("f", [1], [2]).label == "fact f"


def test_one_that_cannot_be_asked_does_not_end_the_others(language_model: LanguageModel) -> None:
    asked = [("f", "a1", "w3"), ("g", "a1", " ".join(["w3"] * 40)), ("h", "b1", "w4")]
    encoded, left_out = encode_fitting(language_model, asked)
    assert [fact.fact_id for fact in encoded] == ["f", "h"]
    assert [message.split(":")[0] for message in left_out] == ["fact g"]


# --- answers that are tokenised alone -----------------------------------------------------------------------


def with_beginning(model: LanguageModel) -> LanguageModel:
    """The model with a tokenizer that begins every text with a special token, as LLaMA's does."""
    inner = Tokenizer.from_str(model.tokenizer.backend_tokenizer.to_str())
    inner.post_processor = TemplateProcessing(single=f"{END} $A", special_tokens=[(END, 0)])
    return LanguageModel(model.adapter, PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=END))


@pytest.mark.parametrize(
    ("answer_text", "answer", "expected"),
    [
        ("continuation", "w5 w6", ["Ġw5", "Ġw6"]),
        ("alone", "b4 w5", ["b4", "Ġw5"]),
        ("alone", "B4 w5", [END, "Ġw5"]),  # the tokenizer knows no capitals; its token for what it does not know
        ("alone-lowercase", "B4 W5", ["b4", "Ġw5"]),
    ],
)
def test_an_answer_may_be_tokenised_by_itself(
    language_model: LanguageModel, answer_text: str, answer: str, expected: list[str]
) -> None:
    """A special token at the beginning of a text is then the answer's first token; the prompt is what it always is."""
    encoding = EncodingSettings(answer_text)
    for model, beginning in ((language_model, []), (with_beginning(language_model), [END])):
        fact = encode(model, "f", "a1 w2", answer, encoding)
        pieces = model.tokenizer.convert_ids_to_tokens
        assert pieces(fact.prompt) == [*beginning, "a1", "Ġw2"]
        assert pieces(fact.answer) == ([] if answer_text == "continuation" else beginning) + expected
        assert fact.special == len(beginning)
        frame = pd.DataFrame([("f", "a1 w2", answer)], columns=["fact_id", "prompt", "answer"])
        assert (
            encode_all(model, frame, encoding) == encode_fitting(model, [("f", "a1 w2", answer)], encoding)[0] == [fact]
        )


@pytest.mark.parametrize("answer_text", ["alone", "alone-lowercase"])
def test_an_answer_alone_is_checked_too(language_model: LanguageModel, answer_text: str) -> None:
    """It needs a token beside the one at its beginning, and has to fit into the context with the prompt."""
    model, encoding = with_beginning(language_model), EncodingSettings(answer_text)
    encode(model, "f", "a1", words(29), encoding)
    for answer, cause in (
        ("", "the answer '' has no tokens"),
        (words(30), "33 tokens exceed the model's context of 32"),
    ):
        with pytest.raises(UserError, match=f"fact f: {cause}"):
            encode(model, "f", "a1", answer, encoding)
        assert encode_fitting(model, [("f", "a1", answer)], encoding) == ([], [f"fact f: {cause}"])


def test_an_unknown_answer_text_is_named() -> None:
    with pytest.raises(UserError, match="unknown answer_text 'lower'; allowed: continuation, alone, alone-lowercase"):
        EncodingSettings("lower")


def test_a_prompt_may_go_on_with_other_tokens_than_the_answers() -> None:
    fact = EncodedFact("f", [5, 6], [7, 8, 9], extension=[3, 3])
    assert (fact.context, fact.answer_positions) == ([5, 6, 3, 3], [1, 2, 3])
    assert EncodedFact("f", [5, 6], [7, 8, 9]).context == [5, 6, 7, 8]
    bare = EncodedFact("f", [5, 6], [7, 8, 9], extension=[])
    assert (bare.context, bare.answer_positions) == ([5, 6], [1])


# --- facts that fit -----------------------------------------------------------------------------------------


def words(count: int) -> str:
    return " ".join(["w1"] * count)


def facts(*sizes: tuple[int, int]) -> pd.DataFrame:
    """Facts of one relation, whose longest wording and answer have so many tokens."""
    rows = [
        {
            "fact_id": f"f{number}",
            "relation": "P1",
            "prompt": f"a1 {words(1)}",
            "paraphrases": [f"a1 {words(2)}", f"a1 {words(wording - 1)}"],
            "complex": f"a2 {words(1)}",
            "answers": ["w1", words(answer)],
        }
        for number, (wording, answer) in enumerate(sizes)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("sizes", "left_out"),
    [
        ([(5, 2), (6, 3), (29, 2)], []),
        ([(5, 2), (31, 2), (4, 1)], ["f1"]),  # its own answer does not fit behind its paraphrase
        ([(5, 2), (6, 2), (28, 2), (5, 5)], ["f3"]),  # the answer that is false for others, of as many facts
        ([(28, 2), (27, 2), (28, 1), (5, 6)], ["f3"]),
        ([(28, 1), (5, 5), (6, 5), (7, 5)], ["f0"]),  # the one long wording
    ],
)
def test_facts_that_do_not_fit_are_left_out_with_a_reason(
    language_model: LanguageModel, sizes: list[tuple[int, int]], left_out: list[str]
) -> None:
    """Whatever wording is asked later, with whatever answer of the relation, fits into the context of 32."""
    left, reasons = facts_that_fit(language_model, facts(*sizes))
    assert sorted(reasons) == left_out
    assert all(reason.startswith(fact) and "exceed" in reason for fact, reason in reasons.items())
    assert sorted([*left["fact_id"], *left_out]) == [f"f{number}" for number in range(len(sizes))]
