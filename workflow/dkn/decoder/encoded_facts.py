"""Facts in tokens, and batches of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from dkn.decoder.loading import LanguageModel
from dkn.errors import UserError


@dataclass(frozen=True)
class EncodedFact:
    """A prompt and an answer in tokens. ``special`` counts the prompt's leading special tokens (never masked)."""

    fact_id: str
    prompt: list[int]
    answer: list[int]
    special: int = 0

    @property
    def context(self) -> list[int]:
        """What the model reads to predict the last answer token."""
        return self.prompt + self.answer[:-1]

    @property
    def answer_positions(self) -> list[int]:
        """The positions that predict the answer tokens."""
        return list(range(len(self.prompt) - 1, len(self.context)))


def encode(model: LanguageModel, fact_id: str, prompt: str, answer: str) -> EncodedFact:
    """Tokenise prompt and answer in one go, as the model would see them (docs/method.md).

    Raises:
        UserError: the answer has no tokens, its first token reaches into the prompt, or the context is too short.
    """
    tokenizer = model.tokenizer
    head = tokenizer(prompt)["input_ids"]
    whole = tokenizer(f"{prompt} {answer}")["input_ids"]
    if whole[: len(head)] != head:
        raise UserError(f"fact {fact_id}: the tokenizer joins the end of {prompt!r} with the answer {answer!r}")
    if len(whole) == len(head):
        raise UserError(f"fact {fact_id}: the answer {answer!r} has no tokens")
    if len(whole) > model.adapter.context:
        raise UserError(f"fact {fact_id}: {len(whole)} tokens exceed the model's context of {model.adapter.context}")
    special = next((place for place, token in enumerate(head) if token not in tokenizer.all_special_ids), len(head))
    if special == len(head):
        raise UserError(f"fact {fact_id}: the prompt {prompt!r} has no tokens")
    return EncodedFact(fact_id, head, whole[len(head) :], special)


def batches(
    facts: Sequence[EncodedFact], size: int, alike: Callable[[EncodedFact], int] = lambda fact: len(fact.prompt)
) -> Iterator[list[EncodedFact]]:
    """Facts in groups of at most ``size`` whose answers have the same number of tokens.

    Args:
        alike: what is padded to the largest of a group, and so should be alike in it; the prompts' lengths by default.
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
    """Every fact of a frame in tokens.

    Args:
        frame: columns fact_id, prompt, and answer: the one that the study uses for this model.
    """
    return [encode(model, row.fact_id, row.prompt, row.answer) for row in frame.itertuples(index=False)]
