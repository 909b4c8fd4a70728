"""Perturbed queries: prompts in which one word is replaced, added or deleted.

A word stands between spaces. In scripts that are written without spaces it is a single character, and the subject is
one word there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import numpy as np

from dkn.randomness import generator
from dkn.study.names import PERTURBATIONS

# Scripts without spaces between words: Thai, Lao, Tibetan, Burmese, Khmer, Japanese kana, Bopomofo and Han characters.
_UNSPACED = (
    r"\u0e01-\u0e5b\u0e80-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u31f0-\u31ff\u3400-\u4dbf"
    r"\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_HAS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_JOINERS = "\u200c\u200d"


def _words(prompt: str, subject: str) -> tuple[list[str], list[str]]:
    """Return a prompt's words, and what stands before each: a space or nothing.

    Args:
        prompt: words separated by single spaces, or none where the script has none.
        subject: the subject of the fact, which does not decide about the script.
    """
    if not _HAS_UNSPACED.search(prompt.replace(subject, "")):
        words = prompt.split(" ")
        return words, ["", *[" "] * (len(words) - 1)]
    words, before = [], []
    for space, word in re.findall(f"( ?)({re.escape(subject)}|[{_UNSPACED}]|[^ {_UNSPACED}]+)", prompt):
        if words and not space and unicodedata.category(word[0])[0] == "M" and words[-1] != subject:
            words[-1] += word  # a vowel sign or tone mark belongs to the letter before it
        else:
            words.append(word)
            before.append(space)
    return words, before


def _joined(words: list[str], before: list[str]) -> str:
    """Return the prompt of which ``words`` and ``before`` are the parts."""
    return "".join(space + word for space, word in zip(before, words, strict=True))


def _is_caseless(word: str) -> bool:
    """Tell whether a word consists of letters that have no capitals, with their marks."""
    kinds = [unicodedata.category(char) for char in word if char not in _JOINERS]
    return bool(kinds) and kinds[0] in ("Lo", "Lm") and all(kind in ("Lo", "Lm", "Mn", "Mc") for kind in kinds)


def vocabulary(prompts: Iterable[tuple[str, str]], names: Iterable[str]) -> list[str]:
    """Return the words that perturbations draw from, sorted.

    These are all lower-case words of the prompts. Names and years are therefore not among them. In scripts without
    capitals these are the words of the prompts that occur in no name.

    Args:
        prompts: prompts with the subjects of their facts.
        names: all subjects and answers.
    Returns:
        Words; fewer than two where the prompts do not hold more, so that no word can replace another.
    """
    in_names = {word for name in names for word in (name, *name.split())}
    found: set[str] = set()
    for prompt, subject in prompts:
        found.update(word for word in prompt.split() if word.isalpha() and word.islower())
        words, _ = _words(prompt, subject)
        found.update(word for word in words if _is_caseless(word) and word not in in_names)
    return sorted(found)


def _changeable(words: list[str], subject_index: int) -> list[int]:
    """Return the indices of words that may be replaced or deleted.

    These are all but the prompt's first and last word and the first word of the subject, at ``subject_index``.
    """
    return [index for index in range(1, len(words) - 1) if index != subject_index]


def _subject_index(words: list[str], before: list[str], prompt: str, subject: str) -> int:
    """Return the index of the word in which the subject begins, or 0 where the prompt does not hold it.

    That is where the prompt begins with it, and its first letter was made a capital.
    """
    start = max(0, prompt.find(subject))
    end = 0
    for index, (space, word) in enumerate(zip(before, words, strict=True)):
        end += len(space) + len(word)
        if start < end:
            return index
    return 0


def perturb(prompt: str, subject: str, kind: str, words: list[str], draw: np.random.Generator) -> str | None:
    """Return the prompt with one word changed, or None where the prompt is too short or there are too few words.

    Args:
        prompt: words separated by single spaces, or by nothing in scripts that have no spaces.
        subject: the subject of the fact.
        kind: ``replace`` or ``delete``, which change a word that is neither the prompt's first or last nor the
            subject's first; or ``add``, which puts a word between any two.
        words: the words that ``replace`` and ``add`` draw from, at least two, or else neither is possible.
        draw: the random generator.
    Raises:
        ValueError: the kind is unknown.
    """
    if kind not in PERTURBATIONS:
        raise ValueError(f"unknown perturbation {kind!r}")
    parts, before = _words(prompt, subject)
    changeable = _changeable(parts, _subject_index(parts, before, prompt, subject))
    if kind != "delete" and len(words) < 2:
        return None
    if kind == "add":
        if len(parts) < 2:
            return None
        index = int(draw.integers(1, len(parts)))
        word = str(draw.choice(words))
        return _joined([*parts[:index], word, *parts[index:]], [*before[: index + 1], *before[index:]])
    if not changeable:
        return None
    index = int(draw.choice(changeable))
    if kind == "delete":
        space = max(before[index : index + 2])
        return _joined([*parts[:index], *parts[index + 1 :]], [*before[:index], space, *before[index + 2 :]])
    others = [word for word in words if word != parts[index]]
    return _joined([*parts[:index], str(draw.choice(others)), *parts[index + 1 :]], before)


def perturbed_prompts(fact_id: str, prompt: str, subject: str, words: list[str], seed: int) -> dict[str, str]:
    """Return a fact's perturbed prompts by kind of perturbation.

    Each is drawn by the seed, the kind and the fact. A kind for which the prompt is too short, or for which
    there are too few words, is left out.

    Args:
        words: the words that perturbations draw from, see ``vocabulary``.
    """
    perturbed = {
        kind: perturb(prompt, subject, kind, words, generator(seed, f"perturbation/{kind}", fact_id))
        for kind in PERTURBATIONS
    }
    return {kind: text for kind, text in perturbed.items() if text is not None}
