"""Draw the candidates of the tested controls from NTC's, for the same functional test: random and shuffled groups."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from typer import Option

from dkn import flags
from dkn.neurons.sets import neuron_sets
from dkn.randomness import generator
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import CANDIDATES, KNOWLEDGE_NEURONS
from dkn.structure.candidates import candidates_table
from dkn.structure.controls import control_groups


def main(
    neurons: flags.Neurons,
    candidates: Annotated[Path, Option(help="NTC's candidate components.")],
    control: Annotated[list[str], Option(help="Tested control: random or shuffled; repeatable.")],
    repeats: Annotated[int, Option(help="Number of draws of a fact's groups.")],
    seed: flags.Seed,
    output: flags.Outputs,
) -> None:
    """Draw groups of every control for every fact in which NTC has candidates."""
    flags.one_output_each(output, control=control)
    layers = {
        fact_id: members.layers for fact_id, members in neuron_sets(read_table(neurons, KNOWLEDGE_NEURONS)).items()
    }
    found = {
        str(fact_id): list(frame.sort_values("component")["places"])
        for fact_id, frame in read_table(candidates, CANDIDATES).groupby("fact_id")
    }
    for name, path in zip(control, output, strict=True):
        drawn = {}
        for fact_id, groups in found.items():
            draw = generator(seed, name, fact_id)
            drawn[fact_id] = [control_groups(name, groups, layers[fact_id], draw) for _ in range(repeats)]
        record = provenance(
            "candidates-random", {"control": name, "repeats": repeats, "seed": seed}, [neurons, candidates]
        )
        write_table(path, candidates_table(drawn), CANDIDATES, record)
        kept = [_share_kept(groups, new) for fact_id, groups in found.items() for new in drawn[fact_id]]
        share = f"; {100 * np.mean(kept):.3g} % of a group's neurons are in NTC's group too" if kept else ""
        print(f"{name}: {repeats} draws of groups for {len(found)} facts{share}")


def _share_kept(groups: Sequence[np.ndarray], drawn: Sequence[np.ndarray]) -> float:
    """Return the mean share of a group's neurons that are in the control's group of the same number."""
    pairs = zip(groups, drawn, strict=True)
    return float(np.mean([len(np.intersect1d(group, other)) / len(group) for group, other in pairs]))
