"""Distances between knowledge neurons, groupings of the neurons, and the functional test of the groups."""
