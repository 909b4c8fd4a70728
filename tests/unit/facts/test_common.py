"""The bundled common facts: each asks one question of its own, beside the other bundled facts too."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from dkn.facts.schema import GAP, Fact, RelationTemplates
from dkn.facts.sources import FactsSource, read_facts, read_templates
from tests.unit.facts_server import RESOURCES

PAGE = Path(__file__).parents[3] / "docs" / "models-and-facts.md"
ALL = ("temporal", "static", "common")
# Where the answer may be read off the subject: languages and peoples, and a capital called like its country.
SPELLED_IN_SUBJECT = {"P37", "P1549"}
WORDS_FOR_PEOPLE = {"English": {"American", "British", "English"}, "German": {"Austrian", "German"}}
LANGUAGES = {"Argentine": "Spanish", "Brazilian": "Portuguese", "Cuban": "Spanish"}


def read(*names: str, templates: tuple[str, ...] = ("templates", "common")) -> tuple[list[Fact], list[str]]:
    """The facts of bundled files, and a line for each that repeats an earlier one's question."""
    joined: list[str] = []
    sources = [FactsSource(str(RESOURCES / f"{name}.jsonl")) for name in names]
    wordings = read_templates([RESOURCES / f"{name}.yaml" for name in templates])
    return read_facts(sources, wordings, 0, joined)[0], joined


@pytest.fixture(scope="module")
def common() -> list[Fact]:
    return read("common")[0]


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, str], tuple[str, ...]]:
    """The accepted answers of all static facts, by relation and subject."""
    return {(fact.relation, fact.subject): fact.answers for fact in read("static", "common")[0]}


def plain(subject: str) -> str:
    """A subject without its article, accents and capitals."""
    letters = unicodedata.normalize("NFKD", subject.casefold().removeprefix("the "))
    return "".join(char for char in letters if not unicodedata.combining(char))


