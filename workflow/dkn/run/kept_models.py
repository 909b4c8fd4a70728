"""Prepared models outlast the jobs that are to replace them.

Snakemake deletes what a rule has made before the rule's job runs again, so that a model would be gone where its source
has vanished or changed and the job fails. Hence its folder has another name until there is a new one: it is set aside
before the first job, and put back at the end of a run that made none. A run that was killed leaves it where it is, and
the end of the next one looks after it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from dkn.storage.writing import cannot_write


def kept(folder: Path) -> Path:
    """Return where a prepared model lies while it is set aside."""
    return folder.parent / f".{folder.name}.kept"


def set_aside(folders: Iterable[Path]) -> None:
    """Give prepared models their other name; what is set aside already stays so where there is no newer model.

    Args:
        folders: the models' folders, there or not.
    Raises:
        UserError: a folder cannot be renamed.
    """
    for folder in folders:
        if folder.is_dir():
            shutil.rmtree(kept(folder), ignore_errors=True)
            try:
                folder.rename(kept(folder))
            except OSError as error:
                raise cannot_write(folder, error) from None


def put_back(folders: Iterable[Path]) -> list[Path]:
    """Put models back of which there is no new one, delete those of which there is, and return the former.

    Args:
        folders: the models' folders, there or not.
    """
    found = []
    for folder in folders:
        if folder.is_dir():
            shutil.rmtree(kept(folder), ignore_errors=True)
        elif kept(folder).is_dir():
            kept(folder).rename(folder)
            found.append(folder)
    return found
