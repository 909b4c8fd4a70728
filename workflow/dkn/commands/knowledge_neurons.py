"""Select the knowledge neurons of all facts from the attribution scores of all shards."""

from dkn import flags
from dkn.attribution.selection import knowledge_neurons_of_parts
from dkn.storage.files import write_table
from dkn.storage.parts import whole_facts
from dkn.storage.provenance import provenance
from dkn.storage.schemas import KNOWLEDGE_NEURONS, SCORES


def main(
    scores: flags.Scores,
    output: flags.Output,
    fraction: flags.Fraction,
    cap: flags.Cap = None,
) -> None:
    """Write the neurons whose scores exceed the threshold, and state for which facts the cap binds."""
    parts = (part for path in scores for part in whole_facts(path, SCORES))
    neurons, capped = knowledge_neurons_of_parts(parts, fraction, cap)
    record = provenance("knowledge-neurons", {"fraction": fraction, "cap": cap, "capped_facts": capped}, scores)
    write_table(output, neurons, KNOWLEDGE_NEURONS, record)
    sizes = neurons.groupby("fact_id").size()
    median = f"{sizes.median():.0f} knowledge neurons each (median)" if len(sizes) else "no score exceeds the threshold"
    print(f"{len(sizes)} facts, {median}; the cap binds for {len(capped)}")
