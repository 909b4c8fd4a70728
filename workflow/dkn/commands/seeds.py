"""Combine the models that differ in the seed of their training alone: a meta-analysis of every main number."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.errors import UserError
from dkn.paper.seeds import combined, together
from dkn.storage.files import write_json
from dkn.storage.provenance import provenance
from dkn.summaries.stored import compared_by_model, summary_files


def main(
    model: flags.Folders,
    entry: Annotated[list[str], Option(help="Name of the entry that a model belongs to, in the order of the models.")],
    experiment: flags.Experiments,
    confidence: flags.Confidence,
    minimum_subjects: Annotated[int, Option(help="A number over fewer subjects counts as missing.")],
    output: flags.Output,
) -> None:
    """Combine the main numbers of every entry of several models."""
    if len(model) != len(entry):
        raise UserError(f"--model is given {len(model)} times, --entry {len(entry)} times; each needs its own")
    folders: dict[str, list[Path]] = {}
    for name, folder in zip(entry, model, strict=True):
        folders.setdefault(name, []).append(folder)
    several = {name: of_entry for name, of_entry in folders.items() if len(of_entry) > 1}
    rows, entries = [], {}
    for name, of_entry in several.items():
        rows += combined(name, compared_by_model(of_entry, experiment), confidence, minimum_subjects)
        entries[together(name)] = [folder.name for folder in of_entry]
    read = [folder for of_entry in several.values() for folder in of_entry]
    settings = {"experiments": list(experiment), "confidence": confidence, "minimum_subjects": minimum_subjects}
    record = provenance("seeds", settings, summary_files(read, experiment))
    write_json(output, {"entries": entries, "rows": rows, "provenance": record})
    print(f"{len(rows)} numbers were combined over seeds (entries with several: {len(entries)}): {output}")
