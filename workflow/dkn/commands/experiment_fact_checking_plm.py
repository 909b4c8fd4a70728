"""Run the experiment fact-checking-plm, the baselines: ask the model in words, and take the answer's probability."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn import flags
from dkn.decoder.loading import open_model
from dkn.experiments.fact_checking_plm import (
    answer_log_prob,
    askable,
    choose_shots,
    fitting_shots,
    score_rows,
    truth_log_odds,
)
from dkn.experiments.statements import SCORE, as_records, encoded_statements, sampled_statements, say_left_out
from dkn.facts.stored import study_facts
from dkn.neurons.sets import neuron_sets
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import FACT_CHECKING, KNOWLEDGE_NEURONS


def main(
    model: flags.Model,
    facts: flags.Facts,
    known: flags.Known,
    neurons: Annotated[Path, Option(help="knowledge_neurons.parquet; facts without knowledge neurons are left out.")],
    shots: Annotated[int, Option(help="Examples in the prompt; there are fewer where the model's context is short.")],
    seed: flags.Seed,
    output: flags.Output,
    compute: flags.Compute,
    limit: flags.Limit = None,
    complex_limit: flags.ComplexLimit = None,
    batch: flags.Batch = 8,
) -> None:
    """Write two records per statement; the subjects of the examples are training subjects, and have no records."""
    language_model = open_model(model, **vars(compute))
    frame = study_facts(facts, known, "all")
    statements = sampled_statements(
        frame, neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS)), limit, complex_limit, seed
    )
    tables, used, without_question, without_answer = [], {}, [], []
    for wording, group in statements.groupby("wording"):
        examples = choose_shots(group, shots, seed)
        left = group[~group["subject"].isin(examples["subject"])]
        asked, too_long = askable(language_model, left)
        examples = fitting_shots(language_model, examples, asked)
        used[str(wording)] = len(examples)
        tables.append(score_rows("plm", truth_log_odds(language_model, asked, examples, batch)))
        encoded, unanswered = encoded_statements(language_model, left)
        tables.append(score_rows("answer-prob", answer_log_prob(language_model, encoded, batch)))
        without_question += too_long
        without_answer += unanswered
    scores = pd.concat(tables) if tables else pd.DataFrame(columns=SCORE)
    records = as_records(statements, scores, FACT_CHECKING.names)
    left_out = {"plm": len(without_question), "answer-prob": len(without_answer)}
    settings = {
        "shots": shots,
        "shots_used": used,
        "wordings_left_out": left_out,
        "limit": limit,
        "complex_limit": complex_limit,
        "seed": seed,
    }
    write_table(
        output,
        records,
        FACT_CHECKING,
        provenance("experiment-fact-checking-plm", settings, [model, facts, known, neurons]),
    )
    say_left_out(without_question, "whether the statements in them are true")
    say_left_out(without_answer, "the statements in them")
    print(f"{len(statements)} statements; examples in the prompt: {used}")
