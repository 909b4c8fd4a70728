"""The baselines of fact-checking: the model's own judgement, and the stated answer's probability (docs/method.md).

The detector ``plm`` (pretrained language model) asks the model in words whether a statement is true. Its prompt begins
with shots, which are examples of statements with their verdicts. The detector ``answer-prob`` takes log Prob of the
stated answer.

There are two scores of ``plm``: the log odds of the two verdicts, and the released code's judgement, which lets the
model go on with the prompt and looks for a verdict in its words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from dkn.decoder.continuations import answers_after, common_beginning, greedy_continuations
from dkn.decoder.encoded_facts import SEPARATOR, EncodedFact, batches, encode
from dkn.decoder.loading import LanguageModel
from dkn.decoder.recall import recall
from dkn.errors import UserError
from dkn.experiments.statements import SCORE, Checked, Checking, as_records, encode_by_wording, encoded_statements
from dkn.neurons.sets import NeuronSet
from dkn.progress import progress
from dkn.randomness import generator
from dkn.storage.schemas import FACT_CHECKING

VERDICTS = ("true", "false")
JUDGES = ("log-odds", "generated")


def choose_shots(statements: pd.DataFrame, count: int, seed: int) -> pd.DataFrame:
    """Return the training statements that serve as examples in the prompt: one per subject, true and false in turn.

    At most half of the training subjects are taken, because the others are needed to choose the threshold.

    Args:
        statements: those of one wording, with the columns of ``statements.STATEMENT``.
        count: the largest number of examples.
        seed: the seed of the study; each subject's place in the order is drawn by seed and name.
    Returns:
        Rows of ``statements``, at most ``count``; empty where no subject is left.
    """
    training = statements[statements["split"] == "train"]
    keys = {name: generator(seed, "fact-checking/shot", name).random() for name in training["subject"].unique()}
    subjects = sorted(keys, key=lambda name: (keys[name], name))[: min(count, len(keys) // 2)]
    rows = []
    for index, subject in enumerate(subjects):
        choices = training[(training["subject"] == subject) & (training["truth"] == (index % 2 == 0))]
        rows.append(choices.sort_values("fact_id").iloc[0])
    return pd.DataFrame(rows, columns=statements.columns)


def _question(statement: pd.Series) -> str:
    return f"{statement['prompt']} {statement['answer']}. True or false:"


def truth_prompts(shots: pd.DataFrame, statements: pd.DataFrame) -> list[str]:
    """Return the prompt that asks for the verdict on each statement, after the examples and their verdicts.

    Args:
        shots: the examples, rows with prompt, answer and truth.
        statements: rows with prompt and answer.
    """
    examples = [f"{_question(shot)} {VERDICTS[0 if shot['truth'] else 1]}\n" for _, shot in shots.iterrows()]
    return ["".join(examples) + _question(statement) for _, statement in statements.iterrows()]


def _asked(shots: pd.DataFrame, statements: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Yield for every statement and verdict an id, the prompt that asks for the verdict, and the verdict."""
    for statement, prompt in zip(statements["statement"], truth_prompts(shots, statements), strict=True):
        yield from ((f"{statement}{SEPARATOR}{verdict}", prompt, verdict) for verdict in VERDICTS)


