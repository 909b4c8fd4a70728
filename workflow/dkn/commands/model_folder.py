"""Prepare a model from a local folder in Hugging Face's layout; its files are linked and not copied."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn import flags
from dkn.models.sources import finish, link_folder
from dkn.storage.files import atomic_folder


def main(
    path: Annotated[Path, Option(help="Folder with config.json, safetensors weights and a tokenizer.")],
    output: flags.Folder,
) -> None:
    """Link the files of the folder, and record their checksums."""
    with atomic_folder(output) as folder:
        link_folder(path, folder)
        finish(folder, "model-folder", {"path": str(path)})
