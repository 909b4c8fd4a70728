"""Prepare a model from a local GGUF file, or from its parts; quantised weights are dequantised once."""

import tempfile
from pathlib import Path
from typing import Annotated

import torch
from typer import Option

from dkn import flags
from dkn.models.gguf_files import leaving_out, require_checksum, require_gguf, whole_files
from dkn.models.gguf_weights import convert_gguf
from dkn.models.sources import finish
from dkn.storage.files import atomic_folder


def main(
    path: Annotated[list[Path], Option(help="GGUF file; repeatable, the parts of one file in order.")],
    output: flags.Folder,
    sha256: Annotated[str | None, Option(help="SHA-256 checksum of the file, or of its parts joined.")] = None,
    threads: flags.Threads = 1,
) -> None:
    """Save the weights in the file as float32 safetensors, with its config and its tokenizer."""
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as name, leaving_out(scratch := Path(name)), atomic_folder(output) as folder:
        require_gguf(path)
        if sha256 is not None:
            require_checksum(path, sha256)
        convert_gguf(whole_files(path, scratch), folder)
        finish(folder, "model-gguf", {"path": [str(one) for one in path], "sha256": sha256}, path)
