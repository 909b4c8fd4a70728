"""Compare a study's models by size: every setting's main number against the number of parameters."""

from dkn import flags
from dkn.models.files import parameters
from dkn.paper.model_size import FEWEST_SIZES, against_size
from dkn.storage.files import write_json
from dkn.storage.provenance import provenance
from dkn.summaries.seeds import over_seeds
from dkn.summaries.stored import compared_by_model, summary_files


def main(model: flags.Folders, experiment: flags.Experiments, output: flags.Output, seeds: flags.Seeds = None) -> None:
    """Write every metric by model size; models that differ in the seed of their training alone are one size."""
    together, combined = over_seeds(seeds)
    sizes = {together.get(folder.name, folder.name): parameters(folder / "model") for folder in model}
    table = against_size(sizes, {**compared_by_model(model, experiment), **combined})
    few = len(set(sizes.values())) < FEWEST_SIZES
    count = f"{len(sizes)} model{'s' * (len(sizes) != 1)}"
    note = f"{count}: no trend is claimed from fewer than {FEWEST_SIZES} sizes" if few else None
    inputs = [*summary_files(model, experiment), *([seeds] if seeds else [])]
    record = provenance("model-size", {"experiments": list(experiment)}, inputs)
    write_json(output, {"sizes": sizes, "note": note, "rows": table.to_dict("records"), "provenance": record})
