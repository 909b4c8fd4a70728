"""A copy of the workflow in a folder of its own, and a shortened study in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.short_study import Checkout, make_checkout, short_config


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one process have all tests of the finished study, which is made once; other files go where there is time."""
    for item in items:
        shared = "study" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("study" if shared else item.path.name))


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
