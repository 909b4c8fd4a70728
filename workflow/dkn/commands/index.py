"""Write the front page of the results: one HTML file with the findings, every figure and every table of a study."""

import json
from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.pages.index import Sources, Stored, front_page, shown_files
from dkn.pages.template import filled
from dkn.storage.files import atomic_file, read_json
from dkn.storage.provenance import provenance
from dkn.summaries.stored import stored_by_model


def main(
    model: flags.Folders,
    experiment: flags.Experiments,
    contents: Annotated[str, Option(help="What is on the page, from the study's configuration, as JSON.")],
    verdicts: Annotated[Path, Option(help="verdicts.json")],
    complexity: Annotated[Path, Option(help="complexity.json")],
    template: Annotated[Path, Option(help="Template of the page; its style and script lie beside it.")],
    words: Annotated[Path, Option(help="The words of the captions of tables; those of figures lie beside them.")],
    output: flags.Output,
) -> None:
    """Write the page, which needs neither a server nor a network, into the folder of the results."""
    stated = json.loads(contents)
    rows, sizes = read_json(verdicts)["verdicts"], read_json(complexity)["sizes"]
    files = {suffix: template.with_suffix(suffix) for suffix in (".html", ".css", ".js")}
    record = provenance("index", stated, [verdicts, complexity, *shown_files(stated, output.parent), *files.values()])
    stored = Stored(rows, sizes, stored_by_model(model, experiment), record)
    shown = front_page(stated, stored, Sources(output.parent, words.parent))
    frame, style, script = (files[suffix].read_text(encoding="utf-8") for suffix in (".html", ".css", ".js"))
    text = filled(frame, style, script, shown)
    with atomic_file(output) as path:
        path.write_text(text, encoding="utf-8")
    figures = sum(len(part["figures"]) for part in shown["sections"])
    tables = sum(len(part["tables"]) for part in shown["sections"])
    print(f"{figures} figures and {tables} tables, {output.stat().st_size / 1e6:.1f} MB")
