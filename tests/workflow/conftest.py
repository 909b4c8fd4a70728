"""A copy of the workflow in a folder of its own, and a shortened study in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.short_study import Checkout, make_checkout, short_config


@pytest.fixture(scope="session")
def new_checkout(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict], Checkout]:
    """Make a fresh copy of the workflow with a configuration and short facts."""

    def make(content: dict) -> Checkout:
        return make_checkout(tmp_path_factory.mktemp("checkout"), content)

    return make


@pytest.fixture(scope="session")
def study(new_checkout: Callable[[dict], Checkout]) -> Checkout:
    """The shortened default study, finished."""
    checkout = new_checkout(short_config())
    result = checkout.run()
    assert result.returncode == 0, result.stdout[-4000:]
    return checkout
