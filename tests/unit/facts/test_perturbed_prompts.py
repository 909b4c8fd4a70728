"""Perturbed queries: which words they replace, add and delete."""

import numpy as np
import pytest

from dkn.facts.perturbed_prompts import perturb, perturbed_prompts, vocabulary
from dkn.study.names import PERTURBATIONS

WORDS = ["and", "head", "of", "the"]
PROMPT, SUBJECT = "In 2012, the head coach of Manchester United is", "Manchester United"


def draws(kind: str, prompt: str, subject: str) -> list[str | None]:
    return [perturb(prompt, subject, kind, WORDS, np.random.default_rng(seed)) for seed in range(300)]


def test_the_vocabulary_is_the_lower_case_words_sorted() -> None:
    prompts = [("The capital of France is", "France"), ("In 2012, the coach of d'Or is", "d'Or"), ("a-b of", "a-b")]
    assert vocabulary(prompts, []) == ["capital", "coach", "is", "of", "the"]
    assert vocabulary([("Paris of", "Paris")], ["Paris"]) == ["of"]


@pytest.mark.parametrize(
    ("prompt", "subject", "answer", "words"),
    [
        ("中国的首都是", "中国", "北京", ["是", "的", "都", "首"]),
        ("Bill Gates的雇主是", "Bill Gates", "微软", ["主", "是", "的", "雇"]),
        ("عاصمة مصر هي", "مصر", "القاهرة", ["عاصمة", "هي"]),
        ("भारत की राजधानी है", "भारत", "दिल्ली", ["की", "राजधानी", "है"]),
        ("대한민국의 수도는 서울", "대한민국", "서울", ["대한민국의", "수도는"]),
        ("ประเทศ", "ไทย", "กรุงเทพ", ["ป", "ร", "ะ", "เ", "ท", "ศ"]),
        ("2012 年 中国", "中国", "北京", ["年"]),
    ],
    ids=["Chinese", "mixed", "Arabic", "Devanagari", "Korean", "Thai", "year"],
)
def test_words_of_scripts_without_case_are_no_names(prompt: str, subject: str, answer: str, words: list[str]) -> None:
    assert vocabulary([(prompt, subject)], [subject, answer]) == sorted(words)


CHINESE, CHINESE_WORDS = "中国的首都是", ["政", "府"]


def chinese(kind: str) -> set[str | None]:
    return {perturb(CHINESE, "中国", kind, CHINESE_WORDS, np.random.default_rng(seed)) for seed in range(300)}


def test_a_prompt_without_spaces_is_perturbed_by_characters() -> None:
    """Its subject stays whole, and its first and last word stay."""
    places = range(2, 5)
    assert chinese("delete") == {CHINESE[:place] + CHINESE[place + 1 :] for place in places}
    assert chinese("replace") == {
        CHINESE[:place] + word + CHINESE[place + 1 :] for place in places for word in CHINESE_WORDS
    }
    assert chinese("add") == {
        CHINESE[:place] + word + CHINESE[place:] for place in range(2, 6) for word in CHINESE_WORDS
    }


def test_a_subject_in_another_script_does_not_change_the_words() -> None:
    found = {perturb("The capital of 中国 is", "中国", "delete", WORDS, np.random.default_rng(n)) for n in range(99)}
    assert found == {"The of 中国 is", "The capital 中国 is"}


@pytest.mark.parametrize("words", [[], ["是"]])
def test_too_few_words_leave_deletions_only(words: list[str]) -> None:
    assert set(perturbed_prompts("f", CHINESE, "中国", words, 0)) == {"delete"}


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
