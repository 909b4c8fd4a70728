"""Which facts a model knows, and how probable it finds their answers."""

from typing import Annotated

import numpy as np
import pandas as pd
from typer import Option

from dkn.commands._flags import (
    BatchFlag,
    DeviceFlag,
    DtypeFlag,
    FactsFlag,
    GpusFlag,
    ModelFlag,
    OutputFlag,
    ThreadsFlag,
)
from dkn.commands._shared import open_model
from dkn.encoding import EncodedFact, batches, encode
from dkn.errors import UserError
from dkn.io import read_table, write_table
from dkn.knowledge import Recall, recall
from dkn.progress import progress
from dkn.provenance import provenance
from dkn.tables import FACTS, KNOWN


def main(
    model: ModelFlag,
    facts: FactsFlag,
    output: OutputFlag,
    minimum: Annotated[int, Option(help="Fewer known facts than this end the study.")],
    batch: BatchFlag = 64,
    device: DeviceFlag = "auto",
    dtype: DtypeFlag = "float32",
    threads: ThreadsFlag = 1,
    gpus: GpusFlag = 1,
) -> None:
    """Ask for every accepted answer of every fact; keep the one that greedy decoding gives, else the first."""
    language_model = open_model(model, device, dtype, threads, gpus)
    frame = read_table(facts, FACTS)
    asked: dict[str, EncodedFact] = {}
    for row in frame.itertuples(index=False):
        for place, answer in enumerate(row.answers):
            asked[f"{row.fact_id}\x1f{place}"] = encode(language_model, f"{row.fact_id}\x1f{place}", row.prompt, answer)
    recalls: dict[str, Recall] = {}
    for group in progress(list(batches(list(asked.values()), batch)), "known facts", unit="batch"):
        recalls.update({fact.fact_id: found for fact, found in zip(group, recall(language_model, group), strict=True)})

    rows = []
    for row in frame.itertuples(index=False):
        keys = [f"{row.fact_id}\x1f{place}" for place in range(len(row.answers))]
        place = next((place for place, key in enumerate(keys) if recalls[key].known), 0)
        found, tokens = recalls[keys[place]], asked[keys[place]]
        log_prob = float(found.log_probs.sum())
        rows.append(
            {
                "fact_id": row.fact_id,
                "answer": row.answers[place],
                "known": found.known,
                "log_prob": log_prob,
                "prob": float(np.exp(log_prob)),
                "geometric_mean_prob": float(np.exp(log_prob / len(tokens.answer))),
                "first_token_rank": int(found.ranks[0]),
                "prompt_tokens": len(tokens.prompt),
                "answer_tokens": len(tokens.answer),
            }
        )
    table = pd.DataFrame(rows)
    count = int(table["known"].sum())
    if count < minimum:
        raise UserError(f"{model}: knows {count} of {len(table)} facts; the study needs at least {minimum}")
    write_table(output, table, KNOWN, provenance("known", {"dtype": dtype}, [model, facts]))
    print(f"knows {count} of {len(table)} facts")
