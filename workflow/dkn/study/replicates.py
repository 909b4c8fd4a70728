"""The models of a study: an entry of the configuration may make several, which differ in the seed of their training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dkn.study.inputs import Model, TrainedModel


@dataclass(frozen=True)
class Replicate:
    """One model of the study.

    Attributes:
        name: the name of the model and of its folder of results.
        entry: its entry in the configuration.
        number: what its training adds to the study's seed; 0 for the first model of every entry.
    """

    name: str
    entry: Model
    number: int


def replicates(models: Sequence[Model]) -> list[Replicate]:
    """Return all models of a study, entry by entry.

    The first model of an entry has the entry's name and is the one that an entry without ``seeds`` makes, so that more
    seeds leave it as it is. The others are called ``NAME-s1``, ``NAME-s2``, ….

    Args:
        models: the entries of the configuration.
    """
    return [
        Replicate(f"{entry.name}-s{number}" if number else entry.name, entry, number)
        for entry in models
        for number in range(entry.seeds if isinstance(entry, TrainedModel) else 1)
    ]
