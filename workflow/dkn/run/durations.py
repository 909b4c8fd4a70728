"""Times in words.

This module imports the standard library only, because the message at the end of a run uses it.
"""


def duration(seconds: float) -> str:
    """Return a time in words, such as 0.3 s, 42 s, 3 min 20 s, 2 h 5 min, 60 h, 36 days or 2.4 years."""
    if 0 < seconds < 1:
        return f"{seconds:.1g} s"
    rounded = round(seconds)
    if rounded < 60:
        return f"{rounded} s"
    if rounded < 3600:
        return f"{rounded // 60} min {rounded % 60} s"
    if rounded < 36_000:
        return f"{rounded // 3600} h {rounded % 3600 // 60} min"
    days = rounded / 86_400
    if days < 3:
        return f"{rounded / 3600:.0f} h"
    return f"{days:.0f} days" if days < 730 else f"{days / 365.25:,.1f} years"
