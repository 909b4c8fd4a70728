"""Run a suppression or enhancement experiment: intervene on neuron sets, on original and on perturbed queries."""

from typing import Annotated

from typer import Option

from dkn import flags
from dkn.decoder.loading import open_model
from dkn.experiments.perturbation import PerturbationSettings, perturbation_table
from dkn.facts.stored import facts_as_asked
from dkn.neurons.asking import Asking
from dkn.neurons.sets import neuron_sets
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import COMPONENTS, KNOWLEDGE_NEURONS, PERTURBATION
from dkn.study.names import QUERIES
from dkn.study.protocol import applied


def main(
    model: flags.Model,
    facts: flags.Facts,
    known: flags.Known,
    neurons: flags.Neurons,
    components: flags.Components,
    setting: Annotated[str, Option(help="The intervention: suppression or enhancement.")],
    site: Annotated[str, Option(help="What the intervention multiplies: values or weights.")],
    random_sets: Annotated[int, Option(help="Draws of each random set per fact.")],
    queries: Annotated[str, Option(help="Perturbed queries: preserving (the question) or any.")],
    seed: flags.Seed,
    output: flags.Output,
    compute: flags.Compute,
    batch: flags.Batch = 8,
    released: flags.Released = None,
) -> None:
    """Write one record per query and neuron set, for every fact that has degenerate knowledge neurons."""
    stated = PerturbationSettings(setting, site, random_sets, queries, seed)
    settings = applied("perturbation", stated, released)
    asking = Asking.with_switches(batch, released, "edits" if site == "values" else "weight edits")
    members = neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS))
    studied = facts_as_asked(facts, known, released)
    tested = read_table(components, COMPONENTS)
    asked = perturbation_table(open_model(model, **vars(compute)), studied, members, tested, settings, asking)
    if left_out := asked.left_out:
        print(f"{len(left_out)} queries are left out, since the model cannot be asked them; the first: {left_out[0]}")
    settings_of_record = {**vars(settings), **asking.stated()}
    inputs = [model, facts, known, neurons, components]
    write_table(output, asked.records, PERTURBATION, provenance("experiment-perturbation", settings_of_record, inputs))
    count = asked.queries["fact_id"].nunique()
    if missing := [name for name in QUERIES if name not in set(asked.queries["query"])] if count else []:
        print(f"no query of the kinds {', '.join(missing)}: the facts' prompts are too short or hold too few words")
    print(f"{len(asked.queries)} queries of {count} facts with degenerate knowledge neurons")
