"""Distances between knowledge neurons, their groupings, and the functional test of components."""
