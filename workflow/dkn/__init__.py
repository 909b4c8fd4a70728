"""Degenerate knowledge neurons: the library behind the workflow.

Most of it consists of pure functions over arrays, tables and a loaded model. The stages in ``dkn.commands``,
``dkn.figures`` and ``dkn.tables`` read and write the files of a study, through ``dkn.storage``.

The names in ``__all__`` are the library by name (docs/python.md): they analyse one fact at a time. They are imported
when they are first used, because the Snakefile imports this package and needs none of them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dkn.errors import UserError
    from dkn.one_fact.library import (
        Model,
        OneFact,
        Suppressed,
        ask,
        attribute,
        components,
        knowledge_neurons,
        load,
        suppress,
    )
    from dkn.one_fact.page import page
    from dkn.one_fact.plot import plot

__all__ = [
    "Model",
    "OneFact",
    "Suppressed",
    "UserError",
    "ask",
    "attribute",
    "components",
    "knowledge_neurons",
    "load",
    "page",
    "plot",
    "suppress",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dkn import errors
    from dkn.one_fact import library, page, plot

    modules = {"UserError": errors, "page": page, "plot": plot}
    return getattr(modules.get(name, library), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
