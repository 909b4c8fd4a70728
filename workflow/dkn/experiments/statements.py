"""Statements for fact-checking: a statement is a fact with a stated answer, which is true or false (docs/method.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from dkn.decoder.encoded_facts import AS_CONTINUATION, SEPARATOR, EncodedFact, EncodingSettings, encode
from dkn.decoder.loading import LanguageModel
from dkn.errors import UserError
from dkn.facts.same_answers import SameAnswers
from dkn.facts.sampling import sample_by_subject
from dkn.neurons.sets import NeuronSet
from dkn.randomness import generator

TRIPLE, COMPLEX = "triple", "complex"
WORDINGS = {TRIPLE: "prompt", COMPLEX: "complex"}  # the wordings, and the columns of the facts that hold them
SAMPLE = "fact-checking/sample"  # keys the draw of facts
SCORE = ["statement", "detector", "neurons", "draw", "size", "score"]  # a detector's score of a statement
STATEMENT = ["fact_id", "subject", "relation", "split", "wording", "prompt", "answer", "truth", "statement"]
HELD_OUT, AT_RANDOM = "held-out", "at-random"  # how test facts are chosen
REJECTED, ANY_OTHER = "rejected", "any-other"  # which answers are false
NAMED, UNNAMED = "named", "unnamed"  # whether the complex wording names the subject
FACTS_PER_TEST_FACT = 100  # of a relation, where test facts are chosen at random


@dataclass(frozen=True)
class StatementSettings:
    """How statements are made and which of them are test statements; the second values are the released code's.

    Attributes:
        test_facts: ``held-out``, all facts of the subjects that the facts' table keeps for testing; or ``at-random``,
            1 % of each relation's facts, so that most subjects of test facts have training facts as well.
        false_answer: ``rejected``, an answer that no fact of the same subject and date accepts; or ``any-other``, any
            other object of the relation than the stated true answer, be it another name of the same thing.
        wording_complex: ``named``, the complex wording names the subject; or ``unnamed``, it has a pronoun in place of
            the name.

    Raises:
        UserError: a value is neither of the two.
    """

    test_facts: str = HELD_OUT
    false_answer: str = REJECTED
    wording_complex: str = NAMED

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("test_facts", self.test_facts, (HELD_OUT, AT_RANDOM)),
            ("false_answer", self.false_answer, (REJECTED, ANY_OTHER)),
            ("wording_complex", self.wording_complex, (NAMED, UNNAMED)),
        ):
            if value not in allowed:
                raise UserError(f"unknown {name} {value!r}; allowed: {', '.join(allowed)}")


OF_TEXT = StatementSettings()  # what the paper's text says


def with_split(frame: pd.DataFrame, settings: StatementSettings, seed: int) -> pd.DataFrame:
    """Return facts with the split that the settings ask for, which statements and relation-level neuron sets take.

    Where test facts are chosen at random, 1 % of the given facts of each relation is for testing, rounded down, and at
    least one fact: few relations of a small study have a hundred facts. All others are for training. Subjects are then
    on both sides, while the intervals of the summary resample training and test subjects apart.

    Args:
        frame: one row per fact, with columns fact_id, relation and split.
        settings: of which ``test_facts`` counts.
        seed: the seed of the study, which keys the draw together with the relation.
    Returns:
        The same rows in the same order, with another column ``split`` of ``train`` and ``test``.
    """
    if settings.test_facts == HELD_OUT:
        return frame
    test: set[str] = set()
    for relation, fact_ids in frame.groupby("relation")["fact_id"]:
        draw = generator(seed, "fact-checking/test-facts", str(relation))
        count = max(1, len(fact_ids) // FACTS_PER_TEST_FACT)
        test.update(draw.choice(sorted(fact_ids), count, replace=False).tolist())
    return frame.assign(split=np.where(frame["fact_id"].isin(test), "test", "train"))


def false_answer(
    fact: pd.Series, relation: pd.DataFrame, same_answers: SameAnswers, draw: np.random.Generator
) -> str | None:
    """Draw a false answer for a fact: the answer of another subject's fact in the same relation.

    An answer is drawn with the probability with which it occurs, so that true and false answers are equally common.

    Args:
        fact: a row of facts, with the columns of ``schemas.FACTS`` and ``answer``.
        relation: all facts of the fact's relation, with the same columns, in the order of their ids.
        same_answers: which answers of the relation mean the same.
        draw: the source of the random choice.
    Returns:
        An answer that no fact of the same subject and date accepts, whatever its case and under whatever name; None if
        there is none.
    """
    date, of_subject = relation["date"].to_numpy(), relation["subject"].to_numpy() == fact["subject"]
    same_date = pd.isna(date) if pd.isna(fact["date"]) else date == fact["date"]
    same = relation["answers"].to_numpy()[of_subject & same_date]
    accepted = [answer for answers in (fact["answers"], *same) for answer in answers]
    candidates = same_answers.others(relation["answer"].to_numpy()[~of_subject], accepted)
    return str(draw.choice(candidates)) if candidates else None


def any_other_answer(fact: pd.Series, relation: pd.DataFrame, draw: np.random.Generator) -> str | None:
    """Draw any other object of a fact's relation than its stated answer, as the released code does.

    An object is drawn with the probability with which facts of the relation state it. It may be another name of the
    stated answer, or an answer that the fact or another fact of its subject accepts.

    Args:
        fact, relation, draw: as ``false_answer`` takes them.
    Returns:
        An answer that is spelled otherwise than the fact's own; None if there is none.
    """
    candidates = [answer for answer in relation["answer"] if answer != fact["answer"]]
    return str(draw.choice(candidates)) if candidates else None


def without_name(prompt: str, subject: str, date: str | None) -> str:
    """Return a prompt in which ``it`` stands in place of the subject, so that all subjects share one sentence.

    The sentences of the released code are not reproduced, only this property of them: a sentence does not say whom it
    is about. Where the subject begins the sentence, ``It`` does.

    Args:
        prompt: a prompt as ``facts.schema.prompt`` makes it, which begins with the year of a dated fact.
        subject: the name, which is replaced where it first stands as a whole word; or else, as in scripts without
            spaces, where it first stands; or else at the beginning with a capital, as ``The BBC`` is for ``the BBC``.
            The year at the beginning is never taken for it.
        date: the year, or None.
    """
    beginning = f"In {date}, "
    year = beginning if prompt.startswith(beginning) else ""
    sentence = prompt.removeprefix(year)
    name, raised = re.escape(subject), re.escape(subject[0].upper() + subject[1:])
    places = (re.search(place, sentence) for place in (rf"(?<!\w){name}(?!\w)", name, f"^{raised}"))
    found = next(filter(None, places), None)
    if found is None:
        return prompt
    pronoun = "It" if not year and found.start() == 0 else "it"
    return year + sentence[: found.start()] + pronoun + sentence[found.end() :]


def make_statements(
    facts: pd.DataFrame, chosen: pd.DataFrame, seed: int, settings: StatementSettings = OF_TEXT
) -> pd.DataFrame:
    """Return a true and a false statement of every chosen fact in both wordings.

    Args:
        facts: all facts of the study, with the columns of ``schemas.FACTS`` and ``answer``; the false answers come
            from them.
        chosen: the rows of the facts to make statements of; those without a false answer are left out.
        seed: the seed of the study.
        settings: which answers are false, and whether the complex wording names the subject. The split is that of
            ``chosen``; ``with_split`` sets it.
    Returns:
        The columns of ``STATEMENT``, of which ``statement`` is a unique id.
    """
    relations = dict(list(facts.sort_values("fact_id").groupby("relation")))
    same_answers = {relation: SameAnswers(of_relation) for relation, of_relation in relations.items()}
    rows = []
    for _, fact in chosen.iterrows():
        draw = generator(seed, "fact-checking/false-answer", fact["fact_id"])
        relation = fact["relation"]
        if settings.false_answer == ANY_OTHER:
            wrong = any_other_answer(fact, relations[relation], draw)
        else:
            wrong = false_answer(fact, relations[relation], same_answers[relation], draw)
        if wrong is None:
            continue
        about = {name: fact[name] for name in ("fact_id", "subject", "relation", "split")}
        prompts = {wording: fact[column] for wording, column in WORDINGS.items()}
        if settings.wording_complex == UNNAMED:
            prompts[COMPLEX] = without_name(prompts[COMPLEX], fact["subject"], fact["date"])
        for wording, prompt in prompts.items():
            for answer, truth in ((fact["answer"], True), (wrong, False)):
                statement = f"{fact['fact_id']}\x1f{wording}\x1f{truth}"
                shown = {"wording": wording, "prompt": prompt, "answer": answer, "truth": truth}
                rows.append({**about, **shown, "statement": statement})
    return pd.DataFrame(rows, columns=STATEMENT)


def as_records(statements: pd.DataFrame, scores: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the scores joined with their statements, sorted by detector, neurons, draw, wording, fact and truth.

    Args:
        statements: the columns of ``STATEMENT``.
        scores: the columns of ``SCORE``.
        columns: the names of the columns to return; those that neither table has are filled with missing values.
    """
    joined = scores.merge(statements, on="statement", validate="many_to_one")
    joined = joined.sort_values(["detector", "neurons", "draw", "wording", "fact_id", "truth"], ignore_index=True)
    return joined.reindex(columns=list(columns))


