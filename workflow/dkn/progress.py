"""Progress bars for long jobs, which a log file can hold too."""

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], label: str, total: int | None = None, unit: str = "fact") -> "tqdm[T]":
    """Wrap an iterable in a progress bar, which is refreshed every five seconds at most, so that a log stays short.

    Args:
        label: the text in front of the bar.
        total: the number of items, where the iterable has no length.
        unit: what one item is called.
    """
    return tqdm(items, desc=label, total=total, unit=unit, mininterval=5, dynamic_ncols=False, ncols=100, ascii=" =")
