"""A model from the Hugging Face hub at a pinned revision."""

from pathlib import Path
from typing import Annotated

from typer import Option

from dkn.io import atomic_folder
from dkn.model_sources import finish, hub_snapshot, link_folder


def main(
    repo: Annotated[str, Option(help="Repository, owner/name.")],
    revision: Annotated[str, Option(help="Commit hash, branch or tag.")],
    output: Annotated[Path, Option(help="Folder for the model.")],
) -> None:
    """Download safetensors and tokenizer files into the local cache and link them."""
    with atomic_folder(output) as folder:
        snapshot = hub_snapshot(repo, revision)
        link_folder(snapshot, folder)
        finish(folder, "model-hub", {"repo": repo, "revision": revision, "commit": snapshot.name})
