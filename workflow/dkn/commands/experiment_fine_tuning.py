"""Run a fine-tuning experiment: teach new facts to some neurons or to all parameters, and ask what was forgotten."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from typer import Option

from dkn import flags
from dkn.decoder.loading import open_model
from dkn.errors import UserError
from dkn.experiments.fine_tuning import Exam, Plan, tune_sets
from dkn.experiments.learning_rates import RateGrid
from dkn.experiments.tuning_questions import TuningFactsSettings, choose_questions
from dkn.facts.stored import study_facts
from dkn.models.families import has_gate
from dkn.neurons.sets import dkn_sets, neuron_sets, union
from dkn.neurons.tuning import VECTORS, TuningSettings
from dkn.storage.files import read_table, write_json, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import CHANGES, COMPONENTS, FINE_TUNING, KNOWLEDGE_NEURONS
from dkn.study.names import ALL, NEW, TUNED_SETS
from dkn.study.protocol import applied

QUESTIONS_AT_ONCE = 64


def main(
    model: flags.Model,
    facts: flags.Facts,
    known: flags.Known,
    neurons: flags.Neurons,
    components: flags.Components,
    subset: Annotated[str, Option(help="The neuron sets to train: dkn, kn, random or all (all parameters).")],
    new_facts: Annotated[int, Option(help="The most new (counterfactual) facts to learn.")],
    old_facts: Annotated[int, Option(help="The most old facts to ask for: known ones of other subjects.")],
    development: Annotated[float, Option(help="Share of new and old facts that chooses learning rates and epochs.")],
    minimum: Annotated[int, Option(help="With fewer new facts nothing is trained.")],
    epochs: Annotated[int, Option(help="Passes over the new facts.")],
    ask_every: Annotated[int, Option(help="The model is asked each time this many epochs have passed.")],
    batch: Annotated[int, Option(help="New facts per training step.")],
    draws: Annotated[int, Option(help="Draws of each random set, each trained once.")],
    trainings: Annotated[int, Option(help="Trainings of each other set.")],
    rate: Annotated[list[float], Option(help="A learning rate to try; repeatable.")],
    extensions: Annotated[
        int, Option(help="The most rates to try below and above these, while the best is at an edge.")
    ],
    seed: flags.Seed,
    output: flags.Output,
    changes: Annotated[Path, Option(help="Table of the neurons' changes to write.")],
    training: Annotated[Path, Option(help="JSON file with costs and choices to write.")],
    compute: flags.Compute,
    released: flags.Released = None,
) -> None:
    """Write the answers over the epochs, the changes of the neurons, and what the training cost."""
    if subset not in TUNED_SETS:
        raise UserError(f"unknown subset {subset!r}; allowed: {', '.join(TUNED_SETS)}")
    gated = bool(released) and has_gate(model)
    plan = applied("plan", Plan(RateGrid(rate, extensions), draws, trainings), released, gated)
    schedule = applied("tuning", TuningSettings(epochs, ask_every, batch, seed), released, gated)
    table = study_facts(facts, known, "all")
    members = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
    dkn = dkn_sets(read_table(components, COMPONENTS), members, fewest=2)
    questions = choose_questions(table, dkn, TuningFactsSettings(new_facts, old_facts, development, seed))
    new = [question.fact_id for question in questions if question.split == NEW]
    stated: dict[str, Any] = {"subset": subset, "minimum": minimum, "new_facts": len(new)}
    if len(new) < minimum:
        stated["not_run"] = f"{len(new)} degenerate facts of different subjects, fewer than the minimum of {minimum}"
        answered, changed = pd.DataFrame(columns=FINE_TUNING.names), pd.DataFrame(columns=CHANGES.names)
    else:
        # Small steps vanish in 16-bit weights. They are therefore float32 where some of them are trained themselves:
        # all, or the embeddings.
        if subset == ALL or schedule.trained != VECTORS:
            compute = replace(compute, dtype="float32")
        language_model = open_model(model, **vars(compute))
        answered, changed, stated["sets"] = tune_sets(
            Exam(language_model, questions, QUESTIONS_AT_ONCE),
            TUNED_SETS[subset],
            plan,
            union(dkn[fact_id] for fact_id in new),
            union(members[fact_id] for fact_id in new),
            schedule,
        )
    record = provenance(
        "experiment-fine-tuning",
        {
            "subset": subset,
            "new_facts": new_facts,
            "old_facts": old_facts,
            "development": development,
            "minimum": minimum,
            "epochs": epochs,
            "ask_every": ask_every,
            "draws": draws,
            "trainings": trainings,
            "batch": batch,
            "learning_rates": sorted(rate),
            "extensions": extensions,
            "seed": seed,
            "tuned_sets": plan.tuned_sets,
            "trained": schedule.trained,
            "steps": schedule.steps,
        },
        [model, facts, known, neurons, components],
    )
    write_table(output, answered, FINE_TUNING, record)
    write_table(changes, changed, CHANGES, record)
    write_json(training, {**stated, "provenance": record})
    print(stated.get("not_run") or "; ".join(map(_choice, stated["sets"])))


def _choice(report: dict[str, Any]) -> str:
    """Return in words what was trained, and which learning rate and epoch were chosen."""
    size = f"{report['trained_parameters']:,} parameters"
    return f"{report['neuron_set']}: {size} at learning rate {report['learning_rate']:g}, epoch {report['epoch']}"
