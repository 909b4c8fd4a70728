"""What a model knows: recall against greedy decoding and by hand, and the answer that stands for a fact."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch

from dkn.decoder import recall as recall_module
from dkn.decoder.encoded_facts import EncodedFact, encode
from dkn.decoder.loading import LanguageModel
from dkn.decoder.recall import Recall, known_facts, recall
from dkn.errors import UserError
from dkn.storage.schemas import KNOWN
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
    assert [found.known for found in recall(language_model, facts)] == expected


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
    ("next_piece", "known"),
    [("Ġw3", True), (".", True), ("-", True), (END, True), ("a1", False), ("7", False)],
)
def test_what_may_follow_an_answer(
    language_model: LanguageModel, random_fact: MakeFact, next_piece: str, known: bool, monkeypatch: pytest.MonkeyPatch
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
    assert found.known is known


def test_logits_that_are_no_numbers_are_an_error_that_names_the_fact(
    language_model: LanguageModel, random_fact: MakeFact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Float16 overflow on one prompt, say: every comparison with NaN is false, so ranks alone would call it known."""
    monkeypatch.setattr(language_model.adapter, "unembed", lambda normed: torch.full((*normed.shape[:-1], 100), np.nan))
    fact = random_fact(4, 2)
    with pytest.raises(UserError, match=f"fact {fact.fact_id}: .*not finite"):
        recall(language_model, [fact])


WORDS = [f"w{number}" for number in range(40)]


def asked(facts: int) -> pd.DataFrame:
    """Facts that accept every word there is, each in another order."""
    rows = [(f"f{number}", f"a{number % 9} w{number}", WORDS[number:] + WORDS[:number]) for number in range(facts)]
    return pd.DataFrame(rows, columns=["fact_id", "prompt", "answers"])


def test_known_facts_are_about_the_first_accepted_answer_that_is_given(language_model: LanguageModel) -> None:
    """And about the first of all where none is given; every answer asked alone decides it."""
    facts = asked(20)
    found = known_facts(language_model, facts, batch=64).set_index("fact_id")
    chosen = []
    for row in facts.itertuples(index=False):
        tokens = [encode(language_model, row.fact_id, row.prompt, answer) for answer in row.answers]
        alone = [recall(language_model, [answer])[0] for answer in tokens]
        place = next((place for place, one in enumerate(alone) if one.known), 0)
        chosen.append(place)
        own = found.loc[row.fact_id]
        assert (own["answer"], own["known"]) == (row.answers[place], alone[place].known)
        assert own["log_prob"] == pytest.approx(alone[place].log_probs.sum(), abs=1e-4)
        assert own["first_token_rank"] == alone[place].ranks[0]
        assert (own["prompt_tokens"], own["answer_tokens"]) == (len(tokens[place].prompt), 1)
    assert 0 < found["known"].sum() < len(found), "the facts do not cover both cases"
    assert any(chosen), "no fact is known by another answer than its first"


def test_known_facts_are_a_table_with_a_row_per_fact_whatever_the_batch(language_model: LanguageModel) -> None:
    facts = asked(6).assign(answers=[["w1 w2", "w3"], ["w4"], ["w5", "w6 w7 w8"], ["w9"], ["w1"], ["w2"]])
    found = known_facts(language_model, facts, batch=16)
    assert list(found) == KNOWN.names
    assert found["fact_id"].tolist() == facts["fact_id"].tolist()
    pd.testing.assert_frame_equal(found, known_facts(language_model, facts, batch=1), rtol=1e-4)
    prob = np.exp(found["log_prob"])
    assert found["prob"].to_numpy() == pytest.approx(prob.to_numpy())
    assert found["geometric_mean_prob"].to_numpy() == pytest.approx((prob ** (1 / found["answer_tokens"])).to_numpy())


def test_a_fact_without_finite_probabilities_does_not_end_its_batch(
    language_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sound facts of its batch have the rows that they have without it."""
    facts = asked(4).assign(answers=[["w1"], ["w2", "w3"], ["w4"], ["w5"]])
    expected = known_facts(language_model, facts.drop(index=1), batch=64).reset_index(drop=True)
    recalled = recall_module.recall

    def failing(model: LanguageModel, group: list[EncodedFact]) -> list[Recall]:
        if any(fact.fact_id.startswith("f1") for fact in group):
            raise UserError("fact f1 (0): not finite")
        return recalled(model, group)

    monkeypatch.setattr(recall_module, "recall", failing)
    left_out: dict[str, str] = {}
    found = known_facts(language_model, facts, 64, left_out)
    assert left_out == {"f1": "f1 (0): not finite"}
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4)
    with pytest.raises(UserError, match="not finite"):
        known_facts(language_model, facts, 64)
