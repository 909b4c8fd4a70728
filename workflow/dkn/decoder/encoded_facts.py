"""Facts as token ids, and batches of facts whose answers have the same number of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from dkn.decoder.loading import LanguageModel
from dkn.errors import UserError


@dataclass(frozen=True)
class EncodedFact:
    """A prompt and an answer as token ids; the first ``special`` tokens of the prompt are special and never masked."""

    fact_id: str
    prompt: list[int]
    answer: list[int]
    special: int = 0

    @property
    def context(self) -> list[int]:
        """The tokens that the model reads to predict the last answer token."""
        return self.prompt + self.answer[:-1]

    @property
    def answer_positions(self) -> list[int]:
        """The positions of ``context`` at which the model predicts the answer tokens, one per answer token."""
        return list(range(len(self.prompt) - 1, len(self.context)))


def encode(model: LanguageModel, fact_id: str, prompt: str, answer: str) -> EncodedFact:
    """Tokenise the prompt and the answer together, joined by a space, as the model would see them.

    Raises:
        UserError: the prompt or the answer has no tokens, a token holds characters of both, or both together are
            longer than the model's context.
    """
    tokenizer = model.tokenizer
    prompt_tokens = tokenizer(prompt)["input_ids"]
    all_tokens = tokenizer(f"{prompt} {answer}")["input_ids"]
    if all_tokens[: len(prompt_tokens)] != prompt_tokens:
        raise UserError(f"fact {fact_id}: the tokenizer joins the end of {prompt!r} with the answer {answer!r}")
    if len(all_tokens) == len(prompt_tokens):
        raise UserError(f"fact {fact_id}: the answer {answer!r} has no tokens")
    count, context = len(all_tokens), model.adapter.context
    if count > context:
        raise UserError(f"fact {fact_id}: {count} tokens exceed the model's context of {context}")
    ordinary = (index for index, token in enumerate(prompt_tokens) if token not in tokenizer.all_special_ids)
    special = next(ordinary, len(prompt_tokens))
    if special == len(prompt_tokens):
        raise UserError(f"fact {fact_id}: the prompt {prompt!r} has no tokens")
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


def encode_all(model: LanguageModel, frame: pd.DataFrame) -> list[EncodedFact]:
    """Tokenise every fact of a table, in the table's order.

    Args:
        frame: one row per fact; columns fact_id, prompt, and answer, the accepted answer that the study uses for this
            model.
    Raises:
        UserError: as ``encode`` raises it.
    """
    return [encode(model, row.fact_id, row.prompt, row.answer) for row in frame.itertuples(index=False)]
