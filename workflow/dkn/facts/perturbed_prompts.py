"""Perturbed queries: prompts in which one word is replaced, added or deleted.

A word stands between spaces. In scripts that are written without spaces it is a single character, and the subject is
one word there. A *gap* is the place between two words. A query *preserves* the question when the change leaves the
subject and the date whole; otherwise it asks about something else, and its answer may be another one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from dkn.randomness import generator
from dkn.study.names import CHANGING, PERTURBATIONS, PRESERVING

# Scripts without spaces between words: Thai, Lao, Tibetan, Burmese, Khmer, Japanese kana, Bopomofo and Han characters.
_UNSPACED = (
    r"\u0e01-\u0e5b\u0e80-\u0fff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u31f0-\u31ff\u3400-\u4dbf"
    r"\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
_HAS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_JOINERS = "\u200c\u200d"

PUT_IN = ("words", "markers")
MARKERS = {"replace": "[REPLACED]", "add": "[ADDED]"}  # the released code puts these in, in place of words


@dataclass(frozen=True)
class Question:
    """What a fact asks.

    Attributes:
        prompt: words separated by single spaces, or by nothing in scripts that have no spaces.
        subject: the subject of the fact.
        date: its date, with which the prompt then begins (``In 2012, …``), or None.
    """

    prompt: str
    subject: str
    date: str | None


@dataclass(frozen=True)
class PerturbedPrompt:
    """A prompt in which one word was changed.

    Attributes:
        text: the prompt.
        question: ``preserving`` where the subject and the date are as they were, or ``changing``.
    """

    text: str
    question: str


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


def _ranges(words: list[str], before: list[str]) -> list[tuple[int, int]]:
    """Return where each word begins and ends in the prompt of which ``words`` and ``before`` are the parts."""
    ranges, end = [], 0
    for space, word in zip(before, words, strict=True):
        begin = end + len(space)
        end = begin + len(word)
        ranges.append((begin, end))
    return ranges


def _changeable(ranges: list[tuple[int, int]], question: Question) -> list[int]:
    """Return the indices of words that may be replaced or deleted in any query.

    These are all but the prompt's first and last word and the word in which the subject begins. A subject that the
    prompt does not hold is its first word: there its first letter was made a capital.
    """
    start = max(0, question.prompt.find(question.subject))
    first_of_subject = next((index for index, (_, end) in enumerate(ranges) if start < end), 0)
    return [index for index in range(1, len(ranges) - 1) if index != first_of_subject]


def _spans(question: Question) -> Iterator[tuple[int, int]]:
    """Yield where the subject and the date begin and end in the prompt.

    The subject is meant wherever its name stands, also with a capital. The date goes from the prompt's beginning on.
    """
    prompt, subject = question.prompt, question.subject
    for name in {subject, subject[0].upper() + subject[1:]}:
        yield from ((at, at + len(name)) for at in range(len(prompt)) if prompt.startswith(name, at))
    if question.date and question.date in prompt:
        yield 0, prompt.index(question.date) + len(question.date)


def _kept(ranges: list[tuple[int, int]], before: list[str], question: Question) -> tuple[set[int], set[int]]:
    """Return what a query that preserves the question leaves alone: words, and gaps by the index of the word after.

    These are the words of the subject and of the date, and the gaps between them. A character that stands right beside
    them, without a space, is one of them: another one in its place would read as a part of the name.
    """
    words: set[int] = set()
    gaps: set[int] = set()
    for begin, end in _spans(question):
        touched = [index for index, (first, last) in enumerate(ranges) if first < end and begin < last]
        low, high = touched[0], touched[-1]
        low -= low > 0 and not before[low]
        high += high + 1 < len(ranges) and not before[high + 1]
        words.update(range(low, high + 1))
        gaps.update(range(low + 1, high + 1))
    return words, gaps


def perturb(
    question: Question,
    kind: str,
    words: list[str],
    draw: np.random.Generator,
    queries: str = PRESERVING,
    put_in: str = "words",
) -> PerturbedPrompt | None:
    """Return the prompt with one word changed, or None where the prompt is too short or there are too few words.

    Args:
        question: the prompt, with what it asks about.
        kind: ``replace`` or ``delete``, which change a word that is neither the prompt's first or last nor the
            subject's first; or ``add``, which puts a word between any two.
        words: the words that ``replace`` and ``add`` draw from, at least two, or else neither is possible.
        draw: the random generator.
        queries: ``preserving``, which leaves the subject and the date whole, or ``any``.
        put_in: what ``replace`` and ``add`` put into the prompt, at the same place: one of the ``words``, or one of the
            ``markers`` of the released code, ``[REPLACED]`` and ``[ADDED]``, which needs no words.
    Raises:
        ValueError: the kind is unknown, or what is put in.
    """
    if kind not in PERTURBATIONS:
        raise ValueError(f"unknown perturbation {kind!r}")
    if put_in not in PUT_IN:
        raise ValueError(f"unknown words to put in {put_in!r}")
    if kind != "delete" and put_in == "words" and len(words) < 2:
        return None
    parts, before = _words(question.prompt, question.subject)
    ranges = _ranges(parts, before)
    kept_words, kept_gaps = _kept(ranges, before, question)
    places = list(range(1, len(parts))) if kind == "add" else _changeable(ranges, question)
    preserving = [place for place in places if place not in (kept_gaps if kind == "add" else kept_words)]
    if queries == PRESERVING:
        places = preserving
    if not places:
        return None
    index = int(draw.choice(places))
    word = ""
    if kind != "delete":
        others = [other for other in words if kind == "add" or other != parts[index]]
        word = MARKERS[kind] if put_in == "markers" else str(draw.choice(others))
    text = _changed(kind, parts, before, index, word)
    return PerturbedPrompt(text, PRESERVING if index in preserving else CHANGING)


def _changed(kind: str, parts: list[str], before: list[str], index: int, new: str) -> str:
    """Return the prompt with the word at an index replaced or deleted, or with a new word added before it."""
    if kind == "delete":
        space = max(before[index : index + 2])
        return _joined([*parts[:index], *parts[index + 1 :]], [*before[:index], space, *before[index + 2 :]])
    if kind == "add":
        return _joined([*parts[:index], new, *parts[index:]], [*before[: index + 1], *before[index:]])
    return _joined([*parts[:index], new, *parts[index + 1 :]], before)


def perturbed_prompts(
    fact_id: str,
    question: Question,
    words: list[str],
    seed: int,
    queries: str = PRESERVING,
    put_in: str = "words",
) -> dict[str, PerturbedPrompt]:
    """Return a fact's perturbed prompts by kind of perturbation.

    Each is drawn by the seed, the kind and the fact. A kind for which the prompt is too short, or for which
    there are too few words, is left out.

    Args:
        question: the fact's prompt, with what it asks about.
        words: the words that perturbations draw from, see ``vocabulary``.
        queries: ``preserving`` or ``any``, see ``perturb``.
        put_in: ``words`` or ``markers``, see ``perturb``.
    """
    perturbed = {
        kind: perturb(question, kind, words, generator(seed, f"perturbation/{kind}", fact_id), queries, put_in)
        for kind in PERTURBATIONS
    }
    return {kind: found for kind, found in perturbed.items() if found is not None}
