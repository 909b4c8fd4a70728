"""Progress bars for long jobs: on a terminal, and readable in a log file."""

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], label: str, total: int | None = None, unit: str = "fact") -> "tqdm[T]":
    """Wrap an iterable; the bar refreshes every few seconds, so that a log stays short."""
    return tqdm(items, desc=label, total=total, unit=unit, mininterval=5, dynamic_ncols=False, ncols=100, ascii=" =")
