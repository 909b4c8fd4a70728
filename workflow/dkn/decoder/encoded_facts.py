"""Facts as token ids, and batches of facts whose answers have the same number of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dkn.decoder.loading import LanguageModel
from dkn.errors import UserError

SEPARATOR = "\x1f"  # in ids, between a fact's id and what else the id names
ANSWER_TEXTS = ("continuation", "alone", "alone-lowercase")
ANSWER_PATHS = ("answer", "first-choice")  # how a prompt goes on up to the last prediction; settings choose one


@dataclass(frozen=True)
class EncodedFact:
    """A prompt and an answer as token ids.

    Attributes:
        special: the number of the prompt's first tokens that are special and never masked.
        extension: the tokens that stand between the prompt and the last prediction; None for the answer's own tokens
            but the last. Answer token i is asked for after i of them.
    """

    fact_id: str
    prompt: list[int]
    answer: list[int]
    special: int = 0
    extension: list[int] | None = None

    @property
    def label(self) -> str:
        """The fact, and which of its wordings it is, as messages name them."""
        return label(self.fact_id)

    @property
    def context(self) -> list[int]:
        """The tokens that the model reads to predict the last answer token."""
        return self.prompt + (self.answer[:-1] if self.extension is None else self.extension)

    @property
    def answer_positions(self) -> list[int]:
        """The positions of ``context`` at which the model predicts the answer tokens, the prompt's last one first."""
        return list(range(len(self.prompt) - 1, len(self.context)))


@dataclass(frozen=True)
class EncodingSettings:
    """How facts become token ids.

    Attributes:
        answer_text: ``continuation``, the answer is tokenised together with the prompt that it follows; ``alone``, by
            itself, as the released code does: without a leading space, and with the special tokens that the tokenizer
            adds to a text; or ``alone-lowercase``, the same in lower case.
    """

    answer_text: str = "continuation"

    def __post_init__(self) -> None:
        if self.answer_text not in ANSWER_TEXTS:
            raise UserError(f"unknown answer_text {self.answer_text!r}; allowed: {', '.join(ANSWER_TEXTS)}")


AS_CONTINUATION = EncodingSettings()


def label(fact_id: str) -> str:
    """Return in words what an id names: a fact, or a fact with a wording, a query or a verdict behind separators."""
    fact, *parts = fact_id.split(SEPARATOR)
    return f"fact {fact} ({', '.join(parts)})" if parts else f"fact {fact}"


def _alone(model: LanguageModel, text: str) -> list[int]:
    """Return a text's tokens, special ones that the tokenizer adds among them, or none where there is nothing else."""
    ordinary = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    return model.tokenizer(text)["input_ids"] if ordinary else []


def encode(
    model: LanguageModel, fact_id: str, prompt: str, answer: str, encoding: EncodingSettings = AS_CONTINUATION
) -> EncodedFact:
    """Tokenise a prompt and an answer, by default both together and joined by a space, as the model would see them.

    Raises:
        UserError: the prompt or the answer has no tokens, a token holds characters of both, or both together are
            longer than the model's context.
    """
    tokenizer, named = model.tokenizer, label(fact_id)
    prompt_tokens = tokenizer(prompt)["input_ids"]
    if encoding.answer_text == "continuation":
        all_tokens = tokenizer(f"{prompt} {answer}")["input_ids"]
    else:
        all_tokens = prompt_tokens + _alone(model, answer if encoding.answer_text == "alone" else answer.lower())
    if all_tokens[: len(prompt_tokens)] != prompt_tokens:
        raise UserError(f"{named}: the tokenizer joins the end of {prompt!r} with the answer {answer!r}")
    if len(all_tokens) == len(prompt_tokens):
        raise UserError(f"{named}: the answer {answer!r} has no tokens")
    count, context = len(all_tokens), model.adapter.context
    if count > context:
        raise UserError(f"{named}: {count} tokens exceed the model's context of {context}")
    ordinary = (index for index, token in enumerate(prompt_tokens) if token not in tokenizer.all_special_ids)
    special = next(ordinary, len(prompt_tokens))
    if special == len(prompt_tokens):
        raise UserError(f"{named}: the prompt {prompt!r} has no tokens")
    return EncodedFact(fact_id, prompt_tokens, all_tokens[len(prompt_tokens) :], special)


