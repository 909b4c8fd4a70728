"""A model from the Hugging Face hub at a pinned revision."""

from typing import Annotated

from typer import Option

from dkn import flags
from dkn.models.sources import finish, hub_snapshot, link_folder
from dkn.storage.files import atomic_folder


def main(
    repo: Annotated[str, Option(help="Repository, owner/name.")],
    revision: Annotated[str, Option(help="Commit hash, branch or tag.")],
    output: flags.Folder,
) -> None:
    """Download safetensors and tokenizer files into the local cache and link them."""
    with atomic_folder(output) as folder:
        snapshot = hub_snapshot(repo, revision)
        link_folder(snapshot, folder)
        finish(folder, "model-hub", {"repo": repo, "revision": revision, "commit": snapshot.name})
