"""The schema of facts: their queries, their wordings and their splits.

A source of facts is a file of JSON lines, one query per line, as TempLAMA publishes them (Dhingra et al., "Time-Aware
Language Models as Temporal Knowledge Bases", TACL 2022). A query holds a *gap*, ``_X_``, where the answer belongs. The
*templates* of a relation reword its queries so that the gap comes last and the model can go on with the answer. Every
line is validated; the first bad one ends the reading with one error that names file, line and cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from dkn.errors import UserError
from dkn.randomness import generator
from dkn.validation_messages import location_path, problem_message

if TYPE_CHECKING:  # the Snakefile reads this module, and pandas takes long to import
    import pandas as pd

GAP = "_X_"
SUBJECT = "{subject}"
TRAINED_PARAPHRASES = 2  # the number of a fact's paraphrases that nano models are trained on; they never see the rest

Text = Annotated[str, Field(min_length=1)]


class Entity(BaseModel):
    """An answer: its name, and its Wikidata id where one is known."""

    model_config = ConfigDict(extra="forbid")
    wikidata_id: str | None
    name: Text

    @field_validator("name")
    @classmethod
    def _not_blank(cls, name: str) -> str:
        """Return the name without spaces around it, or raise where nothing else is in it."""
        if not name.strip():
            raise ValueError("empty answer")
        return name.strip()


class Query(BaseModel):
    """One line of a facts file, in TempLAMA's schema; ``date`` is a year, or None for a fact without a date."""

    model_config = ConfigDict(extra="forbid")
    query: Text
    answer: Annotated[list[Entity], Field(min_length=1)]
    date: Annotated[str, Field(pattern=r"^\d{4}$")] | None
    id: Text
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
    original: str
    left_to_right: str
    paraphrases: Annotated[list[str], Field(min_length=3)]
    complex: str

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


Templates = dict[str, RelationTemplates]


@dataclass(frozen=True)
class Fact:
    """One fact as the study uses it.

    Attributes:
        fact_id: the query's id in the source.
        subject, relation: what the fact is about.
        date: the year in which the fact holds, or None for a fact without a date.
        answers: the accepted answers, at least one.
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
        return TypeAdapter(Templates).validate_python(tree)
    except ValidationError as error:
        raise UserError(f"{name}: {first_problem(error)}") from None


def prompt(template: str, subject: str, date: str | None) -> str:
    """Return a template's text up to the gap, like ``In 2012, the head coach of S is`` or ``The capital of S is``."""
    text = template.replace(SUBJECT, subject)
    text = f"In {date}, {text}" if date else text[0].upper() + text[1:]
    return text[: text.index(GAP)].rstrip()


def parse_query(line: str, templates: Templates, file_line: str) -> tuple[Query, str]:
    """Validate one line of a facts file and return its query and its subject.

    Args:
        line: the JSON text.
        templates: templates by relation.
        file_line: ``file:line``, for errors.
    Raises:
        UserError: the line is not of TempLAMA's schema, its relation has no templates, it has no gap or several, or it
            does not fit the relation's original template.
    """
    try:
        query = Query.model_validate_json(line)
    except ValidationError as error:
        raise UserError(f"{file_line}: {first_problem(error)}") from None
    if query.relation not in templates:
        known = ", ".join(templates)
        raise UserError(f"{file_line}: unknown relation {query.relation!r}; there are templates for {known}")
    if query.query.count(GAP) != 1:
        raise UserError(f"{file_line}: the query must hold the gap {GAP} exactly once: {query.query!r}")
    subject = templates[query.relation].subject_of(query.query)
    if subject is None:
        original = templates[query.relation].original
        raise UserError(
            f"{file_line}: the query {query.query!r} does not fit relation {query.relation}'s template {original!r}"
        )
    return query, subject


def read_queries(
    lines: Iterable[str], templates: Templates, name: str, first_lines: dict[str, str]
) -> Iterator[tuple[Query, str]]:
    """Yield the validated queries of one source with their subjects.

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
        if not line.strip():
            continue
        file_line = f"{name}:{number}"
        query, subject = parse_query(line, templates, file_line)
        if query.id in first_lines:
            raise UserError(f"{file_line}: duplicate id {query.id!r}, first seen at {first_lines[query.id]}")
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


def facts_of_table(table: pd.DataFrame) -> list[Fact]:
    """Return the facts of a stored table (columns as in ``schemas.FACTS``) as objects; a missing date is None."""
    dates = table["date"].astype(object).where(table["date"].notna(), None)
    return [
        Fact(**{**row, "answers": tuple(row["answers"]), "paraphrases": tuple(row["paraphrases"])})
        for row in table.assign(date=dates).to_dict("records")
    ]
