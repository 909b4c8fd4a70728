"""Numbers, booleans and null that arrive as text: ``--config 'compute={batch: 4}'`` and YAML's ``1e-3`` give text.

Where the schema wants another type and the text can mean one value only, that value is taken; otherwise the message
says how the value is written.
"""

from __future__ import annotations

import re
from typing import Any

from dkn.study.values import NULL_AS_TEXT

WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
NUMBER = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
BOOLEANS = {"true": True, "True": True, "false": False, "False": False}
LONGEST_NUMBER = 40  # characters
UNCHANGED = object()
# How a value is written, by pydantic's name of the problem, where a text seems to be meant for one.
_HINTS = {
    "int_type": "write a whole number in digits alone",
    "float_type": "write a number like 0.001 or 1.0e-3",
    "bool_type": "write true or false",
}
_SEEMS_MEANT = re.compile(r"\d")


def meant(kind: str, text: str, nullable: bool) -> Any:
    """Return the value that a text means where the schema wants none, or ``UNCHANGED``.

    Args:
        kind: pydantic's name of the problem, ``int_type``, ``float_type`` or ``bool_type``.
        text: the text that was found.
        nullable: whether null is allowed, too.
    """
    if nullable and text == "null":
        return None
    if kind == "bool_type":
        return BOOLEANS.get(text, UNCHANGED)
    if len(text) <= LONGEST_NUMBER:
        if kind == "int_type" and WHOLE.fullmatch(text):
            return int(text)
        if kind == "float_type" and NUMBER.fullmatch(text):
            return float(text)
    return UNCHANGED


def hint(kind: str, value: object, nullable: bool) -> str:
    """Return how a value of the right type is written, led by a semicolon; empty where the message says enough."""
    if isinstance(value, str) and kind in _HINTS:
        if nullable and value in NULL_AS_TEXT:
            return "; write null for none"
        return f"; {_HINTS[kind]}" if kind == "bool_type" or _SEEMS_MEANT.search(value) else ""
    return "; text needs quotes" if kind == "string_type" and isinstance(value, int | float) else ""
