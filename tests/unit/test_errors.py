"""Which errors tell of a lack of memory."""

from __future__ import annotations

import errno

import pytest
from safetensors import SafetensorError

from dkn.errors import lacks_memory

PanicException = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})
TOO_LITTLE = [
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"),
    RuntimeError("unable to mmap 4 bytes from file </m>: Cannot allocate memory (12)"),
    ImportError("libarrow.so: failed to map segment from shared object"),
    SafetensorError("Error: Cannot allocate memory (os error 12)"),
    PanicException("not enough memory"),
]
OTHERS = [ValueError("out of memory"), KeyError("out of memory"), OSError(errno.ENOENT, "none"), RuntimeError("bug")]


@pytest.mark.parametrize("error", TOO_LITTLE, ids=lambda error: type(error).__name__)
def test_errors_of_the_system_and_of_libraries_tell_it(error: BaseException) -> None:
    assert lacks_memory(error)


@pytest.mark.parametrize("error", OTHERS, ids=lambda error: type(error).__name__)
def test_the_same_words_in_a_bug_do_not(error: BaseException) -> None:
    assert not lacks_memory(error)
