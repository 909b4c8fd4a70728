"""The baselines of fact-checking: the model asked in words, and the stated answer's probability (docs/method.md)."""

from __future__ import annotations

import pandas as pd

from dkn.decoder.encoded_facts import EncodedFact, batches, encode
from dkn.decoder.loading import LanguageModel
from dkn.decoder.recall import recall
from dkn.progress import progress
from dkn.randomness import generator

VERDICTS = ("true", "false")


def choose_shots(statements: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Training statements of one wording, one per subject, true and false in turn, subjects drawn by seed.

    At most half of the training subjects are taken: the others are left for the threshold.
    """
    training = statements[statements["split"] == "train"]
    keys = {name: generator(seed, "fact-checking/shot", name).random() for name in training["subject"].unique()}
    subjects = sorted(keys, key=lambda name: (keys[name], name))[: min(count, len(keys) // 2)]
    rows = []
    for place, subject in enumerate(subjects):
        own = training[(training["subject"] == subject) & (training["truth"] == (place % 2 == 0))]
        rows.append(own.sort_values("fact_id").iloc[0])
    return pd.DataFrame(rows, columns=statements.columns)


def _question(statement: pd.Series) -> str:
    return f"{statement['prompt']} {statement['answer']}. True or false:"


def truth_prompts(shots: pd.DataFrame, statements: pd.DataFrame) -> list[str]:
    """The few-shot prompt of every statement, up to its verdict."""
    examples = [f"{_question(shot)} {VERDICTS[0 if shot['truth'] else 1]}\n" for _, shot in shots.iterrows()]
    return ["".join(examples) + _question(statement) for _, statement in statements.iterrows()]


def fitting_shots(model: LanguageModel, shots: pd.DataFrame, statements: pd.DataFrame) -> pd.DataFrame:
    """The first shots, an even number of them, with which every statement's prompt fits into the model's context."""
    for count in range(len(shots) - len(shots) % 2, 0, -2):
        asked = [
            f"{prompt} {verdict}" for prompt in truth_prompts(shots.iloc[:count], statements) for verdict in VERDICTS
        ]
        if max(len(tokens) for tokens in model.tokenizer(asked)["input_ids"]) <= model.adapter.context:
            return shots.iloc[:count]
    return shots.iloc[:0]


def answer_log_prob(model: LanguageModel, encoded: dict[str, EncodedFact], batch: int) -> pd.Series:
    """log Prob of each answer in tokens, by id."""
    found = {}
    for group in progress(list(batches(list(encoded.values()), batch)), "answers", unit="batch"):
        found.update(
            {
                one.fact_id: float(result.log_probs.sum())
                for one, result in zip(group, recall(model, group), strict=True)
            }
        )
    return pd.Series(found, dtype=float)


def truth_log_odds(model: LanguageModel, statements: pd.DataFrame, shots: pd.DataFrame, batch: int) -> pd.Series:
    """log P(true) - log P(false) by statement, after few-shot examples."""
    asked = zip(statements["statement"], truth_prompts(shots, statements), strict=True)
    encoded = {
        f"{statement}\x1f{verdict}": encode(model, f"{statement}\x1f{verdict}", prompt, verdict)
        for statement, prompt in asked
        for verdict in VERDICTS
    }
    found = answer_log_prob(model, encoded, batch)
    true, false = (found[[f"{name}\x1f{verdict}" for name in statements["statement"]]] for verdict in VERDICTS)
    return pd.Series(true.to_numpy() - false.to_numpy(), index=statements["statement"])


def score_rows(detector: str, found: pd.Series) -> pd.DataFrame:
    about = {"detector": detector, "neurons": "none", "size": 0}
    return found.rename_axis("statement").rename("score").reset_index().assign(**about)
