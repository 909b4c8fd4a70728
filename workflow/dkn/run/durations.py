"""Times in words.

This module imports the standard library only, because the message at the end of a run uses it.
"""


def duration(seconds: float) -> str:
    """Return a time in words, such as 0.3 s, 42 s, 3 min 20 s, 2 h 5 min or 870 h."""
    if 0 < seconds < 1:
        return f"{seconds:.1g} s"
    rounded = round(seconds)
    if rounded < 60:
        return f"{rounded} s"
    if rounded < 3600:
        return f"{rounded // 60} min {rounded % 60} s"
    if rounded < 36_000:
        return f"{rounded // 3600} h {rounded % 3600 // 60} min"
    return f"{rounded / 3600:,.0f} h"