def batches(
    facts: Sequence[EncodedFact], size: int, alike: Callable[[EncodedFact], int] = lambda fact: len(fact.prompt)
) -> Iterator[list[EncodedFact]]:
    """Yield groups of at most ``size`` facts whose answers have the same number of tokens.

    Args:
        alike: the number by which facts are sorted into groups, because a group costs what its largest number costs;
            the length of the prompt by default.
    """
    order = sorted(facts, key=lambda fact: (len(fact.answer), alike(fact), fact.fact_id))
    group: list[EncodedFact] = []
    for fact in order:
        if group and (len(group) == size or len(group[0].answer) != len(fact.answer)):
            yield group
            group = []
        group.append(fact)
    if group:
        yield group


def encode_all(
    model: LanguageModel, frame: pd.DataFrame, encoding: EncodingSettings = AS_CONTINUATION
) -> list[EncodedFact]:
    """Tokenise every fact of a table, in the table's order.

    Args:
        frame: one row per fact; columns fact_id, prompt, and answer, the accepted answer that the study uses for this
            model.
        encoding: how the answer is tokenised.
    Raises:
        UserError: as ``encode`` raises it.
    """
    return [encode(model, row.fact_id, row.prompt, row.answer, encoding) for row in frame.itertuples(index=False)]


def encode_fitting(
    model: LanguageModel, asked: Iterable[tuple[str, str, str]], encoding: EncodingSettings = AS_CONTINUATION
) -> tuple[list[EncodedFact], list[str]]:
    """Tokenise what the model can be asked and leave out the rest.

    Args:
        asked: an id, a prompt and an answer each.
        encoding: how the answer is tokenised.
    Returns:
        What can be asked, in the given order, and a message about each of the others.
    """
    encoded, left_out = [], []
    for fact_id, prompt, answer in asked:
        try:
            encoded.append(encode(model, fact_id, prompt, answer, encoding))
        except UserError as error:
            left_out.append(str(error))
    return encoded, left_out


def _tokens_of(model: LanguageModel, row: Any) -> tuple[int, int]:
    """Return the most tokens of a fact's wordings and of its answers; raise UserError where one cannot be asked."""
    encoded = [
        encode(model, f"{row.fact_id}{SEPARATOR}{wording}", prompt, answer)
        for wording, prompt in (
            *(("prompt", row.prompt), ("complex", row.complex)),
            *((f"paraphrase {number}", prompt) for number, prompt in enumerate(row.paraphrases, 1)),
        )
        for answer in row.answers
    ]
    return max(len(one.prompt) for one in encoded), max(len(one.answer) for one in encoded)


def facts_that_fit(model: LanguageModel, facts: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the facts that every stage can ask a model, and why the others are left out.

    Every wording of a fact must fit into the model's context with every answer of the fact, and with the longest answer
    of the facts of its relation, since false answers come from these. Where a relation's wordings and answers are too
    long for each other, the fewer facts are left out: those with the long wordings, or those with the long answers.

    Args:
        facts: the columns of ``schemas.FACTS``.
    Returns:
        The rows that are left, and a reason by the id of each other fact.
    """
    reasons: dict[str, str] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for row in facts.itertuples(index=False):
        try:
            sizes[row.fact_id] = _tokens_of(model, row)
        except UserError as error:
            reasons[row.fact_id] = str(error).removeprefix("fact ")
    context = model.adapter.context
    for _, of_relation in facts[facts["fact_id"].isin(sizes)].groupby("relation", sort=False):
        left = {fact_id: sizes[fact_id] for fact_id in of_relation["fact_id"]}
        while left:
            longest, answer = (max(column) for column in zip(*left.values(), strict=True))
            if longest + answer <= context:
                break
            wordings = [fact_id for fact_id, size in left.items() if size[0] + answer > context]
            answers = [fact_id for fact_id, size in left.items() if longest + size[1] > context]
            why = f"{longest + answer} tokens of a wording and another answer of its relation exceed {context}"
            for fact_id in wordings if len(wordings) < len(answers) else answers:
                reasons[fact_id] = f"{fact_id}: {why}, the model's context"
                del left[fact_id]
    return facts[~facts["fact_id"].isin(reasons)], reasons
