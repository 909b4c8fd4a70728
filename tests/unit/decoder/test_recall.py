"""How a model answers: recall against greedy decoding and by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from dkn.decoder.encoded_facts import EncodedFact
from dkn.decoder.loading import LanguageModel
from dkn.decoder.recall import recall
from dkn.errors import UserError
from tests.conftest import END
from tests.unit import plain

MakeFact = Callable[..., EncodedFact]


def greedy(model: LanguageModel, prompt: list[int], count: int) -> list[int]:
    """``count`` tokens of Hugging Face's own greedy decoding."""
    tokens = torch.tensor([prompt])
    generated = model.adapter.model.generate(
        tokens,
        attention_mask=torch.ones_like(tokens),
        do_sample=False,
        min_new_tokens=count,
        max_new_tokens=count,
        eos_token_id=None,
        pad_token_id=0,
    )
    return generated[0, len(prompt) :].tolist()


def goes_on(model: LanguageModel, answer: list[int], after: int) -> bool:
    """Whether the text after the answer begins in the middle of a word."""
    head, whole = (model.tokenizer.decode(tokens) for tokens in (answer, [*answer, after]))
    assert whole.startswith(head)
    return whole[len(head) :][:1].isalnum()


@pytest.mark.parametrize("length", [1, 2, 3])
def test_known_agrees_with_generate(language_model: LanguageModel, random_fact: MakeFact, length: int) -> None:
    """Known means that greedy decoding writes exactly the answer and then does not go on with its last word."""
    facts, expected, reasons = [], [], set()
    for seed in range(24):
        fact = random_fact(2 + seed % 5, 1, seed)
        written = greedy(language_model, fact.prompt, length + 1)
        answer = written[:length]
        if seed % 4 == 3:  # any one token wrong
            answer[seed % length] = (answer[seed % length] + 1) % 100
        facts.append(EncodedFact(f"{fact.fact_id}-{seed}", fact.prompt, answer))
        exact, longer = answer == written[:length], goes_on(language_model, answer, written[length])
        expected.append(exact and not longer)
        reasons.add("known" if exact and not longer else "longer" if exact else "wrong")
    assert reasons == {"known", "longer", "wrong"}, "the facts do not cover every case"
    assert [found.answered for found in recall(language_model, facts)] == expected


def test_log_probs_and_ranks_by_hand(language_model: LanguageModel, random_fact: MakeFact) -> None:
    """Facts of different prompt lengths, read together: each token's log-probability and place among all tokens."""
    facts = [random_fact(length, 3, seed) for seed, length in enumerate((4, 8, 1))]
    model = language_model.adapter.model
    for fact, found in zip(facts, recall(language_model, facts), strict=True):
        expected = plain.answer_log_probs_token_by_token(model, fact.prompt, fact.answer)
        assert np.abs(found.log_probs - expected).max() < 1e-5
        for place, token in enumerate(fact.answer):
            with torch.no_grad():
                row = plain.logits(model, [*fact.prompt, *fact.answer[:place]])[-1]
            assert found.ranks[place] == row.argsort(descending=True).tolist().index(token)


@pytest.mark.parametrize(
    ("next_piece", "answered"),
    [("Ġw3", True), (".", True), ("-", True), (END, True), ("a1", False), ("7", False)],
)
def test_what_may_follow_an_answer(
    language_model: LanguageModel,
    random_fact: MakeFact,
    next_piece: str,
    answered: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A new word, punctuation or the end of text may follow; letters and digits make a longer word of the answer."""
    fact = random_fact(4, 1)
    following = language_model.tokenizer.convert_tokens_to_ids(next_piece)

    def unembed(normed: torch.Tensor) -> torch.Tensor:
        """The answer is the first choice, and then the piece."""
        logits = torch.zeros(*normed.shape[:-1], 100)
        logits[:, 0, fact.answer[0]] = logits[:, 1, following] = 5
        return logits

    monkeypatch.setattr(language_model.adapter, "unembed", unembed)
    (found,) = recall(language_model, [fact])
    assert found.ranks.tolist() == [0]
    assert found.answered is answered


def test_logits_that_are_no_numbers_are_an_error_that_names_the_fact(
    language_model: LanguageModel, random_fact: MakeFact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Float16 overflow on one prompt, say: every comparison with NaN is false, so ranks alone would call it known."""
    monkeypatch.setattr(language_model.adapter, "unembed", lambda normed: torch.full((*normed.shape[:-1], 100), np.nan))
    fact = random_fact(4, 2)
    with pytest.raises(UserError, match=f"fact {fact.fact_id}: .*not finite"):
        recall(language_model, [fact])
