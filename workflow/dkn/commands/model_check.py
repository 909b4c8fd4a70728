"""Check that model folders open: tensors against architecture, tokenizer against embeddings; no weight is read."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn.errors import UserError
from dkn.models.opening import require_opens
from dkn.models.sources import require_model_folder


def main(
    path: Annotated[
        list[Path], Option(help="Folder with config.json, safetensors weights and a tokenizer; repeatable.")
    ],
) -> None:
    """Print one line for each folder that does not open, which says what is wrong with it."""
    refused = 0
    for folder in path:
        try:
            require_model_folder(folder)
            require_opens(folder)
        except UserError as error:
            refused += 1
            print(error)
    if refused:
        raise UserError(f"{refused} of {len(path)} model folders cannot be used")
