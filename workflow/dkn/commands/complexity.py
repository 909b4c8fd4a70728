"""Complexity: every setting's main number against model size."""

from dkn.commands._flags import ExperimentsFlag, FoldersFlag, OutputFlag
from dkn.commands._summaries import read_summaries, summary_files
from dkn.complexity import FEWEST_MODELS, against_size, grows_with_size, parameters
from dkn.io import write_json
from dkn.provenance import provenance


def main(model: FoldersFlag, experiment: ExperimentsFlag, output: OutputFlag) -> None:
    """Write all metrics by size, and whether each grows."""
    sizes = {folder.name: parameters(folder / "model") for folder in model}
    table = against_size(sizes, {folder.name: read_summaries(folder, experiment) for folder in model})
    rows = table.to_dict("records")
    grows = {name: grows_with_size(part.to_dict("records")) for name, part in table.groupby("metric", sort=False)}
    few = len(set(sizes.values())) < FEWEST_MODELS
    count = f"{len(sizes)} model{'s' * (len(sizes) != 1)}"
    note = f"{count}: no trend is claimed from fewer than {FEWEST_MODELS} sizes" if few else None
    record = provenance("complexity", {"experiments": list(experiment)}, summary_files(model, experiment))
    write_json(output, {"sizes": sizes, "note": note, "rows": rows, "grows": grows, "provenance": record})
