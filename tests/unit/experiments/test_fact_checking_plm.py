"""The model asked whether a statement is true: its examples and its prompts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from dkn.decoder.adapters import Adapter
from dkn.decoder.loading import LanguageModel
from dkn.experiments.fact_checking_plm import choose_shots, fitting_shots, judgements, truth_prompts
from dkn.experiments.statements import make_statements
from tests.conftest import CONTEXT, VOCABULARY
from tests.unit.statement_facts import facts_table


def test_examples_are_training_subjects_true_and_false_in_turn() -> None:
    frame = facts_table([(f"{n}", f"s{n // 2}", "P1", f"{n}", [f"w{n}"]) for n in range(40)])
    statements = make_statements(frame, frame, 0)
    triple = statements[statements["wording"] == "triple"]
    shots = choose_shots(triple, 4, 0)
    assert shots["truth"].tolist() == [True, False, True, False]
    assert set(shots["split"]) == {"train"}
    assert shots["subject"].is_unique
    assert choose_shots(triple[::-1], 4, 0)["statement"].tolist() == shots["statement"].tolist()
    assert len(choose_shots(triple, 99, 0)) == triple.loc[triple["split"] == "train", "subject"].nunique() // 2
    first, second = shots.iloc[0], shots.iloc[1]
    prompt = truth_prompts(shots.iloc[:2], triple.iloc[:1])[0]
    assert prompt == (
        f"{first.prompt} {first.answer}. True or false: true\n"
        f"{second.prompt} {second.answer}. True or false: false\n"
        f"{triple.iloc[0].prompt} {triple.iloc[0].answer}. True or false:"
    )
    for context, expected in ((1000, 4), (50, 4), (49, 2), (30, 2), (29, 0)):  # ten words each, verdicts included
        model = SimpleNamespace(
            tokenizer=lambda texts: {"input_ids": [text.split() for text in texts]},
            adapter=SimpleNamespace(context=context),
        )
        assert len(fitting_shots(model, shots, triple)) == expected, context


END = "<end>"
SPOKEN = ("true", "Untrue", "false", "FALSE")  # every second word of the model's vocabulary has a verdict in it
WORDS = [END, "True", "or", "false:", "true", "false", *(f"w{n}" for n in range(40)), *(f"w{n}." for n in range(9))]
WORDS += [f"{SPOKEN[n % 4]}{n}" for n in range(VOCABULARY - len(WORDS))]


def judged_by_hand(adapter: Adapter, text: str, truth: bool) -> tuple[float, str]:
    """The judgement of one statement, and the words it rests on, by the Hugging Face model's own forward passes."""
    tokens = [WORDS.index(word) for word in text.split()]
    asked = len(tokens)
    while len(tokens) < min(asked + 8, CONTEXT):
        choice = int(adapter.model(torch.tensor([tokens])).logits[0, -1].argmax())
        if choice == 0:
            break
        tokens.append(choice)
    said = " ".join(WORDS[token] for token in tokens[asked:]).lower()
    if truth:
        return (1.0 if "true" in said else 0.0), said
    return (0.0 if "false" in said else 1.0), said


@pytest.mark.parametrize("examples", [0, 2])
def test_judgements_are_read_off_what_the_model_says(adapter: Adapter, examples: int) -> None:
    """Lower case counts for capitals; the context ends some continuations, and the end of the text ends others."""
    words = models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token=END)
    inner = Tokenizer(words)
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    model = LanguageModel(adapter, PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=END))
    frame = facts_table([(f"{n}", f"s{n}", "P1", f"{n}", [f"w{n % 9}"]) for n in range(60)])
    padding = [" w7" * (n % (19 if not examples else 5)) for n in range(60)]
    frame["prompt"] = [f"w{n % 40} w{n % 7}{more}" for n, more in enumerate(padding)]
    statements = make_statements(frame, frame, 0).query("wording == 'triple'")
    shots = choose_shots(statements.assign(prompt="w1"), examples, 0)
    assert len(shots) == examples
    found = judgements(model, statements, shots, 7)
    texts = truth_prompts(shots, statements)
    expected = [judged_by_hand(adapter, *one) for one in zip(texts, statements["truth"], strict=True)]
    assert found.index.tolist() == statements["statement"].tolist()
    assert found.tolist() == [score for score, _ in expected]
    seen = {(truth, score) for truth, score in zip(statements["truth"], found, strict=True)}
    assert seen == {(True, 1.0), (True, 0.0), (False, 1.0), (False, 0.0)}, "the statements do not cover every case"
