"""Facts, their wordings and their splits (docs/method.md: facts in TempLAMA's schema, asked with the gap last).

A source of facts is a file of JSON lines, one query a line, as TempLAMA publishes them (Dhingra et al., "Time-Aware
Language Models as Temporal Knowledge Bases", TACL 2022). Every line is validated; the first bad one ends the reading
with one error that names file, line and cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from dkn.errors import UserError
from dkn.randomness import generator
from dkn.validation_messages import place, what

GAP = "_X_"
SUBJECT = "{subject}"
TRAINED_PARAPHRASES = 2  # of a fact's paraphrases, the rest stay unseen by nano models

Text = Annotated[str, Field(min_length=1)]


class Entity(BaseModel):
    """An answer: its name, and its Wikidata id where one is known."""

    model_config = ConfigDict(extra="forbid")
    wikidata_id: str | None
    name: Text

    @field_validator("name")
    @classmethod
    def _not_blank(cls, name: str) -> str:
        if not name.strip():
            raise ValueError("empty answer")
        return name.strip()


class Query(BaseModel):
    """One line of a facts file, in TempLAMA's schema. ``date`` is a year, or null for a fact without a time."""

    model_config = ConfigDict(extra="forbid")
    query: Text
    answer: Annotated[list[Entity], Field(min_length=1)]
    date: Annotated[str, Field(pattern=r"^\d{4}$")] | None
    id: Text
    relation: Text
    most_frequent_answer: Entity
    most_recent_answer: Entity


class RelationTemplates(BaseModel):
    """The wordings of one relation; each holds ``{subject}`` and the gap ``_X_`` exactly once."""

    model_config = ConfigDict(extra="forbid")
    name: Text
    original: str
    left_to_right: str
    paraphrases: Annotated[list[str], Field(min_length=3)]
    complex: str

    @field_validator("original", "left_to_right", "complex")
    @classmethod
    def _one_gap(cls, template: str) -> str:
        for part in (GAP, SUBJECT):
            if template.count(part) != 1:
                raise ValueError(f"a template holds {part} exactly once: {template!r}")
        return template

    @field_validator("left_to_right", "complex")
    @classmethod
    def _gap_last(cls, template: str) -> str:
        if template.removesuffix(".").endswith(" " + GAP):
            return template
        raise ValueError(f"the gap {GAP} must be the last word: {template!r}")

    @field_validator("paraphrases")
    @classmethod
    def _each_gap_last(cls, templates: list[str]) -> list[str]:
        return [cls._gap_last(cls._one_gap(template)) for template in templates]

    def subject_of(self, query: str) -> str | None:
        """The subject that, put into the original template, gives ``query``; None where there is none."""
        before, after = self.original.split(SUBJECT)
        match = re.fullmatch(re.escape(before) + "(.+)" + re.escape(after), query)
        return match[1].strip() or None if match else None


Templates = dict[str, RelationTemplates]


@dataclass(frozen=True)
class Fact:
    """One fact as the study uses it. Prompts end where the answer begins, without a trailing space."""

    fact_id: str
    subject: str
    relation: str
    date: str | None
    answers: tuple[str, ...]
    query: str
    prompt: str
    paraphrases: tuple[str, ...]
    complex: str
    split: str
    source: str


def first_problem(error: ValidationError) -> str:
    """Pydantic's first complaint as ``field: what is wrong``."""
    problem = error.errors(include_url=False)[0]
    where = place(problem["loc"])
    return f"{where}: {what(problem)}" if where else what(problem)


def parse_templates(tree: object, where: str) -> Templates:
    """Relation templates from a parsed YAML tree ``{relation: {…}}``; ``where`` names it in errors."""
    try:
        return TypeAdapter(Templates).validate_python(tree)
    except ValidationError as error:
        raise UserError(f"{where}: {first_problem(error)}") from None


def prompt(template: str, subject: str, date: str | None) -> str:
    """The text up to the gap: ``In 2012, the head coach of S is`` or ``The capital of S is``."""
    text = template.replace(SUBJECT, subject)
    text = f"In {date}, {text}" if date else text[0].upper() + text[1:]
    return text[: text.index(GAP)].rstrip()


def parse_query(line: str, templates: Templates, where: str) -> tuple[Query, str]:
    """One validated line and its subject. ``where`` is ``file:line`` for the error."""
    try:
        query = Query.model_validate_json(line)
    except ValidationError as error:
        raise UserError(f"{where}: {first_problem(error)}") from None
    if query.relation not in templates:
        known = ", ".join(templates)
        raise UserError(f"{where}: unknown relation {query.relation!r}; there are templates for {known}")
    if query.query.count(GAP) != 1:
        raise UserError(f"{where}: the query must hold the gap {GAP} exactly once: {query.query!r}")
    subject = templates[query.relation].subject_of(query.query)
    if subject is None:
        original = templates[query.relation].original
        raise UserError(
            f"{where}: the query {query.query!r} does not fit relation {query.relation}'s template {original!r}"
        )
    return query, subject


def read_queries(
    lines: Iterable[str], templates: Templates, name: str, seen: dict[str, str]
) -> Iterator[tuple[Query, str]]:
    """Validated queries with their subjects from one source.

    Args:
        lines: the JSON lines.
        templates: wordings by relation.
        name: the source's name, for errors.
        seen: ids read so far (over all sources) and where; extended in place.
    Raises:
        UserError: at the first bad line, naming file, line number and cause.
    """
    count = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        query, subject = parse_query(line, templates, where)
        if query.id in seen:
            raise UserError(f"{where}: duplicate id {query.id!r}, first seen at {seen[query.id]}")
        seen[query.id] = where
        count += 1
        yield query, subject
    if not count:
        raise UserError(f"{name}: no facts in this file")


def split_of(subject: str, seed: int, train_share: float = 0.5) -> str:
    """``train`` or ``test``, decided by the subject alone: the years of one subject are never on both sides."""
    return "train" if generator(seed, "split", subject).random() < train_share else "test"


def make_fact(query: Query, subject: str, templates: Templates, source: str, seed: int) -> Fact:
    """A query with all its wordings. Accepted answers keep their order; repeated names are dropped."""
    wording = templates[query.relation]
    return Fact(
        fact_id=query.id,
        subject=subject,
        relation=query.relation,
        date=query.date,
        answers=tuple(dict.fromkeys(entity.name for entity in query.answer)),
        query=query.query,
        prompt=prompt(wording.left_to_right, subject, query.date),
        paraphrases=tuple(prompt(template, subject, query.date) for template in wording.paraphrases),
        complex=prompt(wording.complex, subject, query.date),
        split=split_of(subject, seed),
        source=source,
    )