def sampled_statements(
    frame: pd.DataFrame,
    members: dict[str, NeuronSet],
    limit: int | None,
    complex_limit: int | None,
    seed: int,
    settings: StatementSettings = OF_TEXT,
) -> pd.DataFrame:
    """Return the statements of a sample of the facts that have knowledge neurons.

    Args:
        frame: all facts of the study, indexed by fact_id.
        members: the knowledge neurons of those facts that have any, by fact id.
        limit: about how many facts are taken, all facts of a subject together; None for all.
        complex_limit: about how many of these have statements in the complex wording too; None for all.
        seed: the seed of the study.
        settings: as ``make_statements`` takes them.
    Returns:
        The columns of ``STATEMENT``.
    """
    chosen = sample_by_subject(frame.loc[sorted(members)], limit, seed, SAMPLE)
    in_both = sample_by_subject(chosen, complex_limit, seed, SAMPLE)["fact_id"]
    statements = make_statements(frame.reset_index(drop=True), chosen, seed, settings)
    return statements[(statements["wording"] == TRIPLE) | statements["fact_id"].isin(in_both)]


def encode_by_wording(
    model: LanguageModel, asked: Iterable[tuple[str, str, str]], encoding: EncodingSettings = AS_CONTINUATION
) -> tuple[dict[str, EncodedFact], list[str]]:
    """Tokenise what the model can be asked about statements; a wording of a fact is asked as a whole or not at all.

    So true and false statements stay equally many.

    Args:
        asked: an id, which begins with a statement's id, a prompt and an answer each.
        encoding: how the answer is tokenised.
    Returns:
        What can be asked, by id, and a message about each wording of a fact that is left out.
    """
    encoded: dict[str, EncodedFact] = {}
    left_out: dict[str, str] = {}
    for name, prompt, answer in asked:
        try:
            encoded[name] = encode(model, name, prompt, answer, encoding)
        except UserError as error:
            left_out.setdefault(_wording(name), str(error))
    return {name: one for name, one in encoded.items() if _wording(name) not in left_out}, list(left_out.values())


