"""Progress bars for long jobs, which a log file can hold too."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")
_WITHIN = ContextVar("within", default=False)  # whether a bar would stand within another one


@contextmanager
def one_bar() -> Iterator[None]:
    """Show no further progress bar within the context, for steps of a job that has a bar of its own."""
    token = _WITHIN.set(True)
    try:
        yield
    finally:
        _WITHIN.reset(token)


def progress(items: Iterable[T], label: str, total: int | None = None, unit: str = "fact") -> "tqdm[T]":
    """Wrap an iterable in a progress bar, which is refreshed every five seconds at most, so that a log stays short.

    Args:
        label: the text in front of the bar.
        total: the number of items, where the iterable has no length.
        unit: what one item is called.
    """
    shown: dict[str, Any] = {
        "mininterval": 5,
        "dynamic_ncols": False,
        "ncols": 100,
        "ascii": " =",
        "disable": _WITHIN.get(),
    }
    return tqdm(items, desc=label, total=total, unit=unit, **shown)
