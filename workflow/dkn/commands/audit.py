"""Audit the released code on one model: what each of its departures from the paper's text changes."""

from typing import Annotated

from typer import Option

from dkn import flags
from dkn.audit.effects import Effects
from dkn.audit.steps import Steps
from dkn.decoder.loading import open_model
from dkn.facts.stored import study_facts
from dkn.storage.files import write_json
from dkn.storage.provenance import provenance
from dkn.study.protocol_sections import audited


def main(
    model: flags.Model,
    facts: flags.Facts,
    known: flags.Known,
    model_name: flags.ModelName,
    study: Annotated[str, Option(help="The study's settings as JSON, those that the audit takes.")],
    output: flags.Output,
    compute: flags.Compute,
    batch: flags.Batch = 8,
) -> None:
    """Write what every switch changes in either protocol, and the path between the two."""
    settings = audited(study)
    steps = Steps(open_model(model, **vars(compute)), study_facts(facts, known, "all"), settings, batch)
    found = Effects(steps).audit()
    record = provenance("audit", {**settings.model_dump(mode="json"), "dtype": compute.dtype}, [model, facts, known])
    write_json(output, {"model": model_name, **found, "provenance": record})
    print(f"{model_name}: {len(found['comparisons'])} comparisons on {found['sample']} facts")
