"""Statements for fact-checking: a statement is a fact with a stated answer, which is true or false (docs/method.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from dkn.decoder.encoded_facts import SEPARATOR, EncodedFact, encode
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


def make_statements(facts: pd.DataFrame, chosen: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return a true and a false statement of every chosen fact in both wordings.

    Args:
        facts: all facts of the study, with the columns of ``schemas.FACTS`` and ``answer``; the false answers come
            from them.
        chosen: the rows of the facts to make statements of; those without a false answer are left out.
        seed: the seed of the study.
    Returns:
        The columns of ``STATEMENT``, of which ``statement`` is a unique id.
    """
    relations = dict(list(facts.sort_values("fact_id").groupby("relation")))
    same_answers = {relation: SameAnswers(of_relation) for relation, of_relation in relations.items()}
    rows = []
    for _, fact in chosen.iterrows():
        draw = generator(seed, "fact-checking/false-answer", fact["fact_id"])
        relation = fact["relation"]
        wrong = false_answer(fact, relations[relation], same_answers[relation], draw)
        if wrong is None:
            continue
        about = {name: fact[name] for name in ("fact_id", "subject", "relation", "split")}
        for wording, column in WORDINGS.items():
            for answer, truth in ((fact["answer"], True), (wrong, False)):
                statement = f"{fact['fact_id']}\x1f{wording}\x1f{truth}"
                shown = {"wording": wording, "prompt": fact[column], "answer": answer, "truth": truth}
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
    frame: pd.DataFrame, members: dict[str, NeuronSet], limit: int | None, complex_limit: int | None, seed: int
) -> pd.DataFrame:
    """Return the statements of a sample of the facts that have knowledge neurons.

    Args:
        frame: all facts of the study, indexed by fact_id.
        members: the knowledge neurons of those facts that have any, by fact id.
        limit: about how many facts are taken, all facts of a subject together; None for all.
        complex_limit: about how many of these have statements in the complex wording too; None for all.
        seed: the seed of the study.
    Returns:
        The columns of ``STATEMENT``.
    """
    chosen = sample_by_subject(frame.loc[sorted(members)], limit, seed, SAMPLE)
    in_both = sample_by_subject(chosen, complex_limit, seed, SAMPLE)["fact_id"]
    statements = make_statements(frame.reset_index(drop=True), chosen, seed)
    return statements[(statements["wording"] == TRIPLE) | statements["fact_id"].isin(in_both)]


def encode_by_wording(
    model: LanguageModel, asked: Iterable[tuple[str, str, str]]
) -> tuple[dict[str, EncodedFact], list[str]]:
    """Tokenise what the model can be asked about statements; a wording of a fact is asked as a whole or not at all.

    So true and false statements stay equally many.

    Args:
        asked: an id, which begins with a statement's id, a prompt and an answer each.
    Returns:
        What can be asked, by id, and a message about each wording of a fact that is left out.
    """
    encoded: dict[str, EncodedFact] = {}
    left_out: dict[str, str] = {}
    for name, prompt, answer in asked:
        try:
            encoded[name] = encode(model, name, prompt, answer)
        except UserError as error:
            left_out.setdefault(_wording(name), str(error))
    return {name: one for name, one in encoded.items() if _wording(name) not in left_out}, list(left_out.values())


def _wording(name: str) -> str:
    """Return the part of an id that names a wording of a fact."""
    return SEPARATOR.join(name.split(SEPARATOR)[:2])


def encoded_statements(model: LanguageModel, statements: pd.DataFrame) -> tuple[dict[str, EncodedFact], list[str]]:
    """Return the prompts and the stated answers of statements in tokens, as ``encode_by_wording`` does."""
    return encode_by_wording(
        model, zip(statements["statement"], statements["prompt"], statements["answer"], strict=True)
    )


def say_left_out(left_out: Sequence[str], what: str) -> None:
    """Print how many wordings of facts are left out, if any.

    Args:
        left_out: a message about each of them.
        what: what the model cannot be asked.
    """
    if left_out:
        print(f"{len(left_out)} wordings of facts are left out, since the model cannot be asked {what}: {left_out[0]}")
