"""Perturbed queries: which words they replace, add and delete."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dkn.facts.perturbed_prompts import PerturbedPrompt, Question, perturb, perturbed_prompts, vocabulary
from dkn.study.names import ANY, CHANGING, PERTURBATIONS, PRESERVING

WORDS = ["and", "head", "of", "the"]
PROMPT, SUBJECT = "In 2012, the head coach of Manchester United is", "Manchester United"
QUESTION = Question(PROMPT, SUBJECT, "2012")
EARLIER = {
    "replace": "In 2012, the the coach of Manchester United is",
    "add": "In 2012, the head coach of of Manchester United is",
    "delete": "In 2012, the head of Manchester United is",
}


def found(kind: str, question: Question, words: list[str] = WORDS, queries: str = ANY) -> list[PerturbedPrompt]:
    """Many draws of one perturbation."""
    drawn = [perturb(question, kind, words, np.random.default_rng(seed), queries) for seed in range(300)]
    return [one for one in drawn if one is not None]


def draws(kind: str, prompt: str, subject: str) -> list[str]:
    """The texts of many draws that may change any inner word."""
    return [one.text for one in found(kind, Question(prompt, subject, None))]


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


def chinese(kind: str, queries: str = ANY) -> set[str]:
    return {one.text for one in found(kind, Question(CHINESE, "中国", None), CHINESE_WORDS, queries)}


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
    assert set(draws("delete", "The capital of 中国 is", "中国")) == {"The of 中国 is", "The capital 中国 is"}


@pytest.mark.parametrize("words", [[], ["是"]])
def test_too_few_words_leave_deletions_only(words: list[str]) -> None:
    assert set(perturbed_prompts("f", Question(CHINESE, "中国", None), words, 0)) == {"delete"}


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

    def kinds(prompt: str) -> set[str]:
        return set(perturbed_prompts("f", Question(prompt, "Paris", None), [*WORDS, "x"], 0))

    assert kinds("Paris is") == kinds("In Paris is") == {"add"}
    assert kinds("Paris") == set()
    assert kinds("Paris is the") == set(PERTURBATIONS)


def test_a_capitalised_subject_is_still_kept() -> None:
    """A prompt that begins with its subject makes its first letter a capital."""
    assert {text.split(" ")[0] for text in draws("replace", "IPhone is produced by", "iPhone")} == {"IPhone"}


def test_draws_depend_on_seed_and_fact_alone() -> None:
    first = perturbed_prompts("f", QUESTION, WORDS, 0)
    perturbed_prompts("g", QUESTION, WORDS, 0)
    assert perturbed_prompts("f", QUESTION, WORDS, 0) == first
    others = [perturbed_prompts(f"{n}", QUESTION, WORDS, 0) for n in range(20)]
    assert len({other["add"] for other in others}) > 5
    assert len({perturbed_prompts("f", QUESTION, WORDS, seed)["add"] for seed in range(20)}) > 5


def test_any_query_keeps_the_draws_of_earlier_studies() -> None:
    """The texts were written down before queries that preserve the question were there."""
    drawn = perturbed_prompts("a fact", QUESTION, WORDS, 0, ANY)
    assert {kind: one.text for kind, one in drawn.items()} == EARLIER


# --- queries that preserve the question ---------------------------------------------------------------------


def test_preserving_queries_leave_the_subject_and_the_date_whole() -> None:
    """Every place but those, and each is drawn."""
    words = PROMPT.split()
    kept = {(0, "In"), (1, "2012,"), (6, "Manchester"), (7, "United"), (8, "is")}
    inner = [place for place, word in enumerate(words) if (place, word) not in kept]
    deleted = {" ".join(words[:place] + words[place + 1 :]) for place in inner}
    assert {one.text for one in found("delete", QUESTION, queries=PRESERVING)} == deleted
    replaced = {one.text for one in found("replace", QUESTION, queries=PRESERVING)}
    assert {place for text in replaced for place, word in enumerate(text.split()) if word != words[place]} == set(inner)
    gaps = [place for place in range(1, len(words)) if words[place] not in ("2012,", "United")]
    added = {" ".join([*words[:place], word, *words[place:]]) for place in gaps for word in WORDS}
    assert {one.text for one in found("add", QUESTION, queries=PRESERVING)} == added


@pytest.mark.parametrize("kind", PERTURBATIONS)
def test_any_query_says_whether_it_preserves_the_question(kind: str) -> None:
    drawn = found(kind, QUESTION)
    preserving = {one.text for one in found(kind, QUESTION, queries=PRESERVING)}
    assert {one.question for one in drawn} == {PRESERVING, CHANGING}
    for one in drawn:
        whole = "Manchester United" in one.text and one.text.startswith("In 2012, ")
        assert (one.question == PRESERVING) == whole
        assert whole == (one.text in preserving) or kind == "replace"


def test_in_scripts_without_spaces_what_stands_beside_the_subject_stays() -> None:
    """A character put or changed there would be read as a part of the name: 中国人 is a Chinese person."""
    assert chinese("delete", PRESERVING) == {"中国的都是", "中国的首是"}
    assert chinese("add", PRESERVING) == {
        CHINESE[:place] + word + CHINESE[place:] for place in range(3, 6) for word in CHINESE_WORDS
    }
    assert all(text.startswith("中国的") for text in chinese("replace", PRESERVING))


def test_a_prompt_of_subject_and_date_alone_cannot_preserve_the_question() -> None:
    question = Question("In 2012, Bo Ek", "Bo Ek", "2012")
    assert {one.text for one in found("add", question, queries=PRESERVING)} == {
        f"In 2012, {word} Bo Ek" for word in WORDS
    }
    assert set(perturbed_prompts("f", question, WORDS, 0)) == {"add"}
    assert set(perturbed_prompts("f", question, WORDS, 0, ANY)) == set(PERTURBATIONS)


def neighbours(subject: str, text: str) -> set[str]:
    """The subject with what stands right beside it, wherever it stands."""
    size = len(subject)
    places = (place for place in range(len(text)) if text.startswith(subject, place))
    return {text[max(0, place - 1) : place + size + 1].strip() for place in places}


LATIN = st.lists(st.text("abcdeXY'0129", min_size=1, max_size=5), min_size=1, max_size=4).map(" ".join)
HAN = st.text("中国的首都是年2", min_size=1, max_size=4)


@given(
    st.one_of(LATIN, HAN),
    st.sampled_from(["{}", "the head of {}", "{} is in", "known as {} is the", "在{}的首都是", "{}'s town is"]),
    st.one_of(st.none(), st.integers(1000, 2030).map(str)),
    st.sampled_from(PERTURBATIONS),
    st.integers(0, 99),
)
def test_nothing_of_the_subject_or_the_date_is_touched_or_split(
    subject: str, template: str, date: str | None, kind: str, seed: int
) -> None:
    """Whatever is taken out is whole words that are neither; the subject's word then stands as it stood."""
    prompt = (f"In {date}, " if date else "") + template.format(subject)
    draw = np.random.default_rng(seed)
    one = perturb(Question(prompt, subject, date), kind, [*WORDS, "人"], draw, PRESERVING)
    if one is None:
        return
    assert one.question == PRESERVING
    assert one.text != prompt or kind == "replace"
    assert one.text.count(subject) >= prompt.count(subject)
    assert not date or one.text.startswith(f"In {date},")
    assert neighbours(subject, prompt) <= neighbours(subject, one.text)


