"""Compute the integrated gradients of one shard of a model's facts."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.attribution.integrated_gradients import AttributionSettings, attribute, completeness_rows, score_rows
from dkn.decoder.encoded_facts import EncodingSettings, batches, encode_all
from dkn.decoder.loading import devices_of, open_model
from dkn.decoder.row_budget import RowBudget
from dkn.facts.stored import AskedFacts, study_facts
from dkn.models.families import has_gate
from dkn.models.prepared import require_as_prepared
from dkn.progress import progress
from dkn.storage.cache import Entry, content_of
from dkn.storage.provenance import provenance
from dkn.storage.shard_parts import shard_parts
from dkn.study.protocol import applied

KEPT = ("scores.parquet", "completeness.parquet")  # the tables' names in the cache


def main(
    model: flags.Model,
    facts: flags.Facts,
    known: flags.Known,
    output: flags.Output,
    completeness: Annotated[Path, Option(help="Second table to write: completeness per fact, token and layer.")],
    shard: Annotated[str, Option(help="The shard of the facts, as in 2-of-8.")],
    which: Annotated[str, Option(help="The facts to attribute: known, unknown or all.")],
    baseline: Annotated[str, Option(help="Baseline of the integrated gradients: amig or zero.")],
    quadrature: Annotated[
        str, Option(help="Quadrature rule: adaptive, gauss-lobatto, gauss-legendre, midpoint or left-riemann.")
    ],
    nodes: Annotated[int, Option(help="Nodes of the quadrature rule; for adaptive, those of its first round.")],
    tolerance: Annotated[float, Option(help="Completeness error below which adaptive quadrature stops refining.")],
    max_nodes: Annotated[int, Option(help="Node limit of adaptive quadrature.")],
    floor: Annotated[float, Option(help="Scores above this fraction of a fact's largest are stored.")],
    compute: flags.Compute,
    batch: flags.Batch = 8,
    released: flags.Released = None,
    cache: Annotated[
        Path | None, Option(envvar="DKN_CACHE", help="Folder of attributions to reuse and add to.")
    ] = None,
) -> None:
    """Attribute every fact of the shard; a Parquet row group per fact keeps the memory independent of the shard."""
    stated_settings = AttributionSettings(baseline, quadrature, nodes, tolerance, max_nodes)
    settings = applied("attribution", stated_settings, released, bool(released) and has_gate(model))
    asked = applied("asked facts", AskedFacts(which), released)
    encoding = applied("attributed answer", EncodingSettings(), released)
    index, count = (int(number) for number in shard.split("-of-"))
    chosen = study_facts(facts, known, **vars(asked)).sort_index().iloc[index - 1 :: count]
    stated = {**vars(settings), **vars(asked), **vars(encoding), "floor": floor, "shard": shard}
    stated |= {"batch": batch, "dtype": compute.dtype}
    require_as_prepared(model, read_all=True)  # hours may follow
    record = provenance("attribution", stated, [model, facts, known])
    device = devices_of(compute.device, compute.gpus)[0].type
    entry = Entry(cache, content_of(record, model, chosen, device)) if cache else None
    kept = entry.find(*KEPT) if entry else None
    with shard_parts(output, completeness, record) as parts:
        missed = parts.finished_elsewhere()
        if missed is not None:
            print("another job finished this shard meanwhile; its tables are taken")
        elif kept:
            missed = parts.merge([kept])
            print(f"{len(chosen)} facts taken from the cache: {kept[0].parent}")
        else:
            language_model = open_model(model, **vars(compute))
            groups = list(batches(encode_all(language_model, chosen, encoding), batch))
            names = [[fact.fact_id for fact in group] for group in groups]
            done = {number for number, facts_of_batch in enumerate(names) if parts.done(number, facts_of_batch)}
            if done:
                print(f"{len(done)} of {len(groups)} batches are taken over from an earlier job")
            budget = RowBudget.for_model(language_model.adapter)
            for number, group in enumerate(progress(groups, f"attribution {shard}", unit="batch")):
                if number not in done:
                    results = attribute(language_model.adapter, group, language_model.mask_token, settings, budget)
                    scores = [score_rows(result, floor) for result in results]
                    parts.write(number, scores, [completeness_rows(result, tolerance) for result in results])
            missed = parts.merge(map(parts.paths, range(len(groups))))
            if entry:
                entry.keep(dict(zip(KEPT, (output, completeness), strict=True)))
    print(f"{len(chosen)} facts attributed; the completeness error exceeds {tolerance:g} somewhere in {missed} of them")
