"""The model asked whether a statement is true: its examples and its prompts."""

from __future__ import annotations

from types import SimpleNamespace

from dkn.experiments.fact_checking_plm import choose_shots, fitting_shots, truth_prompts
from dkn.experiments.statements import make_statements
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
