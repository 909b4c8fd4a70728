"""The library by name: what ``import dkn`` gives (docs/python.md)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from transformers.utils import logging

from dkn.decoder.loading import open_model
from dkn.errors import UserError
from dkn.models.files import parameters
from dkn.models.named import prepared_folder, short_name
from dkn.neurons.sets import NO_NEURONS, NeuronSet
from dkn.one_fact.analysis import ASKED, REST, Model, OneFact
from dkn.one_fact.answer import answer as answer_of
from dkn.storage.files import read_json
from dkn.storage.provenance import sha256
from dkn.study.config import Study
from dkn.study.defaults import study_with
from dkn.study.names import DKN, KN


@contextmanager
def _without_bars() -> Iterator[None]:
    """Show no progress bar of transformers within the context."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def load(
    model: str | Path,
    revision: str | None = None,
    *,
    device: str = "auto",
    dtype: str = "float32",
    threads: int = 1,
    gpus: int = 1,
) -> Model:
    """Load a model.

    Args:
        model: a model folder of a study (``results/NAME/model``), a folder in Hugging Face's layout, a .gguf file, or
            the name of a model of the Hugging Face hub, ``owner/name``.
        revision: for a model of the hub its commit, branch or tag.
        device: ``cpu``, ``cuda``, or ``auto`` for a GPU where there is one.
        dtype: ``float32``, ``bfloat16`` or ``float16``.
        threads: the number of CPU threads.
        gpus: the most GPUs that the model is spread over.
    Raises:
        dkn.UserError: there is no such model, its family has no adapter, or it cannot be loaded.
    """
    with tempfile.TemporaryDirectory(prefix="dkn-") as scratch, _without_bars():
        folder = prepared_folder(str(model), revision, Path(scratch))
        language_model = open_model(folder, device, dtype, threads, gpus)
        record = read_json(folder / "provenance.json")
        return Model(short_name(str(model)), language_model, record, sha256(folder), parameters(folder), dtype)


def attribute(
    model: Model, prompt: str, *answers: str, config: str | Path | Study | None = None, fact_id: str = ASKED
) -> OneFact:
    """Ask a model for a fact, and score all its neurons by integrated gradients of the answer's probability.

    Args:
        model: a loaded model.
        prompt: the text that the answer follows, such as ``The capital of France is``.
        answers: the accepted answers, at least one.
        config: a configuration file with what differs from the defaults; None for the defaults.
        fact_id: keys the random draws; the id of a study's fact gives the draws of that study.
    Returns:
        The fact: ``fact.known``, ``fact.prob``, ``fact.scores`` and ``fact.completeness``; the other functions take it.
    Raises:
        dkn.UserError: a text is empty, the model cannot be asked, or the configuration is wrong.
    """
    study = config if isinstance(config, Study) else study_with(None if config is None else Path(config))
    fact = OneFact(model, prompt, answers, study, fact_id)
    _ = fact.scores  # now, so that what cannot be asked is an error here
    return fact


def knowledge_neurons(fact: OneFact) -> pd.DataFrame:
    """Return a fact's knowledge neurons: place (its number among them), layer, neuron and score."""
    return fact.neurons.drop(columns="fact_id")


def components(fact: OneFact) -> pd.DataFrame:
    """Return the components of a fact's knowledge neurons, with their functional test; docs/method.md says how.

    Those with ``kept`` are base degenerate components. A component's ``places`` are the places of its neurons.
    """
    return fact.components.drop(columns=["fact_id", "repeat"])


@dataclass(frozen=True)
class Suppressed:
    """What suppressing neurons does to a fact.

    Attributes:
        neurons: how many are suppressed.
        prob_before, prob: the answer's probability without and with the suppression.
        drop: the share of it that is lost, (prob_before - prob) / prob_before; negative where the answer gains.
        answered: whether greedy decoding still gives the answer.
    """

    neurons: int
    prob_before: float
    prob: float
    drop: float
    answered: bool


def _named(fact: OneFact, name: str) -> NeuronSet:
    members = fact.members.get(fact.fact_id, NO_NEURONS)
    sets = {DKN: fact.dkn, KN: members, REST: fact.rest}
    if name not in sets:
        raise UserError(f"unknown neuron set {name!r}; allowed: {', '.join(sets)}, or pairs of layer and neuron")
    return sets[name]


def suppress(fact: OneFact, neurons: str | pd.DataFrame | Iterable[tuple[int, int]]) -> Suppressed:
    """Suppress neurons wherever an answer token is predicted, and measure the answer's probability.

    Args:
        fact: what ``attribute`` returned.
        neurons: pairs of layer and neuron, a table with these columns, or ``dkn`` (the degenerate knowledge neurons),
            ``kn`` (all knowledge neurons) or ``kn-rest`` (those that are no degenerate ones).
    Raises:
        dkn.UserError: there is no such neuron or set, or a neuron is there twice.
    """
    if isinstance(neurons, str):
        chosen = _named(fact, neurons)
    else:
        given = neurons[["layer", "neuron"]].to_numpy() if isinstance(neurons, pd.DataFrame) else list(neurons)
        pairs = np.asarray(given, dtype=np.int64).reshape(-1, 2)
        chosen = NeuronSet(pairs[:, 0], pairs[:, 1])
    record = fact.suppression_of(chosen)
    before, after = exp(record["log_prob_before"]), exp(record["log_prob_after"])
    return Suppressed(len(chosen), before, after, (before - after) / before, bool(record["greedy_after"]))


def ask(
    model: Model, prompt: str, *answers: str, config: str | Path | Study | None = None, fact_id: str = ASKED
) -> dict[str, Any]:
    """Return all that is found out of a fact as plain values, as ``dkn ask --json`` prints them.

    Args:
        model, prompt, answers, config, fact_id: as ``attribute`` takes them.
    Raises:
        dkn.UserError: as ``attribute`` raises it.
    """
    return answer_of(attribute(model, prompt, *answers, config=config, fact_id=fact_id))
