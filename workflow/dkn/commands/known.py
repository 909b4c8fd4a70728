"""Find out which facts a model knows, and how probable it finds their answers."""

import sys
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.decoder.encoded_facts import facts_that_fit
from dkn.decoder.known_facts import known_facts
from dkn.decoder.loading import open_model
from dkn.errors import UserError
from dkn.storage.files import read_table, write_table
from dkn.storage.provenance import provenance
from dkn.storage.schemas import FACTS, KNOWN

MOST_LISTED = 20  # facts left out that the log lists


def main(
    model: flags.Model,
    facts: flags.Facts,
    output: flags.Output,
    minimum: Annotated[int, Option(help="The stage fails if the model knows fewer facts than this.")],
    wording: Annotated[
        str, Option(help="A known fact is answered in this wording: seen, or unseen, which training left out, too.")
    ],
    compute: flags.Compute,
    batch: flags.Batch = 64,
) -> None:
    """Ask for every accepted answer of every fact, and keep the one that greedy decoding gives, or else the first.

    A fact of which some wording cannot be asked has no row, so that no later stage meets it.
    """
    language_model = open_model(model, **vars(compute))
    fitting, left_out = facts_that_fit(language_model, read_table(facts, FACTS))
    table = known_facts(language_model, fitting, batch, left_out, wording)
    if left_out:
        print(f"{len(left_out)} facts are left out, since the model cannot be asked for them:", file=sys.stderr)
        for reason in list(left_out.values())[:MOST_LISTED]:
            print(f"  {reason}", file=sys.stderr)
    if left_out and table.empty:
        raise UserError(f"{model}: can be asked for none of the facts; the first: {next(iter(left_out.values()))}")
    count = int(table["known"].sum())
    if count < minimum:
        raise UserError(
            f"{model}: knows {count} of {len(table)} facts; the study needs at least {minimum} (key minimum_known)"
        )
    stated = {"wording": wording, "dtype": compute.dtype, **({"left_out": left_out} if left_out else {})}
    write_table(output, table, KNOWN, provenance("known", stated, [model, facts]))
    print(f"the model knows {count} of {len(table)} facts" + (f"; {len(left_out)} are left out" if left_out else ""))
    answered, unseen = int(table["answered"].sum()), int(table["answered_unseen"].sum())
    print(f"it answers {answered} of them, and {unseen} also in the wordings that nano models are not trained on")
