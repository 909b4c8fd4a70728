"""Find out which facts a model knows, and how probable it finds their answers."""

from typing import Annotated

from typer import Option

from dkn import flags
from dkn.decoder.loading import open_model
from dkn.decoder.recall import known_facts
from dkn.errors import UserError
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import FACTS, KNOWN


def main(
    model: flags.Model,
    facts: flags.Facts,
    output: flags.Output,
    minimum: Annotated[int, Option(help="The stage fails if the model knows fewer facts than this.")],
    compute: flags.Compute,
    batch: flags.Batch = 64,
) -> None:
    """Ask for every accepted answer of every fact, and keep the one that greedy decoding gives, or else the first."""
    table = known_facts(open_model(model, **vars(compute)), read_table(facts, FACTS), batch)
    count = int(table["known"].sum())
    if count < minimum:
        raise UserError(f"{model}: knows {count} of {len(table)} facts; the study needs at least {minimum}")
    write_table(output, table, KNOWN, provenance("known", {"dtype": compute.dtype}, [model, facts]))
    print(f"the model knows {count} of {len(table)} facts")
