"""Perturbed queries: prompts in which one word is replaced, added or deleted."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dkn.errors import UserError
from dkn.randomness import generator
from dkn.study.names import PERTURBATIONS


def vocabulary(prompts: Iterable[str]) -> list[str]:
    """Return the words that perturbations draw from, sorted: all lower-case words of the prompts.

    Names and years are therefore not among them.

    Raises:
        UserError: the prompts hold fewer than two such words.
    """
    words = sorted({word for prompt in prompts for word in prompt.split() if word.isalpha() and word.islower()})
    if len(words) < 2:
        raise UserError("the facts' prompts hold fewer than two lower-case words; perturbed queries draw from them")
    return words


def _changeable(words: list[str], subject_index: int) -> list[int]:
    """Return the indices of words that may be replaced or deleted.

    These are all but the prompt's first and last word and the first word of the subject, at ``subject_index``.
    """
    return [index for index in range(1, len(words) - 1) if index != subject_index]


def perturb(prompt: str, subject: str, kind: str, words: list[str], draw: np.random.Generator) -> str | None:
    """Return the prompt with one word changed, or None where the prompt is too short for that.

    Args:
        prompt: words separated by single spaces.
        subject: the subject of the fact.
        kind: ``replace`` or ``delete``, which change a word that is neither the prompt's first or last nor the
            subject's first; or ``add``, which puts a word between any two.
        words: at least two words that ``replace`` and ``add`` draw from.
        draw: the random generator.
    Raises:
        ValueError: the kind is unknown.
    """
    prompt_words = prompt.split(" ")
    # Where the subject is not found, the prompt begins with it, and its first letter was made a capital.
    start = max(0, prompt.find(subject))
    changeable = _changeable(prompt_words, prompt[:start].count(" "))
    if kind == "add":
        if len(prompt_words) < 2:
            return None
        index = int(draw.integers(1, len(prompt_words)))
        return " ".join([*prompt_words[:index], str(draw.choice(words)), *prompt_words[index:]])
    if not changeable:
        return None
    index = int(draw.choice(changeable))
    if kind == "delete":
        return " ".join([*prompt_words[:index], *prompt_words[index + 1 :]])
    if kind == "replace":
        others = [word for word in words if word != prompt_words[index]]
        return " ".join([*prompt_words[:index], str(draw.choice(others)), *prompt_words[index + 1 :]])
    raise ValueError(f"unknown perturbation {kind!r}")


def perturbed_prompts(fact_id: str, prompt: str, subject: str, words: list[str], seed: int) -> dict[str, str]:
    """Return a fact's perturbed prompts by kind of perturbation.

    Each is drawn by the seed, the kind and the fact. A kind for which the prompt is too short is left out.

    Args:
        words: at least two words that perturbations draw from, see ``vocabulary``.
    """
    perturbed = {
        kind: perturb(prompt, subject, kind, words, generator(seed, f"perturbation/{kind}", fact_id))
        for kind in PERTURBATIONS
    }
    return {kind: text for kind, text in perturbed.items() if text is not None}
