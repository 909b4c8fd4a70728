"""Intervals, tests and detection metrics, computed from arrays and tables alone."""