def askable(model: LanguageModel, statements: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the statements about which the model can be asked without any example.

    Args:
        model: the model, for its tokenizer and the length of its context.
        statements: rows with statement (an id), prompt and answer.
    Returns:
        The rows that are left, and a message about each wording of a fact that is left out.
    """
    encoded, left_out = encode_by_wording(model, _asked(statements.iloc[:0], statements))
    fit = [f"{statement}{SEPARATOR}{VERDICTS[0]}" in encoded for statement in statements["statement"]]
    return statements[fit], left_out


def fitting_shots(model: LanguageModel, shots: pd.DataFrame, statements: pd.DataFrame) -> pd.DataFrame:
    """Return as many of the first examples as fit into the model's context in the prompt of every statement.

    The number is even, so that true and false examples are equally many; it is zero where not even two fit, or where
    there is nothing to ask about.

    Args:
        model: the model, for its tokenizer and the length of its context.
        shots: the examples in their order, rows with prompt, answer and truth.
        statements: the statements to ask about, rows with prompt and answer.
    """
    for count in range(len(shots) - len(shots) % 2 if len(statements) else 0, 0, -2):
        asked = [f"{prompt} {verdict}" for _, prompt, verdict in _asked(shots.iloc[:count], statements)]
        if max(len(tokens) for tokens in model.tokenizer(asked)["input_ids"]) <= model.adapter.context:
            return shots.iloc[:count]
    return shots.iloc[:0]


def answer_log_prob(model: LanguageModel, encoded: dict[str, EncodedFact], batch: int) -> pd.Series:
    """Return the natural log-probability of each encoded answer, by id.

    Args:
        model: the model that is asked.
        encoded: prompts and answers in tokens, by id.
        batch: the number of prompts computed at once.
    """
    log_probs = {}
    for group in progress(list(batches(list(encoded.values()), batch)), "answers", unit="batch"):
        log_probs.update(
            {
                fact.fact_id: float(result.log_probs.sum())
                for fact, result in zip(group, recall(model, group), strict=True)
            }
        )
    return pd.Series(log_probs, dtype=float)


def truth_log_odds(model: LanguageModel, statements: pd.DataFrame, shots: pd.DataFrame, batch: int) -> pd.Series:
    """Return log P(true) - log P(false) in nats by statement id, the model being asked after the examples.

    Args:
        model: the model that is asked.
        statements: rows with statement (an id), prompt and answer, which fit behind the examples.
        shots: the examples, rows with prompt, answer and truth.
        batch: the number of prompts computed at once; the examples, with which all prompts begin, are read once.
    """
    encoded = [encode(model, name, prompt, verdict) for name, prompt, verdict in _asked(shots, statements)]
    if encoded and common_beginning([fact.prompt for fact in encoded]):
        log_probs = pd.Series(answers_after(model.adapter, encoded, batch), dtype=float)
    else:
        log_probs = answer_log_prob(model, {fact.fact_id: fact for fact in encoded}, batch)
    true, false = (
        log_probs[[f"{name}{SEPARATOR}{verdict}" for name in statements["statement"]]] for verdict in VERDICTS
    )
    return pd.Series(true.to_numpy() - false.to_numpy(), index=statements["statement"])


def judgements(
    model: LanguageModel, statements: pd.DataFrame, shots: pd.DataFrame, batch: int, tokens: int = 8
) -> pd.Series:
    """Return whether the model judges each statement to be true, as the released code reads it off the model's words.

    The model goes on greedily after the prompt of ``truth_log_odds``. A true statement is accepted if what it says, in
    lower case, contains "true", and a false one is rejected if it contains "false"; otherwise the judgement is the
    opposite. So the judgement uses the truth. Where the text has neither word the judgement is wrong, and where it has
    both it is right, whatever the statement.

    Args:
        model: the model that is asked.
        statements: rows with statement (an id), prompt, answer and truth, which fit behind the examples.
        shots: the examples, rows with prompt, answer and truth.
        batch: the number of prompts computed at once.
        tokens: the most tokens that the model says; there are fewer where its context or the text ends.
    Returns:
        1.0 for accepted and 0.0 for rejected, by statement id; a threshold between them tells the two apart.
    """
    asked = [encode(model, name, prompt, verdict) for name, prompt, verdict in _asked(shots, statements)]
    prompts = [fact.prompt for fact in asked[:: len(VERDICTS)]]
    said = greedy_continuations(model.adapter, prompts, tokens, batch, model.tokenizer.eos_token_id)
    texts = [model.tokenizer.decode(one).lower() for one in said]
    accepted = [
        "true" in text if truth else "false" not in text for text, truth in zip(texts, statements["truth"], strict=True)
    ]
    return pd.Series(accepted, index=statements["statement"], dtype=float)


def score_rows(detector: str, scores: pd.Series) -> pd.DataFrame:
    """Return the scores of a detector that uses no neurons as rows with the columns of ``statements.SCORE``.

    Args:
        detector: the name of the detector.
        scores: one score per statement, indexed by statement id.
    """
    about = {"detector": detector, "neurons": "none", "draw": 0, "size": 0}
    return scores.rename_axis("statement").rename("score").reset_index().assign(**about)


@dataclass(frozen=True)
class Judge:
    """How the model itself judges statements.

    Attributes:
        shots: the number of examples in the prompt that asks it.
        judge: ``log-odds``, by log P(true) - log P(false), or ``generated``, the released code's, by what it says.

    Raises:
        UserError: the judge is neither of the two.
    """

    shots: int
    judge: str = "log-odds"

    def __post_init__(self) -> None:
        if self.judge not in JUDGES:
            raise UserError(f"unknown judge {self.judge!r}; allowed: {', '.join(JUDGES)}")


def judged_table(
    model: LanguageModel,
    studied: pd.DataFrame,
    members: dict[str, NeuronSet],
    settings: Checking,
    judge: Judge,
    batch: int,
) -> Checked:
    """Ask the model in words whether statements are true, and take the answer's probability.

    The subjects of the examples are training subjects, and have no records.

    Args:
        model: the model.
        studied: all facts, indexed by fact_id.
        members: each fact's knowledge neurons.
        settings: which statements are made.
        judge: how the model judges them.
        batch: the number of statements computed at once.
    """
    _, statements = settings.of(studied, members)
    ask = truth_log_odds if judge.judge == "log-odds" else judgements
    tables: list[pd.DataFrame] = []
    used: dict[str, int] = {}
    left_out: dict[str, list[str]] = {"plm": [], "answer-prob": []}
    for wording, group in statements.groupby("wording"):
        examples = choose_shots(group, judge.shots, settings.seed)
        left = group[~group["subject"].isin(examples["subject"])]
        asked, too_long = askable(model, left)
        examples = fitting_shots(model, examples, asked)
        used[str(wording)] = len(examples)
        tables.append(score_rows("plm", ask(model, asked, examples, batch)))
        encoded, unanswered = encoded_statements(model, left)
        tables.append(score_rows("answer-prob", answer_log_prob(model, encoded, batch)))
        left_out["plm"] += too_long
        left_out["answer-prob"] += unanswered
    scores = pd.concat(tables) if tables else pd.DataFrame(columns=SCORE)
    records = as_records(statements, scores, FACT_CHECKING.names)
    return Checked(records, statements["fact_id"].nunique(), len(statements), left_out, used)
