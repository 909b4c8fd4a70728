"""Draw the candidates of the tested control: random groups of NTC's sizes, for the same functional test."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.randomness import generator
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import CANDIDATES, KNOWLEDGE_NEURONS
from dkn.structure.candidates import candidates_table
from dkn.structure.controls import random_partition
from dkn.study.names import TESTED_CONTROL


def main(
    neurons: flags.Neurons,
    candidates: Annotated[Path, Option(help="NTC's candidate components.")],
    repeats: Annotated[int, Option(help="Number of random partitions of a fact.")],
    seed: flags.Seed,
    output: flags.Output,
) -> None:
    """Draw random partitions for every fact in which NTC has candidates."""
    counts = read_table(neurons, KNOWLEDGE_NEURONS).groupby("fact_id").size()
    groups = {}
    for fact_id, frame in read_table(candidates, CANDIDATES).groupby("fact_id"):
        sizes = [len(places) for places in frame["places"]]
        draw = generator(seed, TESTED_CONTROL, str(fact_id))
        groups[str(fact_id)] = [random_partition(sizes, int(counts[fact_id]), draw) for _ in range(repeats)]
    table = candidates_table(groups)
    record = provenance("candidates-random", {"repeats": repeats, "seed": seed}, [neurons, candidates])
    write_table(output, table, CANDIDATES, record)
    print(f"{len(table)} random groups for {len(groups)} facts")
