"""Times in words. Standard library only: what a run says at its end uses it too."""


def duration(seconds: float) -> str:
    """A time that people read: 0.3 s, 42 s, 3 min 20 s, 2 h 5 min, 870 h."""
    if 0 < seconds < 1:
        return f"{seconds:.1g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 36_000:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole / 3600:,.0f} h"
