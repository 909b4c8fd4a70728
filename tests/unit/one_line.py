"""Errors that a user sees: one line."""

from __future__ import annotations

import pytest

from dkn.errors import UserError


def line_of(caught: pytest.ExceptionInfo[UserError]) -> str:
    """Return the error's text, which must be one line."""
    assert "\n" not in str(caught.value)
    return str(caught.value)