def _wording(name: str) -> str:
    """Return the part of an id that names a wording of a fact."""
    return SEPARATOR.join(name.split(SEPARATOR)[:2])


def encoded_statements(
    model: LanguageModel, statements: pd.DataFrame, encoding: EncodingSettings = AS_CONTINUATION
) -> tuple[dict[str, EncodedFact], list[str]]:
    """Return the prompts and the stated answers of statements in tokens, as ``encode_by_wording`` does."""
    asked = zip(statements["statement"], statements["prompt"], statements["answer"], strict=True)
    return encode_by_wording(model, asked, encoding)


@dataclass(frozen=True)
class Checking:
    """The settings of the fact-checking experiments.

    Attributes:
        limit: about how many facts are taken; None for all.
        complex_limit: about how many of them are stated in their complex wording too; None for all.
        seed: the seed of the study.
        statements: how statements are made, and which are test statements.
    """

    limit: int | None
    complex_limit: int | None
    seed: int
    statements: StatementSettings = field(default_factory=StatementSettings)

    def of(self, studied: pd.DataFrame, members: dict[str, NeuronSet]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the facts with their split, and the statements of those that have knowledge neurons."""
        frame = studied
        if self.statements.test_facts != StatementSettings().test_facts:
            split = with_split(studied.loc[sorted(members)], self.statements, self.seed)["split"]
            frame = studied.assign(split=split.reindex(studied.index).fillna("train"))
        sampled = sampled_statements(frame, members, self.limit, self.complex_limit, self.seed, self.statements)
        return frame, sampled


@dataclass(frozen=True)
class Checked:
    """The records of fact-checking, with the columns of ``schemas.FACT_CHECKING``, and what was left out.

    Attributes:
        records: one row per statement and detector.
        facts, statements: the numbers of facts and of statements.
        left_out: for each question that is asked a message about each wording of a fact that is left out.
        shots: by wording the number of examples in the prompt that asks for a verdict.
    """

    records: pd.DataFrame
    facts: int
    statements: int
    left_out: dict[str, list[str]]
    shots: dict[str, int] = field(default_factory=dict)


def say_left_out(left_out: Sequence[str], what: str) -> None:
    """Print how many wordings of facts are left out, if any.

    Args:
        left_out: a message about each of them.
        what: what the model cannot be asked.
    """
    if left_out:
        print(f"{len(left_out)} wordings of facts are left out, since the model cannot be asked {what}: {left_out[0]}")
