"""Run the experiment fact-checking-plm, the baselines: ask the model in words, and take the answer's probability."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.decoder.loading import open_model
from dkn.experiments.fact_checking_plm import Judge, judged_table
from dkn.experiments.statements import Checking, StatementSettings, say_left_out
from dkn.facts.stored import study_facts
from dkn.neurons.sets import neuron_sets
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import FACT_CHECKING, KNOWLEDGE_NEURONS
from dkn.study.protocol import applied


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
    released: flags.Released = None,
) -> None:
    """Write two records per statement; the subjects of the examples are training subjects, and have no records."""
    statements = applied("statements", StatementSettings(), released)
    judge = applied("judge", Judge(shots), released)
    checked = judged_table(
        open_model(model, **vars(compute)),
        study_facts(facts, known, "all"),
        neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS)),
        Checking(limit, complex_limit, seed, statements),
        judge,
        batch,
    )
    settings = {
        **vars(judge),
        "shots_used": checked.shots,
        "wordings_left_out": {detector: len(left_out) for detector, left_out in checked.left_out.items()},
        "limit": limit,
        "complex_limit": complex_limit,
        "seed": seed,
        **vars(statements),
    }
    record = provenance("experiment-fact-checking-plm", settings, [model, facts, known, neurons])
    write_table(output, checked.records, FACT_CHECKING, record)
    say_left_out(checked.left_out["plm"], "whether the statements in them are true")
    say_left_out(checked.left_out["answer-prob"], "the statements in them")
    print(f"{checked.statements} statements; examples in the prompt: {checked.shots}")
