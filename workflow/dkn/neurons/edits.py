"""Where an intervention acts, and in which context its effect on the answer is read off."""

from __future__ import annotations

from dataclasses import dataclass

from dkn.decoder.adapters import NEURON_SITES
from dkn.decoder.encoded_facts import ANSWER_PATHS
from dkn.errors import UserError

EDITED_POSITIONS = ("answer", "last")
WEIGHTS_CONTEXTS = ("extended", "bare")


@dataclass(frozen=True)
class EditSettings:
    """How neurons are edited, and how the answer's probability is read off.

    For every attribute the first choice is what the paper's text says, and the second what the released code does.

    Attributes:
        site: which values are multiplied, where values are edited: the ``neurons``, or the ``preactivation``, what
            enters the activation function. What a gated MLP multiplies the activation by stays as it is.
        positions: where values are edited: at all positions that predict the ``answer``; or at the ``last`` position
            of every context, so that each answer token has a context in which the positions before are untouched.
        answer_path: how the context goes on from one answer token to the next: with the ``answer``'s own tokens, or
            each time with the model's ``first-choice``, under the intervention. Answer token i is asked for after i
            such tokens.
        weights_context: where weights are edited: the context is ``extended`` in this way, or all answer tokens are
            read off the last position of the ``bare`` prompt, whatever the path.
    """

    site: str = "neurons"
    positions: str = "answer"
    answer_path: str = "answer"
    weights_context: str = "extended"

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("site of edited values", self.site, NEURON_SITES),
            ("positions", self.positions, EDITED_POSITIONS),
            ("answer_path", self.answer_path, ANSWER_PATHS),
            ("weights_context", self.weights_context, WEIGHTS_CONTEXTS),
        ):
            if value not in allowed:
                raise UserError(f"unknown {name} {value!r}; allowed: {', '.join(allowed)}")


AS_TEXT = EditSettings()
