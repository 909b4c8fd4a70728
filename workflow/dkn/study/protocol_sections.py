"""The sections of the configuration that choose between the two protocols, and that audit what lies between them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, create_model

from dkn.study.protocol import SWITCHES
from dkn.study.values import FactCount, Repeats, Section

SwitchState = Literal["text", "released"]


def _meaning(name: str) -> str:
    switch = SWITCHES[name]
    return f"With `text`, {switch.text}. With `released`, {switch.released}."


Switches = create_model(
    "Switches",
    __base__=Section,
    **{name: (SwitchState | None, Field(description=_meaning(name))) for name in SWITCHES},
)  # type: ignore[call-overload]


class Audit(Section):
    facts: FactCount | None = Field(
        description="The audit takes about this many facts, whole subjects at a time; null takes all."
    )
    draws: Repeats = Field(
        description="Every control and every random set of the audit takes this many draws, and fine-tuning this many "
        "trainings."
    )
    resamples: int = Field(
        ge=100, le=100_000, description="A bootstrap interval of the audit takes this many resamples."
    )
