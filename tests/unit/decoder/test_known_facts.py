"""What a model knows: the answer that stands for a fact, and the wordings in which it is given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dkn.decoder import known_facts as known_module
from dkn.decoder.encoded_facts import EncodedFact, encode
from dkn.decoder.known_facts import known_facts
from dkn.decoder.loading import LanguageModel
from dkn.decoder.recall import Recall, recall
from dkn.errors import UserError
from dkn.facts.schema import TRAINED_PARAPHRASES
from dkn.storage.schemas import KNOWN

WORDS = [f"w{number}" for number in range(40)]
SEEN = ["so w1"] * TRAINED_PARAPHRASES  # a fact with these paraphrases has no unseen wording


def asked(facts: int) -> pd.DataFrame:
    """Facts that accept every word there is, each in another order."""
    rows = [
        (f"f{number}", f"a{number % 9} w{number}", SEEN, WORDS[number:] + WORDS[:number]) for number in range(facts)
    ]
    return pd.DataFrame(rows, columns=["fact_id", "prompt", "paraphrases", "answers"])


def test_known_facts_are_about_the_first_accepted_answer_that_is_given(language_model: LanguageModel) -> None:
    """And about the first of all where none is given; every answer asked alone decides it."""
    facts = asked(20)
    found = known_facts(language_model, facts, batch=64).set_index("fact_id")
    chosen = []
    for row in facts.itertuples(index=False):
        tokens = [encode(language_model, row.fact_id, row.prompt, answer) for answer in row.answers]
        alone = [recall(language_model, [answer])[0] for answer in tokens]
        place = next((place for place, one in enumerate(alone) if one.answered), 0)
        chosen.append(place)
        own = found.loc[row.fact_id]
        assert (own["answer"], own["known"]) == (row.answers[place], alone[place].answered)
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
    recalled = known_module.recall

    def failing(model: LanguageModel, group: list[EncodedFact]) -> list[Recall]:
        if any(fact.fact_id.startswith("f1") for fact in group):
            raise UserError("fact f1 (0): not finite")
        return recalled(model, group)

    monkeypatch.setattr(known_module, "recall", failing)
    left_out: dict[str, str] = {}
    found = known_facts(language_model, facts, 64, left_out)
    assert left_out == {"f1": "f1 (0): not finite"}
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4)
    with pytest.raises(UserError, match="not finite"):
        known_facts(language_model, facts, 64)


@pytest.mark.parametrize("wording", ["seen", "unseen"])
def test_unseen_wordings_decide_where_the_study_asks_for_them(
    language_model: LanguageModel, wording: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All paraphrases that training left out have to be answered; those that it saw do not matter."""
    right = language_model.tokenizer("a1 w1")["input_ids"]

    def reciting(_model: LanguageModel, group: list[EncodedFact]) -> list[Recall]:
        return [Recall(np.zeros(1), np.zeros(1, dtype=int), fact.prompt == right) for fact in group]

    monkeypatch.setattr(known_module, "recall", reciting)
    cases = [  # the prompt, a paraphrase that training saw, those that it left out; answered, and in these too
        ("a1 w1", "a1 w1", ["a1 w1", "a1 w1"], True, True),
        ("a1 w1", "a2 w2", ["a1 w1"], True, True),
        ("a1 w1", "a1 w1", ["a1 w1", "a2 w2"], True, False),
        ("a1 w1", "a1 w1", ["a2 w2", "a1 w1"], True, False),
        ("a2 w2", "a1 w1", ["a1 w1"], False, False),
    ]
    facts = pd.DataFrame(
        {
            "fact_id": f"f{number}",
            "prompt": prompt,
            "paraphrases": [saw] * TRAINED_PARAPHRASES + left,
            "answers": ["w3"],
        }
        for number, (prompt, saw, left, _, _) in enumerate(cases)
    )
    found = known_facts(language_model, facts, 64, wording=wording)
    assert found["answered"].tolist() == [case[3] for case in cases]
    assert found["answered_unseen"].tolist() == [case[4] for case in cases]
    assert found["known"].tolist() == [case[3 if wording == "seen" else 4] for case in cases]


def test_an_unseen_wording_without_finite_probabilities(
    language_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = asked(20).assign(paraphrases=[[*SEEN, "so w2"]] * 20)
    whole = known_facts(language_model, facts, 64)
    chosen = whole.loc[whole["answered"], "fact_id"].iloc[0]
    recalled = known_module.recall

    def failing(model: LanguageModel, group: list[EncodedFact]) -> list[Recall]:
        if any(fact.label == f"fact {chosen} (paraphrase {TRAINED_PARAPHRASES + 1})" for fact in group):
            raise UserError(f"fact {chosen}: not finite")
        return recalled(model, group)

    monkeypatch.setattr(known_module, "recall", failing)
    left_out: dict[str, str] = {}
    found = known_facts(language_model, facts, 64, left_out)
    assert left_out == {chosen: f"{chosen}: not finite"}
    pd.testing.assert_frame_equal(found, whole[whole["fact_id"] != chosen].reset_index(drop=True), rtol=1e-4)


def test_an_unknown_wording_is_refused(language_model: LanguageModel) -> None:
    with pytest.raises(UserError, match="unknown wording 'heard'; allowed: seen, unseen"):
        known_facts(language_model, asked(1), 64, wording="heard")
