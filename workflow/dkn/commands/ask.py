"""Ask a model for one fact: known or not, knowledge neurons, components, and what losing them costs."""

import json as json_text
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from dkn import flags
from dkn.one_fact import library
from dkn.one_fact.analysis import ASKED
from dkn.storage.files import atomic_file
from dkn.study.defaults import study_with


def main(
    prompt: Annotated[str, Argument(help="The text that the answer follows, such as 'The capital of France is'.")],
    answer: Annotated[list[str], Argument(help="The answer; further ones are accepted too.")],
    model: Annotated[
        str,
        Option(
            help="Folder of a model (of a study or in Hugging Face's layout), .gguf file, or owner/name on the hub."
        ),
    ],
    compute: flags.Compute,
    revision: Annotated[str | None, Option(help="For a model of the hub: its commit, branch or tag.")] = None,
    config: Annotated[Path | None, Option(help="Configuration with what differs from the default study's.")] = None,
    fact_id: Annotated[
        str, Option("--id", help="Keys the random draws: the id of a study's fact gives that study's draws.")
    ] = ASKED,
    html: Annotated[Path | None, Option(help="Page of this one fact to write, the neuron explorer's.")] = None,
    json: Annotated[bool, Option("--json", help="Print JSON instead of text, with every number.")] = False,
) -> None:
    """Print what the model makes of the fact, as text or as JSON."""
    study = study_with(config)  # what is wrong with it shows before the model is loaded
    loaded = library.load(model, revision, **vars(compute))
    fact = library.attribute(loaded, prompt, *answer, config=study, fact_id=fact_id)
    if html is not None:
        from dkn.one_fact.page import page  # the drawing library takes a second to import

        text = page(fact)
        with atomic_file(html) as path:
            path.write_text(text, encoding="utf-8")
    if json:
        print(json_text.dumps(library.answer_of(fact), ensure_ascii=False, allow_nan=False, indent=2))
    else:
        from dkn.one_fact.screen import show  # --json prints without the library of tables

        show(fact)
