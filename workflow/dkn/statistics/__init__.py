"""Intervals, tests and detection metrics over arrays."""
