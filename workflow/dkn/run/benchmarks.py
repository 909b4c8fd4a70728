"""What Snakemake has measured of a job.

This module imports the standard library only, because the message at the end of a run uses it.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path


def job_seconds(path: Path) -> float | None:
    """Return the seconds that a job took, from its benchmark file; None where the file does not say it."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            seconds = [float(row["s"]) for row in csv.DictReader(file, delimiter="\t")]
    except (OSError, KeyError, TypeError, ValueError, csv.Error):
        return None
    total = sum(seconds)
    return total if seconds and math.isfinite(total) and total >= 0 else None
