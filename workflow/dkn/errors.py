"""The exception for mistakes that the user can correct, and errors that tell of a lack of memory."""

import errno
import re

_NO_MEMORY = re.compile(
    r"not enough memory|can(no|')t allocate memory|failed to map|out of memory|can't start new thread"
    r"|unable to (mmap|allocate)|std::bad_alloc|Resource temporarily unavailable",
    re.IGNORECASE,
)
_IN_RUST = ("safetensors", "pyo3_runtime")  # modules whose errors have a type of their own


class UserError(Exception):
    """A mistake of the user; its message says in one line what is wrong, where, and what is allowed.

    It is shown without a traceback.
    """


def lacks_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory, or the threads that need it, are used up.

    What it says counts where the system or a library raises it; the words may stand in any other error by chance.
    """
    if isinstance(error, MemoryError) or getattr(error, "errno", None) in (errno.ENOMEM, errno.EAGAIN):
        return True
    raised_by_others = isinstance(error, (RuntimeError, ImportError, OSError))
    raised_by_others |= type(error).__module__.startswith(_IN_RUST)
    return raised_by_others and bool(_NO_MEMORY.search(str(error)))