def of(relation: str, answers: dict[tuple[str, str], tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The answers of one relation by subject."""
    return {subject: names for (name, subject), names in answers.items() if name == relation}


def test_there_are_many_facts_of_many_relations(common: list[Fact]) -> None:
    counts = Counter(fact.relation for fact in common)
    assert len(common) >= 1000
    assert len(counts) >= 24
    assert all(20 <= count <= 80 for count in counts.values()), counts
    assert not any(fact.date for fact in common)
    assert {fact.split for fact in common} == {"train", "test"}


def test_the_page_counts_the_facts_of_each_relation(common: list[Fact]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    counts = Counter(fact.relation for fact in common)
    assert {name: int(count) for name, count in re.findall(r"^\| `(.+?)` \| .+? \| (\d+) \|", page, re.M)} == counts
    assert f"{len(common):,} facts of {len(counts)} relations" in page


def test_all_bundled_files_together_repeat_no_question() -> None:
    facts, joined = read(*ALL)
    assert not joined
    assert len(facts) == sum(len((RESOURCES / f"{name}.jsonl").read_text().splitlines()) for name in ALL)
    assert max(Counter((fact.relation, plain(fact.subject), fact.date) for fact in facts).values()) == 1
    assert max(Counter(fact.prompt.casefold() for fact in facts).values()) == 1


def test_the_other_bundled_facts_stay_as_they_are() -> None:
    alone, _ = read("temporal", "static", templates=("templates",))
    assert read(*ALL)[0][: len(alone)] == alone


def test_each_new_relation_has_its_wordings(common: list[Fact]) -> None:
    new = read_templates([RESOURCES / "common.yaml"])
    assert not new.keys() & read_templates([RESOURCES / "templates.yaml"]).keys()
    assert new.keys() <= {fact.relation for fact in common}
    for wording in new.values():
        assert isinstance(wording, RelationTemplates)
        gap_last = (wording.left_to_right, *wording.paraphrases, wording.complex)
        assert len({template.casefold() for template in gap_last}) == len(gap_last) >= 5
        assert all(template.endswith(f" {GAP}.") for template in (wording.original, *gap_last))


def test_the_prompts_of_common_facts_begin_and_end_well(common: list[Fact]) -> None:
    for fact in common:
        for wording in (fact.prompt, *fact.paraphrases, fact.complex):
            assert wording == " ".join(wording.split())
            assert wording[0] == wording[0].upper()
            assert fact.subject.casefold() in wording.casefold()
            assert GAP not in wording
        assert len({fact.prompt, *fact.paraphrases, fact.complex}) == len(fact.paraphrases) + 2


def test_the_lines_are_in_the_form_that_they_are_read_in() -> None:
    """Nothing is normalised away: a line says what the study asks."""
    lines = (RESOURCES / "common.jsonl").read_text(encoding="utf-8").splitlines()
    queries = [json.loads(line) for line in lines]
    assert [json.dumps(query, ensure_ascii=False) for query in queries] == lines
    for query in queries:
        names = [entity["name"] for entity in query["answer"]]
        assert query["most_frequent_answer"] == query["most_recent_answer"] == query["answer"][0]
        assert len(set(names)) == len(names)
        assert all(name == unicodedata.normalize("NFC", " ".join(name.split())) for name in [*names, query["query"]])
        assert all(entity["wikidata_id"] is None for entity in query["answer"])
        assert re.fullmatch(r"[a-z0-9_]+_" + re.escape(query["relation"]), query["id"])


def test_no_subject_spells_its_answer(common: list[Fact]) -> None:
    for fact in common:
        if fact.relation not in SPELLED_IN_SUBJECT and (fact.relation, fact.subject) != ("P36", "Tunisia"):
            short = len(fact.answers[0]) < 3  # chemical symbols
            assert short or fact.answers[0].casefold() not in fact.subject.casefold(), fact.fact_id


# --- facts that follow from each other ----------------------------------------------------------------------


def test_capitals_and_countries_name_each_other(answers: dict[tuple[str, str], tuple[str, ...]]) -> None:
    capitals = of("P36", answers)
    for city, countries in of("P1376", answers).items():
        assert [name for name in countries if city in capitals.get(name, ())], city


def test_symbols_and_elements_name_each_other(answers: dict[tuple[str, str], tuple[str, ...]]) -> None:
    symbols = of("P246", answers)
    assert len(set(symbols.values())) == len(symbols)
    for symbol, elements in of("element-of-symbol", answers).items():
        assert [name for name in elements if symbols.get(name) == (symbol,)], symbol


def test_state_capitals_lie_in_their_states(answers: dict[tuple[str, str], tuple[str, ...]]) -> None:
    states, capitals = of("P131", answers), of("state-capital", answers)
    assert len(capitals) == len(set(capitals.values())) == 50
    assert {name for names in states.values() for name in names} <= capitals.keys()
    for state, names in capitals.items():
        assert all(states[name] == (state,) for name in names if name in states)


def test_places_are_told_apart(answers: dict[tuple[str, str], tuple[str, ...]]) -> None:
    """A city outside the United States is no city of a state, and a landmark lies in its city's country."""
    countries = {plain(subject): names for subject, names in of("P17", answers).items()}
    capitals = {city: country for country, cities in of("P36", answers).items() for city in cities}
    assert not countries.keys() & {plain(city) for city in of("P131", answers)}
    for landmark, cities in of("P276", answers).items():
        if plain(landmark) in countries and cities[0] in capitals:
            assert capitals[cities[0]] in countries[plain(landmark)], landmark


def test_nationalities_fit_native_languages(answers: dict[tuple[str, str], tuple[str, ...]]) -> None:
    nationalities = of("nationality", answers)
    both = {name: names for name, names in of("P103", answers).items() if name in nationalities}
    assert len(both) > 30
    for name, languages in both.items():
        words = {LANGUAGES.get(word, word) for word in nationalities[name]}
        assert words & (WORDS_FOR_PEOPLE.get(languages[0], set()) | set(languages)), name
