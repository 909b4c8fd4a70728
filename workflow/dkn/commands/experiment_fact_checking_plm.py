"""Experiment fact-checking-plm: the model asked in words, and the stated answer's probability, as baselines."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn.commands._fact_checking import encoded_statements, sampled_statements
from dkn.commands._flags import (
    BatchFlag,
    DeviceFlag,
    DtypeFlag,
    FactsFlag,
    GpusFlag,
    KnownFlag,
    ModelFlag,
    OutputFlag,
    SeedFlag,
    ThreadsFlag,
)
from dkn.commands._shared import neuron_sets, open_model, study_facts
from dkn.encoding import encode
from dkn.experiments.fact_checking import (
    VERDICTS,
    answer_log_prob,
    as_records,
    choose_shots,
    fitting_shots,
    truth_prompts,
)
from dkn.io import read_table, write_table
from dkn.language_models import LanguageModel
from dkn.provenance import provenance
from dkn.tables import FACT_CHECKING, KNOWLEDGE_NEURONS


def _verdicts(model: LanguageModel, statements: pd.DataFrame, shots: pd.DataFrame, batch: int) -> pd.Series:
    """log P(true) - log P(false) by statement, after few-shot examples."""
    asked = zip(statements["statement"], truth_prompts(shots, statements), strict=True)
    encoded = {
        f"{statement}\x1f{verdict}": encode(model, f"{statement}\x1f{verdict}", prompt, verdict)
        for statement, prompt in asked
        for verdict in VERDICTS
    }
    found = answer_log_prob(model, encoded, batch)
    true, false = (found[[f"{name}\x1f{verdict}" for name in statements["statement"]]] for verdict in VERDICTS)
    return pd.Series(true.to_numpy() - false.to_numpy(), index=statements["statement"])


def _scores(detector: str, found: pd.Series) -> pd.DataFrame:
    about = {"detector": detector, "neurons": "none", "size": 0}
    return found.rename_axis("statement").rename("score").reset_index().assign(**about)


def main(
    model: ModelFlag,
    facts: FactsFlag,
    known: KnownFlag,
    neurons: Annotated[Path, Option(help="knowledge_neurons.parquet: facts without any are left out.")],
    shots: Annotated[int, Option(help="Examples in the prompt; fewer where the context is short.")],
    seed: SeedFlag,
    output: OutputFlag,
    limit: Annotated[int | None, Option(help="About the most facts; whole subjects are drawn.")] = None,
    batch: BatchFlag = 8,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "float32",
    threads: ThreadsFlag = 1,
    gpus: GpusFlag = 1,
) -> None:
    """Two records per statement. The examples' subjects are training subjects and have no records themselves."""
    language_model = open_model(model, device, dtype, threads, gpus)
    frame = study_facts(facts, known, "all")
    statements = sampled_statements(frame, neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS)), limit, seed)
    parts, used = [], {}
    for wording, group in statements.groupby("wording"):
        examples = choose_shots(group, shots, seed)
        left = group[~group["subject"].isin(examples["subject"])]
        examples = fitting_shots(language_model, examples, left)
        used[str(wording)] = len(examples)
        parts.append(_scores("plm", _verdicts(language_model, left, examples, batch)))
        log_probs = answer_log_prob(language_model, encoded_statements(language_model, left), batch)
        parts.append(_scores("answer-prob", log_probs))
    scores = pd.concat(parts) if parts else pd.DataFrame(columns=["statement", "detector", "neurons", "size", "score"])
    records = as_records(statements, scores, FACT_CHECKING.names)
    settings = {"shots": shots, "shots_used": used, "limit": limit, "seed": seed}
    write_table(
        output,
        records,
        FACT_CHECKING,
        provenance("experiment-fact-checking-plm", settings, [model, facts, known, neurons]),
    )
    print(f"{len(statements)} statements; examples in the prompt: {used}")
