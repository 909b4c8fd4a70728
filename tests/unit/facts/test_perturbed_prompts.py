"""Perturbed queries: which words they replace, add and delete."""

import numpy as np
import pytest

from dkn.errors import UserError
from dkn.facts.perturbed_prompts import perturb, perturbed_prompts, vocabulary
from dkn.study.names import PERTURBATIONS

WORDS = ["and", "head", "of", "the"]
PROMPT, SUBJECT = "In 2012, the head coach of Manchester United is", "Manchester United"


def draws(kind: str, prompt: str, subject: str) -> list[str | None]:
    return [perturb(prompt, subject, kind, WORDS, np.random.default_rng(seed)) for seed in range(300)]


def test_the_vocabulary_is_the_lower_case_words_sorted() -> None:
    assert vocabulary(["The capital of France is", "In 2012, the coach of d'Or is", "a-b of"]) == [
        "capital",
        "coach",
        "is",
        "of",
        "the",
    ]
    with pytest.raises(UserError, match="fewer than two"):
        vocabulary(["Paris of"])


def test_replace_changes_every_inner_word_but_the_subjects_first() -> None:
    before = PROMPT.split()
    places = set()
    for text in draws("replace", PROMPT, SUBJECT):
        after = text.split(" ")
        assert len(after) == len(before)
        changed = [place for place in range(len(before)) if before[place] != after[place]]
        assert len(changed) == 1
        assert after[changed[0]] in WORDS
        places.update(changed)
    assert places == set(range(1, len(before) - 1)) - {before.index("Manchester")}


def test_delete_takes_every_inner_word_but_the_subjects_first() -> None:
    words = PROMPT.split()
    expected = {
        " ".join(words[:place] + words[place + 1 :])
        for place in range(1, len(words) - 1)
        if words[place] != "Manchester"
    }
    assert set(draws("delete", PROMPT, SUBJECT)) == expected


def test_add_puts_a_word_between_any_two() -> None:
    words = PROMPT.split()
    expected = {" ".join([*words[:place], word, *words[place:]]) for place in range(1, len(words)) for word in WORDS}
    assert set(draws("add", PROMPT, SUBJECT)) == expected


def test_short_prompts_have_fewer_perturbations() -> None:
    """Two words can only be added to; three around a subject in the middle neither; one word has nothing inside."""
    words = [*WORDS, "x"]
    assert set(perturbed_prompts("f", "Paris is", "Paris", words, 0)) == {"add"}
    assert set(perturbed_prompts("f", "In Paris is", "Paris", words, 0)) == {"add"}
    assert perturbed_prompts("f", "Paris", "Paris", words, 0) == {}
    assert set(perturbed_prompts("f", "Paris is the", "Paris", words, 0)) == set(PERTURBATIONS)


def test_a_capitalised_subject_is_still_kept() -> None:
    """A prompt that begins with its subject makes its first letter a capital."""
    assert {text.split(" ")[0] for text in draws("replace", "IPhone is produced by", "iPhone")} == {"IPhone"}


def test_draws_depend_on_seed_and_fact_alone() -> None:
    first = perturbed_prompts("f", PROMPT, SUBJECT, WORDS, 0)
    perturbed_prompts("g", PROMPT, SUBJECT, WORDS, 0)
    assert perturbed_prompts("f", PROMPT, SUBJECT, WORDS, 0) == first
    others = [perturbed_prompts(f"{n}", PROMPT, SUBJECT, WORDS, 0) for n in range(20)]
    assert len({other["add"] for other in others}) > 5
    assert len({perturbed_prompts("f", PROMPT, SUBJECT, WORDS, seed)["add"] for seed in range(20)}) > 5
