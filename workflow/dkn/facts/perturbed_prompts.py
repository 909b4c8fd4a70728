"""Perturbed queries: one word of a prompt replaced, added or deleted (docs/method.md)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dkn.errors import UserError
from dkn.randomness import generator
from dkn.study.names import PERTURBATIONS


def vocabulary(prompts: Iterable[str]) -> list[str]:
    """The words that perturbations draw from: all lower-case words of the prompts, so no names or years; sorted.

    Raises:
        UserError: fewer than two such words.
    """
    words = sorted({word for prompt in prompts for word in prompt.split() if word.isalpha() and word.islower()})
    if len(words) < 2:
        raise UserError("the facts' prompts hold fewer than two lower-case words; perturbed queries draw from them")
    return words


def _inner_places(words: list[str], subject_place: int) -> list[int]:
    """Places of words that may be changed: neither end of the prompt, nor the subject's first word."""
    return [place for place in range(1, len(words) - 1) if place != subject_place]


def perturb(prompt: str, subject: str, kind: str, words: list[str], draw: np.random.Generator) -> str | None:
    """The prompt with one word changed, or None where it is too short for that.

    Args:
        prompt: words separated by single spaces.
        kind: ``replace`` or ``delete`` an inner word, which is neither the prompt's first nor last nor the subject's
            first; ``add`` a word anywhere between two.
        words: what ``replace`` and ``add`` draw from.
    """
    parts = prompt.split(" ")
    start = max(0, prompt.find(subject))  # not found: the prompt begins with it, its first letter made a capital
    inner = _inner_places(parts, prompt[:start].count(" "))
    if kind == "add":
        if len(parts) < 2:
            return None
        place = int(draw.integers(1, len(parts)))
        return " ".join([*parts[:place], str(draw.choice(words)), *parts[place:]])
    if not inner:
        return None
    place = int(draw.choice(inner))
    if kind == "delete":
        return " ".join([*parts[:place], *parts[place + 1 :]])
    if kind == "replace":
        others = [word for word in words if word != parts[place]]
        return " ".join([*parts[:place], str(draw.choice(others)), *parts[place + 1 :]])
    raise ValueError(f"unknown perturbation {kind!r}")


def perturbed_prompts(fact_id: str, prompt: str, subject: str, words: list[str], seed: int) -> dict[str, str]:
    """A fact's perturbed prompts by kind, each drawn by seed, kind and fact; kinds it is too short for are left out."""
    found = {
        kind: perturb(prompt, subject, kind, words, generator(seed, f"perturbation/{kind}", fact_id))
        for kind in PERTURBATIONS
    }
    return {kind: text for kind, text in found.items() if text is not None}
