"""Prepare a model from the Hugging Face hub at a pinned revision."""

from typing import Annotated

from typer import Option

from dkn import flags
from dkn.models.sources import finish, hub_snapshot, link_folder
from dkn.storage.files import atomic_folder


def main(
    repo: Annotated[str, Option(help="Name of the repository, as owner/name.")],
    revision: Annotated[str, Option(help="Revision: a commit hash, a branch or a tag.")],
    output: flags.Folder,
) -> None:
    """Download the weights (safetensors) and tokenizer files into the local cache, and link them."""
    with atomic_folder(output) as folder:
        snapshot = hub_snapshot(repo, revision)
        link_folder(snapshot, folder)
        finish(folder, "model-hub", {"repo": repo, "revision": revision, "commit": snapshot.name})