@given(LATIN, st.sampled_from([PRESERVING, ANY]), st.integers(0, 99), st.sampled_from([WORDS, []]))
def test_markers_stand_where_the_words_would(subject: str, queries: str, seed: int, words: list[str]) -> None:
    """The place is drawn as with words, which are put back here; markers need no words."""
    question = Question(f"In 2012, the head coach of {subject} is", subject, "2012")
    usual = perturbed_prompts("f", question, WORDS, seed, queries)
    marked = perturbed_prompts("f", question, words, seed, queries, "markers")
    assert set(usual) == set(marked) == set(PERTURBATIONS)
    before = question.prompt.split(" ")
    replaced = marked["replace"].text.split(" ")
    place = replaced.index("[REPLACED]")
    assert replaced[:place] + replaced[place + 1 :] == before[:place] + before[place + 1 :]
    words_of_usual = usual["replace"].text.split(" ")
    assert before[:place] + words_of_usual[place : place + 1] + before[place + 1 :] == words_of_usual
    added = marked["add"].text.split(" ")
    place = added.index("[ADDED]")
    assert added[:place] + added[place + 1 :] == before
    assert before[:place] + usual["add"].text.split(" ")[place : place + 1] + before[place:] == usual["add"].text.split(
        " "
    )
    assert marked["delete"] == usual["delete"]
    assert {kind: one.question for kind, one in marked.items()} == {kind: one.question for kind, one in usual.items()}


def test_a_marker_may_stand_in_the_prompt_already() -> None:
    marked = perturbed_prompts("f", Question("a [REPLACED] b", "a", None), [], 0, ANY, "markers")
    assert marked["replace"].text == "a [REPLACED] b"


def test_another_thing_to_put_in_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown words to put in 'stars'"):
        perturbed_prompts("f", QUESTION, WORDS, 0, ANY, "stars")
