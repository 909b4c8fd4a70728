"""The schema of facts: their queries, their wordings and their splits.

A source of facts is a file of JSON lines, one query per line, as TempLAMA publishes them (Dhingra et al., "Time-Aware
Language Models as Temporal Knowledge Bases", TACL 2022). A query holds a *gap*, ``_X_``, where the answer belongs. The
*templates* of a relation reword its queries so that the gap comes last and the model can go on with the answer. Every
line is validated; the first bad one ends the reading with one error that names file, line and cause. All texts are
brought into one form first (``dkn.facts.text``), so that two spellings of one subject are one subject.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from dkn.errors import UserError
from dkn.facts.text import Identifier, Text, checked, shown
from dkn.randomness import generator
from dkn.validation_messages import location_path, problem_message

if TYPE_CHECKING:  # the Snakefile reads this module, and pandas takes long to import
    import pandas as pd

GAP = "_X_"
SUBJECT = "{subject}"
ARTICLE = "the "  # a subject that begins with it begins a sentence as "The …"
LONGEST_LINE = 100_000  # characters; the longest line of TempLAMA has about 2,000
TRAINED_PARAPHRASES = 2  # the number of a fact's paraphrases that nano models are trained on; they never see the rest


class Entity(BaseModel):
    """An answer: its name, and its Wikidata id where one is known.

    Two answers with one Wikidata id are two names of one thing.
    """

    model_config = ConfigDict(extra="forbid")
    wikidata_id: Annotated[str, Field(pattern=r"^Q[0-9]+$")] | None
    name: Text


class Query(BaseModel):
    """One line of a facts file, in TempLAMA's schema; ``date`` is a year, or None for a fact without a date."""

    model_config = ConfigDict(extra="forbid")
    query: Text
    answer: Annotated[list[Entity], Field(min_length=1)]
    date: Annotated[str, Field(pattern=r"^[0-9]{4}$")] | None
    id: Identifier
    relation: Text
    most_frequent_answer: Entity
    most_recent_answer: Entity


class RelationTemplates(BaseModel):
    """The templates of one relation; each holds ``{subject}`` and the gap ``_X_`` exactly once.

    Attributes:
        name: what the relation is called.
        original: the template of the source's queries; its gap may be anywhere.
        left_to_right: the template that facts are asked with.
        paraphrases: other wordings of it.
        complex: a longer wording of it.
    """

    model_config = ConfigDict(extra="forbid")
    name: Text
    original: Text
    left_to_right: Text
    paraphrases: Annotated[list[Text], Field(min_length=3)]
    complex: Text

    @field_validator("original", "left_to_right", "complex")
    @classmethod
    def _one_gap(cls, template: str) -> str:
        """Return the template, or raise unless it holds the gap and the subject exactly once each."""
        for placeholder in (GAP, SUBJECT):
            if template.count(placeholder) != 1:
                raise ValueError(f"a template holds {placeholder} exactly once: {template!r}")
        return template

    @field_validator("left_to_right", "complex")
    @classmethod
    def _gap_last(cls, template: str) -> str:
        """Return the template, or raise unless the gap is its last word."""
        if template.removesuffix(".").endswith(" " + GAP):
            return template
        raise ValueError(f"the gap {GAP} must be the last word: {template!r}")

    @field_validator("paraphrases")
    @classmethod
    def _each_gap_last(cls, templates: list[str]) -> list[str]:
        """Return the templates, or raise unless each holds the gap once, as its last word, and the subject once."""
        return [cls._gap_last(cls._one_gap(template)) for template in templates]

    def subject_of(self, query: str) -> str | None:
        """Return the subject with which the original template gives ``query``, or None where no subject does."""
        before, after = self.original.split(SUBJECT)
        match = re.fullmatch(re.escape(before) + "(.+)" + re.escape(after), query)
        return match[1].strip() or None if match else None


Templates = dict[Identifier, RelationTemplates]


