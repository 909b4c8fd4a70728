"""What the parts of the torture count."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

FAULTS = ("tracebacks", "hangs", "wrong", "executed")


@dataclass
class Counts:
    """What became of the trials of one part.

    Attributes:
        part: what was tried.
        tried: the number of trials.
        taken: trials that went through, with the right result.
        refused: trials that ended in one line that names what is wrong.
        tracebacks, hangs: trials that ended in a traceback, or in no time.
        wrong: trials with another result than the right one, or with a message that does not help.
        executed: trials that ran a command which stands in their text.
        seconds: how long the part took.
        faults: a line for each trial that went wrong.
    """

    part: str
    tried: int = 0
    taken: int = 0
    refused: int = 0
    tracebacks: int = 0
    hangs: int = 0
    wrong: int = 0
    executed: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def went_wrong(self, kind: str, line: str) -> None:
        """Count a fault.

        Args:
            kind: one of ``FAULTS``.
            line: which trial, and what happened.
        """
        setattr(self, kind, getattr(self, kind) + 1)
        self.faults.append(f"{self.part}: {kind}: {line}")


@contextmanager
def counting(part: str) -> Iterator[Counts]:
    """Count and time a part."""
    start, counts = time.monotonic(), Counts(part)
    yield counts
    counts.seconds = time.monotonic() - start


def as_markdown(parts: list[Counts]) -> str:
    """Return the counts as a table in Markdown, with their sums."""
    columns = ("tried", "taken", "refused", *FAULTS, "seconds")
    total = Counts("all", **{name: sum(getattr(part, name) for part in parts) for name in columns})
    lines = [f"| part | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    for part in [*parts, total]:
        lines.append(f"| {part.part} | {' | '.join(format(getattr(part, name), ',.0f') for name in columns)} |")
    return "\n".join(lines)
