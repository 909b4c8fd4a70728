"""Stages of the command line, run in this process."""

from __future__ import annotations

from dkn.__main__ import main


def status_of(arguments: list[str]) -> int:
    """Run a stage and return its exit status."""
    try:
        return main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