@dataclass(frozen=True)
class Fact:
    """One fact as the study uses it.

    Attributes:
        fact_id: the query's id in the source.
        subject, relation: what the fact is about.
        date: the year in which the fact holds, or None for a fact without a date.
        answers: the accepted answers, at least one.
        answer_ids: their Wikidata ids; empty for an answer without one.
        query: the query in the source's own wording, with the gap.
        prompt: the left-to-right wording up to the gap, without a trailing space.
        paraphrases: other wordings, cut in the same way.
        complex: a longer wording, cut in the same way.
        split: ``train`` or ``test``.
        source: the name of the source.
    """

    fact_id: str
    subject: str
    relation: str
    date: str | None
    answers: tuple[str, ...]
    answer_ids: tuple[str, ...]
    query: str
    prompt: str
    paraphrases: tuple[str, ...]
    complex: str
    split: str
    source: str


def first_problem(error: ValidationError) -> str:
    """Return the first problem of a validation error as ``field: what is wrong``."""
    problem = error.errors(include_url=False)[0]
    field = location_path(problem["loc"])
    return f"{field}: {problem_message(problem)}" if field else problem_message(problem)


def parse_templates(tree: object, name: str) -> Templates:
    """Validate relation templates.

    Args:
        tree: the content of a YAML file, a dictionary from relations to dictionaries of templates.
        name: the name of the file, for errors.
    Raises:
        UserError: the tree is not of that form, or a template is wrong.
    """
    try:
        templates = TypeAdapter(Templates).validate_python(tree)
    except ValidationError as error:
        raise UserError(f"{name}: {shown(first_problem(error))}") from None
    if isinstance(tree, dict) and len(templates) < len(tree):
        raise UserError(f"{name}: two relations have one name, apart from spaces and Unicode forms")
    return templates


def prompt(template: str, subject: str, date: str | None) -> str:
    """Return a template's text up to the gap, like ``In 2012, the head coach of S is`` or ``The capital of S is``.

    Without a date the first letter becomes a capital, but a name stays as it is: where the text begins with the
    subject, only an article before its name is raised, as in ``The BBC is based in``.
    """
    if not date and template.startswith(SUBJECT):
        raised = subject.startswith(ARTICLE)
        text = template.replace(SUBJECT, subject[0].upper() + subject[1:] if raised else subject)
    else:
        template = f"In {date}, {template}" if date else template[0].title() + template[1:]
        text = template.replace(SUBJECT, subject)
    return text[: text.rindex(GAP)].rstrip()


def original_prompt(query: str) -> str:
    """Return the source's own query as the released code asks it, without a year.

    A gap at the end is cut, with the full stop after it and the spaces before it. A gap that stands elsewhere stays in
    the text, as ``_X_``.
    """
    before, _, after = query.rpartition(GAP)
    return before.rstrip() if after.strip() in ("", ".") else query


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object's keys with their values, or raise ValueError where a key is there twice."""
    entries = dict(pairs)
    for key in entries:
        if sum(key == other for other, _ in pairs) > 1:
            raise ValueError(f"duplicate key {key!r}")
    return entries


def parse_query(line: str, templates: Templates, file_line: str) -> tuple[Query, str]:
    """Validate one line of a facts file and return its query and its subject.

    Args:
        line: the JSON text.
        templates: templates by relation.
        file_line: ``file:line``, for errors.
    Raises:
        UserError: the line is too long or not of TempLAMA's schema, its relation has no templates, it has no gap or
            several, or it does not fit the relation's original template.
    """
    if len(line) > LONGEST_LINE:
        raise UserError(f"{file_line}: {len(line):,} characters in one line; allowed: {LONGEST_LINE:,}")
    try:
        query = Query.model_validate_json(line)
        # Only this parser tells of repeated keys. Numbers stay text: a long one is an error of its own there.
        json.loads(line, object_pairs_hook=_without_duplicates, parse_int=str, parse_float=str)
        return query, _subject(query, templates)
    except ValidationError as error:
        raise UserError(f"{file_line}: {shown(first_problem(error))}") from None
    except ValueError as error:
        raise UserError(f"{file_line}: {shown(str(error))}") from None


