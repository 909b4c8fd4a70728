"""Knowledge neurons of all facts, from the shards' attributions."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from typer import Option

from dkn.commands._flags import OutputFlag
from dkn.io import read_table, write_table
from dkn.knowledge import knowledge_neurons
from dkn.provenance import provenance
from dkn.tables import KNOWLEDGE_NEURONS, SCORES


def main(
    scores: Annotated[list[Path], Option(help="A shard's scores; repeatable.")],
    output: OutputFlag,
    fraction: Annotated[float, Option(help="Of the fact's largest score over all layers.")],
    cap: Annotated[int | None, Option(help="The most neurons of a fact.")] = None,
) -> None:
    """Threshold the scores; report where the cap binds."""
    table = pd.concat([read_table(path, SCORES) for path in scores], ignore_index=True)
    neurons, capped = knowledge_neurons(table, fraction, cap)
    record = provenance("knowledge-neurons", {"fraction": fraction, "cap": cap, "capped_facts": capped}, scores)
    write_table(output, neurons, KNOWLEDGE_NEURONS, record)
    sizes = neurons.groupby("fact_id").size()
    print(f"{len(sizes)} facts, {sizes.median():.0f} knowledge neurons each (median); the cap binds for {len(capped)}")
