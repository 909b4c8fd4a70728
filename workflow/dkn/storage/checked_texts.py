"""Text files that carry no provenance in them, CSV and Markdown, and the checksums that are written beside them.

The checksums have the format of ``sha256sum``, so that anyone can check the files by ``sha256sum --check``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from dkn.errors import UserError
from dkn.storage.artefacts import remake
from dkn.storage.writing import atomic_file

SUFFIX = ".sha256"


def write_checksums(files: Sequence[Path]) -> None:
    """Write the checksums of files that differ in their suffix only, beside them."""
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    with atomic_file(files[0].with_suffix(SUFFIX)) as path:
        path.write_text("".join(lines), encoding="utf-8")


def read_checked(path: Path) -> str:
    """Return the text of a file whose checksum stands beside it.

    Raises:
        UserError: the file is not the one that its checksum was written for; the line says how to make it again.
        FileNotFoundError: the file, or that of the checksums, is missing.
    """
    sums, content = path.with_suffix(SUFFIX), path.read_bytes()
    stated = re.findall(r"^([0-9a-f]{64})  (.+)$", sums.read_bytes().decode(errors="replace"), flags=re.MULTILINE)
    expected = [checksum for checksum, name in stated if name == path.name]
    if not expected:
        raise UserError(f"{sums}: states no checksum of {path.name}; {remake(sums)}")
    if expected != [hashlib.sha256(content).hexdigest()]:
        raise UserError(f"{path}: is damaged or edited, since its checksum is not that in {sums.name}; {remake(path)}")
    return content.decode()
