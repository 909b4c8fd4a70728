"""Checks of what Snakemake itself puts into commands: the places of a study and the flags that it was given.

The rules quote what they put into their own commands. Snakemake adds other parts and does not quote all of them, so a
text that would not arrive as it is gets refused before the first job.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from dkn.errors import UserError

_PLAIN = re.compile(r"[\w@%+=:,./~-]+")  # no shell reads anything into these characters
_IN_QUOTES = re.compile(r"""[^"'$`\\!\n]+""")  # nor into these, between quotes of either kind


def check_checkout(folder: Path) -> None:
    """Raise where the workflow lies in a folder whose path no job could be given.

    Args:
        folder: the absolute path of the checkout.
    Raises:
        UserError: Snakemake would read a part of the path as a wildcard, Python as two folders, or a log as two lines.
    """
    found = [character for character in str(folder) if character in ":{}" or not character.isprintable()]
    if found:
        raise UserError(
            f"{str(folder)!r}: the path of the workflow's folder has {found[0]!r} in it, which Snakemake or Python "
            "would not take as a part of a name; move or rename the folder"
        )


def check_module(workflow: Path, same_paths: bool) -> None:
    """Raise where another workflow uses this one in a way that its jobs could not follow.

    Args:
        workflow: the folder that the module's library lies in.
        same_paths: whether the other workflow leaves the paths of results as they are.
    Raises:
        UserError: another copy of the library is loaded already, or paths are changed, which the commands would not
            know.
    """
    loaded = Path(__file__).parents[2]
    if loaded.resolve() != workflow.resolve():
        raise UserError(
            f"{workflow}: the library of another copy of this workflow is loaded already ({loaded}); "
            "one workflow can use one copy, as several modules"
        )
    if not same_paths:
        raise UserError("module: `prefix:` and `replace_prefix:` are not possible; state the folder as config: results")


def check_conda(prefix: Path) -> None:
    """Raise where Snakemake could not make or activate conda environments below a folder.

    Raises:
        UserError: the folder's path would end the quotes that Snakemake puts around it, or is interpreted within them.
    """
    if not _IN_QUOTES.fullmatch(str(prefix)):
        raise UserError(
            f"{str(prefix)!r}: conda environments cannot lie here, because quotes, $, `, \\ and ! in the path are "
            "interpreted; name another folder with --conda-prefix"
        )


def check_containers(folders: Iterable[Path]) -> None:
    """Raise where the commands that Snakemake starts containers with would be other ones.

    Args:
        folders: where the images and the workflow lie.
    Raises:
        UserError: a path has a character that a shell interprets.
    """
    for folder in map(str, folders):
        if not _PLAIN.fullmatch(folder):
            raise UserError(
                f"{folder!r}: containers cannot be used with this folder, because Snakemake does not quote it; "
                "move it, or name another one with --apptainer-prefix"
            )


def check_cluster(interpreter: str, others: Iterable[object]) -> None:
    """Raise where the commands that Snakemake submits to a cluster would be other ones.

    Args:
        interpreter: the path of Snakemake's own interpreter, which is not quoted.
        others: the files, folders and values of flags that stand between quotes.
    Raises:
        UserError: a text would not arrive as it is.
    """
    for pattern, texts in ((_PLAIN, [interpreter]), (_IN_QUOTES, others)):
        for text in map(str, texts):
            if not pattern.fullmatch(text):
                raise UserError(
                    f"{text!r}: a cluster's jobs cannot be given this, because Snakemake does not quote all that a "
                    "shell interprets in it; use folders with plain names, and write settings into a file for "
                    "--configfile"
                )
