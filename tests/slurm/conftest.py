"""A cluster for the tests in this folder; they are left out where none can be started."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ..workflow.conftest import new_checkout as new_checkout  # the fixture
from . import cluster


@pytest.fixture(scope="session", autouse=True)
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A running one-node SLURM. ``DKN_NEED_SLURM=1`` makes it a failure instead of a skip where none can be started."""
    reason = cluster.missing()
    if reason is not None:
        if os.environ.get("DKN_NEED_SLURM"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("slurm")
    try:
        cluster.start(folder)
        yield
    finally:
        cluster.stop(folder)