def _subject(query: Query, templates: Templates) -> str:
    """Return the subject of a query, or raise ValueError where its relation's original template gives none."""
    if query.relation not in templates:
        raise ValueError(f"unknown relation {query.relation!r}; there are templates for {', '.join(templates)}")
    if query.query.count(GAP) != 1:
        raise ValueError(f"the query must hold the gap {GAP} exactly once: {query.query!r}")
    original = templates[query.relation].original
    subject = templates[query.relation].subject_of(query.query)
    if subject is None:
        raise ValueError(f"the query {query.query!r} does not fit relation {query.relation}'s template {original!r}")
    try:
        return checked(subject)
    except ValueError as error:
        raise ValueError(f"the subject of the query {query.query!r}: {error}") from None


def read_queries(
    lines: Iterable[str], templates: Templates, name: str, first_lines: dict[str, str]
) -> Iterator[tuple[Query, str]]:
    """Yield the validated queries of one source with their subjects; ``first_lines`` then has the place of each.

    Args:
        lines: the JSON lines; blank ones are skipped.
        templates: templates by relation.
        name: the source's name, for errors.
        first_lines: for each id that has been read from any source, the ``file:line`` where; it is extended in place.
    Raises:
        UserError: a line is bad, repeats an id, or the source has no facts. The error names file, line and cause.
    """
    count = 0
    for number, line in enumerate(lines, start=1):
        # Files that were joined with `cat` may have byte order marks in the middle.
        text = line.strip("\ufeff \t\r\n")
        if not text:
            continue
        file_line = f"{name}:{number}"
        query, subject = parse_query(text, templates, file_line)
        if query.id in first_lines:
            raise UserError(f"{file_line}: duplicate id {shown(repr(query.id))}, first seen at {first_lines[query.id]}")
        first_lines[query.id] = file_line
        count += 1
        yield query, subject
    if not count:
        raise UserError(f"{name}: no facts in this file")


def split_of(subject: str, seed: int, train_share: float = 0.5) -> str:
    """Return ``train`` or ``test``, drawn by the seed and the subject alone.

    So the facts of one subject in several years are never on both sides.

    Args:
        train_share: the expected share of subjects in ``train``, from 0 to 1.
    """
    return "train" if generator(seed, "split", subject).random() < train_share else "test"


def make_fact(query: Query, subject: str, templates: Templates, source: str, seed: int) -> Fact:
    """Return the fact of a query, with all its wordings; accepted answers keep their order, without repetitions.

    Args:
        query, subject: a result of ``parse_query``.
        templates: templates by relation.
        source: the source's name.
        seed: the study's seed, by which the split is drawn.
    """
    wording = templates[query.relation]
    answers: dict[str, str] = {}
    for entity in query.answer:
        answers[entity.name] = answers.get(entity.name) or entity.wikidata_id or ""
    return Fact(
        fact_id=query.id,
        subject=subject,
        relation=query.relation,
        date=query.date,
        answers=tuple(answers),
        answer_ids=tuple(answers.values()),
        query=query.query,
        prompt=prompt(wording.left_to_right, subject, query.date),
        paraphrases=tuple(prompt(template, subject, query.date) for template in wording.paraphrases),
        complex=prompt(wording.complex, subject, query.date),
        split=split_of(subject, seed),
        source=source,
    )


def with_answers_of(fact: Fact, other: Fact) -> Fact:
    """Return a fact that also accepts the answers of another fact, which asks the same question."""
    answers = dict(zip(fact.answers, fact.answer_ids, strict=True))
    for name, wikidata_id in zip(other.answers, other.answer_ids, strict=True):
        answers[name] = answers.get(name) or wikidata_id
    return replace(fact, answers=tuple(answers), answer_ids=tuple(answers.values()))


def facts_of_table(table: pd.DataFrame) -> list[Fact]:
    """Return the facts of a stored table (columns as in ``schemas.FACTS``) as objects; a missing date is None."""
    dates = table["date"].astype(object).where(table["date"].notna(), None)
    lists = ("answers", "answer_ids", "paraphrases")
    return [
        Fact(**{**row, **{name: tuple(row[name]) for name in lists}})
        for row in table.assign(date=dates).to_dict("records")
    ]
