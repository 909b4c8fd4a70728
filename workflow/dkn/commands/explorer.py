"""Write the neuron explorer: one HTML page of a model's facts, neurons and components, from stored records."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from plotly.offline import get_plotlyjs
from typer import Option

from dkn import flags
from dkn.models.files import parameters
from dkn.pages.choice import Choice
from dkn.pages.explorer import Settings, Tables, explorer_data, model_description
from dkn.pages.template import look, page
from dkn.storage.files import atomic_file, read_json, read_table
from dkn.storage.parts import read_distinct, read_facts
from dkn.storage.provenance import provenance
from dkn.storage.schemas import COMPONENTS, DEGENERACY, DIAGRAMS, DISTANCES, FACTS, KNOWLEDGE_NEURONS, KNOWN
from dkn.structure.ntc import NTCSettings
from dkn.study.protocol import applied

STORED = {
    "known": ("known.parquet", KNOWN),
    "neurons": ("knowledge_neurons.parquet", KNOWLEDGE_NEURONS),
    "distances": ("distances.parquet", DISTANCES),
    "diagrams": ("diagrams.parquet", DIAGRAMS),
    "components": ("components/ntc.parquet", COMPONENTS),
    "records": ("experiments/degeneracy-ntc/records.parquet", DEGENERACY),
}


@dataclass(frozen=True)
class Shown:
    """Which facts are shown, all that are attributed, and in which wording: the prompt's or the source's ``original``.

    The source's own query is shown with its gap, wherever that stands.
    """

    which: str = "all"
    wording: str = "left-to-right"


def _choice(model: Path, settings: Settings) -> Choice:
    """Choose the facts that the page shows from what is small of the model's stored tables."""
    paths = {name: (model / path, schema) for name, (path, schema) in STORED.items()}
    layers = read_distinct(*paths["neurons"], ["fact_id", "layer"])
    kept = read_table(*paths["components"], ["fact_id", "kept"])
    return Choice.of(layers, kept, len(read_table(*paths["known"], ["fact_id"])), settings.facts, settings.seed)


def main(
    model: Annotated[Path, Option(help="Folder with the results of the model.")],
    facts: flags.Facts,
    template: Annotated[Path, Option(help="Template of the page; its style and script lie beside it.")],
    clustering: flags.Clustering,
    test: flags.Test,
    tau2: Annotated[float, Option(help="Threshold of the functional test.")],
    seed: flags.Seed,
    output: flags.Output,
    sample: Annotated[int | None, Option(help="How many facts to show; all where not given.")] = None,
    released: flags.Released = None,
) -> None:
    """Write the page, which needs neither a server nor a network."""
    ntc = applied("clustering", NTCSettings(**vars(clustering)), released)
    settings = applied("functional test", Settings(ntc, test, tau2, sample, seed), released)
    choice = _choice(model, settings)
    stored = {name: read_facts(model / path, schema, choice.shown) for name, (path, schema) in STORED.items()}
    joined = read_facts(facts, FACTS, choice.shown).merge(stored.pop("known"), on="fact_id", validate="one_to_one")
    if applied("asked facts", Shown(), released).wording == "original":
        joined = joined.assign(prompt=joined["query"])
    data = explorer_data(Tables(joined, **stored), settings, choice)
    files = {suffix: template.with_suffix(suffix) for suffix in (".html", ".css", ".js")}
    tables = [facts, *(model / path for path, _ in STORED.values())]
    stated = {**vars(settings), "ntc": vars(ntc)}
    data["provenance"] = provenance("explorer", stated, [model / "model", *tables, *files.values()])
    record = read_json(model / "model" / "provenance.json")
    data["model"] = {
        "name": model.name,
        "description": model_description(model.name, record, parameters(model / "model")),
    }
    data["look"] = look()
    style, script, frame = (files[suffix].read_text(encoding="utf-8") for suffix in (".css", ".js", ".html"))
    text = page(frame, model.name, style, get_plotlyjs(), script, data)
    with atomic_file(output) as path:
        path.write_text(text, encoding="utf-8")
    counts = data["counts"]
    print(f"{counts['shown']} of {counts['attributed']} facts are shown, {output.stat().st_size / 1e6:.1f} MB")
